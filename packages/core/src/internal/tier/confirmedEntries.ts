/**
 * What can be believed of a tier that does not arbitrate. What it holds although
 * it should have been dropped is as good as gone. And where there is an arbiter
 * behind it, an entry is taken for the present only if this larder kept it in
 * there, having got it from the arbiter or from upstream: anything else may be
 * from before the larder was opened.
 */

import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Entry } from "../../Entry.ts"

/** More are confirmed by the arbiter once more. */
const maxConfirmed = 100_000
/** More are told apart no longer. */
const maxMissed = 1_000

interface Putting {
  count: number
  /** Up to which version the key was dropped meanwhile. */
  dropped: number
  /** Who waits, each for as many ends as puts were under way when it came. */
  readonly waiting: Array<{ left: number; readonly ended: Latch.Latch }>
}

/** By the version alone an entry is not known: while the arbiter is away, each node gives its own. */
type Kept = Pick<Entry<unknown>, "storedAt" | "version">

interface Confirmed extends Kept {
  /** In monotonic time. */
  readonly at: number
}

export class Trust {
  /** What this larder kept there, of each key; the oldest written first. */
  readonly #confirmed = new Map<string, Confirmed>()
  /** Of each key the highest version that should be gone. */
  readonly #missed = new Map<string, number>()
  /** Whatever the key: of this version and below, everything should be gone. */
  #missedBelow = 0
  /** The keys that are being put. */
  readonly #putting = new Map<string, Putting>()

  beginPut(key: string): void {
    const putting = this.#putting.get(key)
    if (putting === undefined) this.#putting.set(key, { count: 1, dropped: 0, waiting: [] })
    else putting.count += 1
  }

  /** Up to which version the key was dropped while it was being put: what was put may have come after that. */
  endPut(key: string): number {
    const putting = this.#putting.get(key)
    if (putting === undefined) return 0
    putting.count -= 1
    if (putting.count === 0) this.#putting.delete(key)
    for (const one of putting.waiting) {
      one.left -= 1
      if (one.left === 0) one.ended.openUnsafe()
    }
    return putting.dropped
  }

  /** Waits for as many puts of the key to end as are under way: for `tierTimeout` at most, however many come later. */
  putsEnded(key: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const putting = this.#putting.get(key)
      if (putting === undefined) return Effect.void
      const ended = Latch.makeUnsafe()
      putting.waiting.push({ left: putting.count, ended })
      return ended.await
    })
  }

  dropping(key: string, version: number): void {
    const putting = this.#putting.get(key)
    if (putting !== undefined) putting.dropped = Math.max(putting.dropped, version)
  }

  /** The larder kept this there; `stored` where it was not there before. `at` is when the arbiter had it. */
  kept(key: string, { storedAt, version }: Kept, stored: boolean, at: number): void {
    this.#confirmed.delete(key)
    this.#confirmed.set(key, { storedAt, version, at })
    if (stored || (this.#missed.get(key) ?? Infinity) <= version) this.#missed.delete(key)
    if (this.#confirmed.size <= maxConfirmed) return
    for (const oldest of this.#confirmed.keys()) {
      this.#confirmed.delete(oldest)
      return
    }
  }

  /** When the arbiter had this, as far as this larder knows, in monotonic time; undefined for never. */
  confirmedAt(key: string, { storedAt, version }: Kept): number | undefined {
    const kept = this.#confirmed.get(key)
    const isThis = kept !== undefined && kept.version === version && kept.storedAt === storedAt
    return isThis ? kept.at : undefined
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

  /** Nothing up to this version is fresh in the tier, and what is being put must not be either. */
  expired(key: string, version: number): void {
    this.dropping(key, version)
    this.#confirmed.delete(key)
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
