/**
 * "Everything with this tag, or everything, that was looked up before now is
 * invalid", in O(1): marks are numbered, an entry carries the number of the last
 * mark known when its lookup began (`asOf`), and is compared when it is read.
 */
import { usable } from "../../Arbitration.ts"
import type { Entry } from "../../Entry.ts"
import type { Mark, MarkPage } from "../../Tier.ts"

/** What the marks leave of an entry: all of it, its error grace, or nothing. */
export type Verdict = "valid" | "stale" | "dropped"

const maxMarks = 100_000
const maxAgeMillis = 7 * 24 * 60 * 60 * 1000
/** Beyond this many marks during one flight, what they covered is no longer told apart. */
const maxLog = 1_000

/** How far a tier's clock may be ahead of this node's, ms. */
const maxAhead = 24 * 60 * 60 * 1000

interface Numbered {
  readonly number: number
  readonly at: number
}

/** One kind of mark. A tag that is marked again moves to the end, so the front is the oldest. */
class MarkSet {
  readonly tags = new Map<string, Numbered>()
  everything = 0
  /** The highest number forgotten: nothing looked up before it can be told valid. */
  floor = 0

  set(tag: string | undefined, number: number, now: number): void {
    if (tag === undefined) {
      this.everything = Math.max(this.everything, number)
      return
    }
    const known = this.tags.get(tag)
    if (known !== undefined && known.number >= number) return
    this.tags.delete(tag)
    this.tags.set(tag, { number, at: now })
    this.#trim(now)
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
      if (this.tags.size <= maxMarks && now - mark.at < maxAgeMillis) return
      this.tags.delete(tag)
      this.floor = Math.max(this.floor, mark.number)
    }
  }
}

export class Marks {
  /** The number of the last mark; one comparison with it is all a hit pays. */
  last = 0
  readonly #keeping = new MarkSet()
  readonly #dropping = new MarkSet()
  /** The highest `asOf` of an entry: another node may have known of later marks than this one. */
  #seen = 0
  /** The last number before the first mark that this node numbered by itself. */
  #beforeOwn: number | undefined
  /** All marks up to this number that the arbiter has are known. */
  #readUpTo = 0
  /** There are marks up to this number that have not been read yet. */
  #unreadUpTo = 0
  #log: Array<Mark> = []
  #logComplete = true

  /** The number of the last mark that covers everything. */
  get everything(): number {
    return Math.max(this.#keeping.everything, this.#dropping.everything)
  }

  get size(): number {
    return this.#keeping.tags.size + this.#dropping.tags.size
  }

  /** What the arbiter is to be asked for begins above this number. */
  get readUpTo(): number {
    return this.#readUpTo
  }

  /** The arbiter has marks that have not been read yet. */
  get isBehind(): boolean {
    return this.#unreadUpTo > this.#readUpTo
  }

  /** Nobody knows the marks up to this number, no arbiter either: what they may have covered is stale. */
  beginAt(number: number): void {
    this.#keeping.floor = number
    this.last = number
  }

  /** Sets marks with the next number, above `known` and what any entry was looked up after, and gives it. */
  add(tags: ReadonlyArray<string | undefined>, keepStale: boolean, now: number, known = 0): number {
    // A damaged one must not use up the numbers.
    const seen = Math.min(this.#seen, usable((now + maxAhead) * 1000))
    const number = Math.max(this.last, known, seen) + 1
    this.#beforeOwn ??= this.last
    for (const tag of tags) this.#set({ tag, keepStale, number }, now)
    this.last = number
    return number
  }

  /**
   * Takes over the marks above `since` that an arbiter numbered. Where the page is not the
   * last, what was looked up before the number of the last mark may be covered by those to come.
   */
  merge(page: MarkPage, since: number, now: number): void {
    for (const mark of page.marks) this.#set(mark, now)
    this.#keeping.floor = Math.max(this.#keeping.floor, page.floor)
    this.#dropping.floor = Math.max(this.#dropping.floor, page.dropFloor)
    this.last = Math.max(this.last, page.last)
    this.#unreadUpTo = Math.max(this.#unreadUpTo, page.last)
    // What lies between is still to be read.
    if (since > this.#readUpTo) return
    this.#readUpTo = Math.max(this.#readUpTo, page.next ?? page.last)
  }

  /**
   * What an entry that is found in front of the arbiter, and that this node knows
   * nothing of, was looked up after at most: its number may be above those that
   * this node has given to marks of its own while the arbiter was away.
   */
  surelyAfter(asOf: number): number {
    return this.#beforeOwn === undefined ? asOf : Math.min(asOf, this.#beforeOwn)
  }

  judge(entry: Entry<unknown>): Verdict {
    if (entry.asOf > this.#seen) this.#seen = entry.asOf
    if (this.#dropping.above(entry)) return "dropped"
    return this.#keeping.above(entry) || this.#mayBeUnread(entry.asOf) ? "stale" : "valid"
  }

  /**
   * Whether a mark with a number in `(after, upTo]` covers these tags: whether
   * somebody who came at `upTo` asked after an invalidation that a lookup begun
   * at `after` may have missed.
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

  /** Only lookups that are running need the log: called when there are none. */
  forgetLog(): void {
    if (this.#log.length > 0) this.#log = []
    this.#logComplete = true
  }

  #mayBeUnread(asOf: number): boolean {
    return this.isBehind && asOf < this.#unreadUpTo
  }

  #set(mark: Mark, now: number): void {
    const marks = mark.keepStale ? this.#keeping : this.#dropping
    marks.set(mark.tag, mark.number, now)
    if (this.#log.length < maxLog) this.#log.push(mark)
    else this.#logComplete = false
  }
}
