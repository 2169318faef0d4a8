/**
 * Changes of this node that the backplane has not sent yet. One message stands for all changes of a
 * key. Beyond a bound, one mark of everything takes their place: other nodes look more up than they
 * must, and miss nothing.
 */
import type { Message } from "../../Backplane.ts"
import { queuedMessages } from "../runtime/limits.ts"

type Body<M> = M extends unknown ? Omit<M, "node"> : never
export type Changed = Extract<Body<Message>, { readonly _tag: "Changed" }>
export type Marked = Extract<Body<Message>, { readonly _tag: "Marked" }>

export class Outbox {
  readonly #keys = new Map<string, Changed>()
  #marks: ReadonlyArray<Marked> = []
  /** Called for each change that waits. Without it, no backplane is in use, and nothing is kept. */
  onWaiting: (() => void) | undefined

  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#marks.length === 0
  }

  /** This node has changed a key. `version`: where an arbiter has ordered the change. */
  changed(key: string, isRemoval: boolean, version?: number): void {
    if (this.onWaiting === undefined) return
    this.#addKey({ _tag: "Changed", key, isRemoval, version })
    this.onWaiting()
  }

  /** This node has set a mark. `number`: where an arbiter has numbered it. */
  marked(tags: ReadonlyArray<string | undefined>, keepStale: boolean, number?: number): void {
    if (this.onWaiting === undefined) return
    this.#addMark({ _tag: "Marked", tags, keepStale, number })
    this.onWaiting()
  }

  /** Takes everything that waits. */
  take(): ReadonlyArray<Changed | Marked> {
    const all = [...this.#marks, ...this.#keys.values()]
    this.#keys.clear()
    this.#marks = []
    return all
  }

  /** Keeps a message that could not be sent, beside those that wait by now. */
  giveBack(message: Changed | Marked): void {
    if (message._tag === "Marked") this.#addMark(message)
    else this.#addKey(message)
  }

  #addKey(change: Changed): void {
    const known = this.#keys.get(change.key)
    this.#keys.set(change.key, known === undefined ? change : together(known, change))
    this.#bound()
  }

  #addMark(mark: Marked): void {
    this.#marks = [...this.#marks, mark]
    this.#bound()
  }

  #bound(): void {
    if (this.#keys.size + this.#marks.length <= queuedMessages) return
    const keepsAll =
      this.#marks.every(({ keepStale }) => keepStale) &&
      [...this.#keys.values()].every(({ isRemoval }) => !isRemoval)
    this.#keys.clear()
    this.#marks = [{ _tag: "Marked", tags: [undefined], keepStale: keepsAll }]
  }
}

/** One message for two changes of a key: a removal among them drops the older values elsewhere. */
const together = (one: Changed, other: Changed): Changed => {
  const hasVersions = one.version !== undefined && other.version !== undefined
  return {
    ...other,
    isRemoval: one.isRemoval || other.isRemoval,
    version: hasVersions ? Math.max(one.version, other.version) : undefined,
  }
}
