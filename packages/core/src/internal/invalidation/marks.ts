/**
 * Tag invalidation in O(1). A mark says: entries with this tag, or all entries, that were looked up
 * before now are invalid. Marks are numbered. An entry carries the number of the last mark known when
 * its lookup began (`asOf`), and is compared with the marks when it is read.
 */
import { usable } from "../../Arbitration.ts"
import type { Entry } from "../../Entry.ts"
import type { Mark, MarkPage } from "../../Tier.ts"
import { clockAheadMillis, markLifeMillis, marksPerFlight, maxMarks } from "../runtime/limits.ts"

/** How the marks judge an entry: valid, usable only for stale-if-error, or dropped. */
export type Verdict = "valid" | "stale" | "dropped"

interface Numbered {
  readonly number: number
  readonly at: number
}

/** Marks of one kind, oldest first: a tag that is marked again moves to the end. */
class MarkSet {
  readonly tags = new Map<string, Numbered>()
  everything = 0
  #everythingAt = -Infinity
  /** The highest forgotten number: entries looked up before it may be covered. */
  floor = 0

  /** Says whether the mark is news. */
  set(tag: string | undefined, number: number, now: number): boolean {
    if (number <= (tag === undefined ? this.everything : (this.tags.get(tag)?.number ?? 0))) {
      return false
    }
    if (tag === undefined) {
      this.everything = number
      this.#everythingAt = now
      return true
    }
    this.tags.delete(tag)
    this.tags.set(tag, { number, at: now })
    this.#trim(now)
    return true
  }

  /** Says whether the floor rises. */
  raise(floor: number): boolean {
    if (floor <= this.floor) return false
    this.floor = floor
    return true
  }

  /** The number of the last mark that covers all values with this tag. */
  numberOf(tag: string | undefined): number {
    const own = tag === undefined ? 0 : (this.tags.get(tag)?.number ?? 0)
    return Math.max(own, this.everything)
  }

  /** When this node learned of the last mark that covers one of the tags, or all values. */
  markedAt(tags: ReadonlyArray<string>): number {
    return Math.max(this.#everythingAt, ...tags.map((tag) => this.tags.get(tag)?.at ?? -Infinity))
  }

  above(entry: Entry<unknown>): boolean {
    const { asOf, tags } = entry
    if (asOf < this.floor || this.everything > asOf) return true
    if (this.tags.size === 0) return false
    for (const tag of tags) {
      const mark = this.tags.get(tag)
      if (mark !== undefined && mark.number > asOf) return true
    }
    return false
  }

  #trim(now: number): void {
    for (const [tag, mark] of this.tags) {
      if (this.tags.size <= maxMarks && now - mark.at < markLifeMillis) return
      this.tags.delete(tag)
      this.floor = Math.max(this.floor, mark.number)
    }
  }
}

export class Marks {
  /**
   * Changes with each mark, and when entries must be judged again for another reason. A plain hit costs
   * one comparison with it.
   */
  generation = 0
  #last = 0
  readonly #keeping = new MarkSet()
  readonly #dropping = new MarkSet()
  /** The highest `asOf` seen: another node may have known later marks than this one. */
  #seen = 0
  /** The last number before this node's first own mark. */
  #beforeOwn: number | undefined
  /** All marks of the arbiter up to this number are known. */
  #readUpTo = 0
  /** The arbiter has marks up to this number. */
  #unreadUpTo = 0
  #log: Array<Mark> = []
  #logComplete = true

  /** The number of the last mark. */
  get last(): number {
    return this.#last
  }

  /** From now on, no entry counts as judged: the next read of each judges it again. */
  judgeAgain(): void {
    this.generation += 1
  }

  #advance(number: number): void {
    if (number <= this.#last) return
    this.#last = number
    this.generation += 1
  }

  /** The number of the last mark that covers everything. */
  get everything(): number {
    return Math.max(this.#keeping.everything, this.#dropping.everything)
  }

  get size(): number {
    return this.#keeping.tags.size + this.#dropping.tags.size
  }

  /** The next request to the arbiter asks for marks above this number. */
  get readUpTo(): number {
    return this.#readUpTo
  }

  /** The arbiter has unread marks. */
  get isBehind(): boolean {
    return this.#unreadUpTo > this.#readUpTo
  }

  /** Without an arbiter, marks up to this number are unknown: entries that they may have covered are stale. */
  beginAt(number: number): void {
    this.#keeping.floor = number
    this.#advance(number)
  }

  /** Sets marks; returns their number, which is above `known` and above the `asOf` of any entry seen. */
  add(tags: ReadonlyArray<string | undefined>, keepStale: boolean, now: number, known = 0): number {
    // A damaged `asOf` must not use up the numbers.
    const seen = Math.min(this.#seen, usable((now + clockAheadMillis) * 1000))
    const number = Math.max(this.last, known, seen) + 1
    this.#beforeOwn ??= this.last
    for (const tag of tags) this.#set({ tag, keepStale, number }, now)
    this.#advance(number)
    return number
  }

  /**
   * Merges the arbiter's marks above `since`. If the page is not the last one, later pages may cover
   * entries looked up before the last mark.
   */
  merge(page: MarkPage, since: number, now: number): void {
    for (const mark of page.marks) this.#set(mark, now)
    const rises = [this.#keeping.raise(page.floor), this.#dropping.raise(page.dropFloor)]
    if (rises.includes(true) || page.last > this.#unreadUpTo) this.judgeAgain()
    this.#advance(page.last)
    this.#unreadUpTo = Math.max(this.#unreadUpTo, page.last)
    // Marks between `readUpTo` and `since` are still unread.
    if (since > this.#readUpTo) return
    this.#readUpTo = Math.max(this.#readUpTo, page.next ?? page.last)
  }

  /**
   * The `asOf` by which to judge an unconfirmed entry: at most the number before this node's first own
   * mark. The entry's `asOf` may be above the numbers that this node gave to its own marks while the
   * arbiter was away.
   */
  surelyAfter(asOf: number): number {
    return this.#beforeOwn === undefined ? asOf : Math.min(asOf, this.#beforeOwn)
  }

  judge(entry: Entry<unknown>): Verdict {
    if (entry.asOf > this.#seen) this.#seen = entry.asOf
    if (this.#dropping.above(entry)) return "dropped"
    return this.#keeping.above(entry) || this.#mayBeUnread(entry.asOf) ? "stale" : "valid"
  }

  /** When this node learned of the last mark that covers values with these tags, ms; `-Infinity` for none. */
  markedAt(tags: ReadonlyArray<string>): number {
    return Math.max(this.#keeping.markedAt(tags), this.#dropping.markedAt(tags))
  }

  /**
   * Whether a mark with a number in `(after, upTo]` covers these tags: a lookup that began at `after`
   * may have missed the invalidation, and a caller that arrived at `upTo` came after it.
   */
  fellBetween(tags: ReadonlyArray<string>, after: number, upTo: number): boolean {
    if (upTo <= after) return false
    if (!this.#logComplete || this.#mayBeUnread(after)) return true
    return this.#log.some(
      (mark) =>
        mark.number > after &&
        mark.number <= upTo &&
        (mark.tag === undefined || tags.includes(mark.tag)),
    )
  }

  /** Whether this mark, or a later one that covers as much, is known. */
  has({ keepStale, number, tag }: Mark): boolean {
    const kept = keepStale ? this.#keeping.numberOf(tag) : 0
    return Math.max(kept, this.#dropping.numberOf(tag)) >= number
  }

  /** Forgets the log, which only active flights need. */
  forgetLog(): void {
    if (this.#log.length > 0) this.#log = []
    this.#logComplete = true
  }

  #mayBeUnread(asOf: number): boolean {
    return this.isBehind && asOf < this.#unreadUpTo
  }

  /**
   * A mark may be news though its number is not the highest. Race: its message is late, and this node has
   * numbered marks itself meanwhile, since the arbiter did not answer.
   */
  #set(mark: Mark, now: number): void {
    const marks = mark.keepStale ? this.#keeping : this.#dropping
    if (marks.set(mark.tag, mark.number, now)) this.judgeAgain()
    if (this.#log.length < marksPerFlight) this.#log.push(mark)
    else this.#logComplete = false
  }
}
