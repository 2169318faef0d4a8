/**
 * Changes that the arbiter has not got yet. Compared by identity: a change that was sent is
 * forgotten only if no later change has replaced it meanwhile.
 */
import type * as Fiber from "effect/Fiber"
import type { FartherTier } from "../tier/backingTier.ts"
import { missedKeys, missedTags } from "../runtime/limits.ts"

/** A change of a key: the arbiter must drop its older value. */
export interface MissedKey {
  /** When the change was made, in monotonic time; -Infinity where `atLeast` alone counts. */
  readonly madeAt: number
  /** The lowest possible place of the change in the arbiter's order. */
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
  /** Tiers in front of the arbiter with a scheduled retry of drops. */
  readonly tiers = new Set<FartherTier>()
  /** The running replay; one at a time. */
  replay: Fiber.Fiber<void> | undefined
  scheduled = false
  /** Changes sent since the first missed one. */
  sent = 0
  /** Replays in a row that could not send all. */
  failures = 0
  /** Keys were replaced by a mark: until the mark is sent, any key may be a missed one. */
  keysForgotten = false
  readonly #keys = new Map<string, MissedKey>()
  readonly #marks = new Map<string | undefined, MissedMark>()

  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#marks.size === 0
  }

  /** Keys, and marks, that the arbiter has not got. */
  get size(): number {
    return this.#keys.size + this.#marks.size
  }

  get hasMarks(): boolean {
    return this.#marks.size > 0
  }

  /**
   * Rotated after each failed replay: an open breaker lets only the first key through, and the server
   * of that key may be away for longer than others.
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
    if (this.#keys.size <= missedKeys) return
    this.#keys.clear()
    this.keysForgotten = true
    this.addMarks([undefined], true)
  }

  /** A mark that drops replaces a mark of the same tag that keeps stale values. */
  addMarks(tags: ReadonlyArray<string | undefined>, keepStale: boolean): void {
    for (const tag of tags) {
      const known = this.#marks.get(tag)
      this.#marks.set(tag, { tag, keepStale: keepStale && (known?.keepStale ?? true) })
    }
    if (this.#marks.size <= missedTags) return
    const keepsAll = this.marks.every((mark) => mark.keepStale)
    this.#marks.clear()
    this.#marks.set(undefined, { tag: undefined, keepStale: keepsAll })
  }

  /** The arbiter has this change, or a later one. */
  heardKey(k: string, change: MissedKey | undefined): void {
    if (change !== undefined && this.#keys.get(k) === change) this.#keys.delete(k)
  }

  heardMark(mark: MissedMark): void {
    if (this.#marks.get(mark.tag) !== mark) return
    this.#marks.delete(mark.tag)
    if (mark.tag === undefined) this.keysForgotten = false
  }
}
