/** The keys that this node has looked up by itself, since the arbiter did not answer. */
import { keysLookedUpAlone } from "../runtime/limits.ts"

export class AloneKeys {
  isScheduled = false
  readonly #keys = new Set<string>()
  /** There were more than `keysLookedUpAlone` keys: every entry counts as looked up alone. */
  #mayBeAny = false

  get isEmpty(): boolean {
    return this.#keys.size === 0
  }

  get keys(): ReadonlyArray<string> {
    return [...this.#keys]
  }

  add(k: string): void {
    this.#keys.add(k)
    if (this.#keys.size <= keysLookedUpAlone) return
    this.#keys.clear()
    this.#keys.add(k)
    this.#mayBeAny = true
  }

  /** Takes the keys whose server answers again; `"all"` where every entry counts as one. */
  take(answers: (k: string) => boolean): ReadonlyArray<string> | "all" {
    const taken = [...this.#keys].filter(answers)
    for (const k of taken) this.#keys.delete(k)
    if (!this.#mayBeAny || taken.length === 0) return taken
    this.#mayBeAny = false
    return "all"
  }
}
