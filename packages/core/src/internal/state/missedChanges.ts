/**
 * What the arbiter has not heard of yet. Each change is an object of its own: what has been
 * sent is forgotten only if no other change has taken its place meanwhile.
 */
import type * as Fiber from "effect/Fiber"
import type { FartherTier } from "../tier/backingTier.ts"

/** More keys become one mark: dropping what is in doubt is safe, a queue without a bound is not. */
export const maxKeys = 1_000
/** More tags become one mark as well. */
const maxTags = 1_000

/** A change of a key: what the arbiter has from before it is to go. */
export interface MissedKey {
  /** In monotonic time; -Infinity where `atLeast` says it all. */
  readonly madeAt: number
  /** Its place in the arbiter's order is not below this. */
  readonly atLeast: number
}

/** A mark of a tag, or of everything. */
export interface MissedMark {
  readonly tag: string | undefined
  readonly keepStale: boolean
}

const merged = (one: MissedKey | undefined, other: MissedKey): MissedKey =>
  one === undefined
    ? other
    : {
        madeAt: Math.max(one.madeAt, other.madeAt),
        atLeast: Math.max(one.atLeast, other.atLeast),
      }

export class Missed {
  /** Tiers in front of the arbiter that are to be asked once more. */
  readonly tiers = new Set<FartherTier>()
  /** The replay that runs; one at a time. */
  replay: Fiber.Fiber<void> | undefined
  scheduled = false
  /** Changes that were sent since something was missed. */
  sent = 0
  /** Replays that could not send all, one after the other. */
  failures = 0
  /** Keys became a mark: until it is sent, any key may be one of them. */
  keysForgotten = false
  readonly #keys = new Map<string, MissedKey>()
  readonly #marks = new Map<string | undefined, MissedMark>()

  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#marks.size === 0
  }

  get hasMarks(): boolean {
    return this.#marks.size > 0
  }

  /**
   * After each failure beginning with another key: the one that goes first is the only one that
   * an open breaker lets through, and its part of the tier may be away for longer than others.
   */
  get keys(): ReadonlyArray<readonly [string, MissedKey]> {
    const keys = [...this.#keys]
    const first = this.failures % Math.max(1, keys.length)
    return [...keys.slice(first), ...keys.slice(0, first)]
  }

  get marks(): ReadonlyArray<MissedMark> {
    return [...this.#marks.values()]
  }

  key(k: string): MissedKey | undefined {
    return this.#keys.get(k)
  }

  addKey(k: string, change: MissedKey): void {
    this.#keys.set(k, merged(this.#keys.get(k), change))
    if (this.#keys.size <= maxKeys) return
    this.#keys.clear()
    this.keysForgotten = true
    this.addMarks([undefined], true)
  }

  /** A mark that drops covers what one that keeps would. */
  addMarks(tags: ReadonlyArray<string | undefined>, keepStale: boolean): void {
    for (const tag of tags) {
      const known = this.#marks.get(tag)
      this.#marks.set(tag, { tag, keepStale: keepStale && (known?.keepStale ?? true) })
    }
    if (this.#marks.size <= maxTags) return
    const keepsAll = this.marks.every((mark) => mark.keepStale)
    this.#marks.clear()
    this.#marks.set(undefined, { tag: undefined, keepStale: keepsAll })
  }

  /** The arbiter knows of this change, or of a later one. */
  heardKey(k: string, change: MissedKey | undefined): void {
    if (change !== undefined && this.#keys.get(k) === change) this.#keys.delete(k)
  }

  heardMark(mark: MissedMark): void {
    if (this.#marks.get(mark.tag) !== mark) return
    this.#marks.delete(mark.tag)
    if (mark.tag === undefined) this.keysForgotten = false
  }
}
