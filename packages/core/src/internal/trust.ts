/**
 * What can be believed of a tier that does not arbitrate. What it holds although
 * it should have been dropped is as good as gone. And where there is an arbiter
 * behind it, an entry is taken for the present only if this larder kept it in
 * there, having got it from the arbiter or from upstream: anything else may be
 * from before the larder was opened.
 */

import type { Entry } from "../Entry.ts"

/** More are confirmed by the arbiter once more. */
const maxConfirmed = 100_000
/** More are told apart no longer. */
const maxMissed = 1_000

/** By the version alone an entry is not known: while the arbiter is away, each node gives its own. */
type Kept = Pick<Entry<unknown>, "storedAt" | "version">

export class Trust {
  /** What this larder kept there, of each key; the oldest written first. */
  readonly #confirmed = new Map<string, Kept>()
  /** Of each key the highest version that should be gone. */
  readonly #missed = new Map<string, number>()
  /** Whatever the key: of this version and below, everything should be gone. */
  #missedBelow = 0
  /** Of each key that is being put: how often, and up to which version it was dropped meanwhile. */
  readonly #putting = new Map<string, { count: number; dropped: number }>()

  beginPut(key: string): void {
    const putting = this.#putting.get(key)
    if (putting === undefined) this.#putting.set(key, { count: 1, dropped: 0 })
    else putting.count += 1
  }

  /** Up to which version the key was dropped while it was being put: what was put may have come after that. */
  endPut(key: string): number {
    const putting = this.#putting.get(key)
    if (putting === undefined) return 0
    putting.count -= 1
    if (putting.count === 0) this.#putting.delete(key)
    return putting.dropped
  }

  dropping(key: string, version: number): void {
    const putting = this.#putting.get(key)
    if (putting !== undefined) putting.dropped = Math.max(putting.dropped, version)
  }

  /** The larder kept this there; `stored` where it was not there before. */
  kept(key: string, { storedAt, version }: Kept, stored: boolean): void {
    this.#confirmed.delete(key)
    this.#confirmed.set(key, { storedAt, version })
    if (stored || (this.#missed.get(key) ?? Infinity) <= version) this.#missed.delete(key)
    if (this.#confirmed.size <= maxConfirmed) return
    for (const oldest of this.#confirmed.keys()) {
      this.#confirmed.delete(oldest)
      return
    }
  }

  isConfirmed(key: string, { storedAt, version }: Kept): boolean {
    const kept = this.#confirmed.get(key)
    return kept !== undefined && kept.version === version && kept.storedAt === storedAt
  }

  /** The tier did not follow a change: what it has up to this version is not to be given. */
  miss(key: string, version: number): void {
    this.#missed.set(key, Math.max(version, this.#missed.get(key) ?? 0))
    if (this.#missed.size <= maxMissed) return
    for (const missed of this.#missed.values()) {
      this.#missedBelow = Math.max(this.#missedBelow, missed)
    }
    this.#missed.clear()
  }

  /** The tier has nothing of the key any more. */
  gone(key: string): void {
    this.#confirmed.delete(key)
    this.#missed.delete(key)
  }

  /** The highest version of the key that should be gone; 0 for none. */
  missedAt(key: string): number {
    return Math.max(this.#missedBelow, this.#missed.get(key) ?? 0)
  }

  /** Keys that are still to be dropped. */
  get missed(): ReadonlyMap<string, number> {
    return this.#missed
  }
}
