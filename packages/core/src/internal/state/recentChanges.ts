/**
 * When keys have changed lately, as far as this node knows: a lookup soon afterwards may read a replica of
 * the source that does not have the change yet.
 */
import { changesRemembered } from "../runtime/limits.ts"

export class RecentChanges {
  readonly #lag: number
  readonly #now: () => number
  /** In the order of the changes. */
  readonly #at = new Map<string, number>()
  /** The latest change that was forgotten for want of room: any key may have changed then. */
  #forgottenAt = -Infinity

  /** `lag`: how long a change counts, ms; 0 remembers nothing. `now`: monotonic time, ms. */
  constructor(lag: number, now: () => number) {
    this.#lag = lag
    this.#now = now
  }

  get size(): number {
    return this.#at.size
  }

  /** The key changes now. */
  changed(k: string): void {
    if (this.#lag === 0) return
    const now = this.#now()
    this.#at.delete(k)
    this.#at.set(k, now)
    for (const [oldest, at] of this.#at) {
      if (now - at <= this.#lag && this.#at.size <= changesRemembered) return
      this.#at.delete(oldest)
      this.#forgottenAt = at
    }
  }

  /** When the key changed last, or a key that was forgotten; `-Infinity` for never. */
  lastOf(k: string): number {
    return Math.max(this.#at.get(k) ?? -Infinity, this.#forgottenAt)
  }
}
