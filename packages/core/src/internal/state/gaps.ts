/**
 * The gaps of one node: moments before which it may have missed messages about changes by other
 * nodes. An entry that the node got before a gap is suspect, until the arbiter has confirmed it.
 */
import type { MemoryEntry } from "../../Tier.ts"
import type { Marks } from "../invalidation/marks.ts"

export class Gaps {
  readonly #marks: Marks
  readonly #partOf: (key: string) => string
  /** The number of the last gap of all servers. */
  #whole = 0
  /** When it was found, in monotonic time. */
  #wholeAt = -Infinity
  /** The number of the last gap of each server. */
  readonly #ofPart = new Map<string, { readonly count: number; readonly at: number }>()
  #count = 0
  /** False where no entry in memory can be suspect. */
  #mayHaveSuspects = false

  /** `partOf`: the server of the arbiter that publishes the changes of a key. */
  constructor(marks: Marks, partOf: (key: string) => string) {
    this.#marks = marks
    this.#partOf = partOf
  }

  /** How many gaps there have been. An entry is suspect if a gap of its server came after it. */
  get count(): number {
    return this.#count
  }

  /** An entry that memory has, or stores, is suspect. */
  suspected(): void {
    this.#mayHaveSuspects = true
  }

  /** From `at` on, entries from before are suspect: those of one server, or, for `undefined`, all. */
  begin(part: string | undefined, at: number): void {
    this.#count += 1
    this.#mayHaveSuspects = true
    if (part === undefined) {
      this.#whole = this.#count
      this.#wholeAt = at
    } else this.#ofPart.set(part, { count: this.#count, at })
    this.#marks.judgeAgain()
  }

  /** When the last gap of the key's server was found, in monotonic time. */
  lastAt(key: string): number {
    if (this.#count === 0) return -Infinity
    return Math.max(this.#wholeAt, this.#ofPart.get(this.#partOf(key))?.at ?? -Infinity)
  }

  /** How many of these entries are suspect. Takes time in proportion to their number. */
  countSuspects(entries: Iterable<MemoryEntry>): number {
    // Of a healthy node no scrape looks at the entries.
    if (!this.#mayHaveSuspects) return 0
    let count = 0
    for (const { gapsBefore, key } of entries) if (this.isSuspect(key, gapsBefore)) count += 1
    this.#mayHaveSuspects = count > 0
    return count
  }

  /** Whether a change of the key may have been missed since there were `gapsBefore` gaps. */
  isSuspect(key: string, gapsBefore: number): boolean {
    if (gapsBefore >= this.#count) return false
    if (gapsBefore < this.#whole) return true
    return gapsBefore < (this.#ofPart.get(this.#partOf(key))?.count ?? 0)
  }
}
