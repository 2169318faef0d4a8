/**
 * The marks of one larder at an arbiter, in the order of their numbers. A tag that is marked again
 * moves to the end.
 */
import type { Mark, MarkPage } from "../../Tier.ts"
import { brought, nextNumber } from "../../Arbitration.ts"
import { markLifeMillis } from "../runtime/limits.ts"

interface Logged {
  readonly mark: Mark
  readonly at: number
}

/** The id of a mark: a tag has at most one mark of each kind. No tag has the id of a mark of everything. */
const idOf = ({ keepStale, tag }: Mark): string =>
  (keepStale ? "keep" : "drop") + (tag === undefined ? "" : `:${tag}`)

export class MarkLog {
  /** Marks, ascending by number. A mark that a later one of its tag replaced stays until compaction. */
  #log: Array<Logged> = []
  /** The index of the first mark that is not forgotten. */
  #head = 0
  #current = new Map<string, Logged>()
  readonly #capacity: number
  #last: number
  #floor: number
  #dropFloor = 0

  /**
   * A new log does not know earlier marks, so its floor is its beginning: entries looked up before
   * that are no longer fresh.
   */
  constructor(now: number, capacity: number) {
    this.#capacity = capacity
    this.#last = nextNumber(now)
    this.#floor = this.#last
  }

  get size(): number {
    return this.#current.size
  }

  /** The number of marks in memory, replaced ones included. */
  get logged(): number {
    return this.#log.length
  }

  /** Sets marks with the next number; returns the previous number too. */
  add(
    tags: ReadonlyArray<string | undefined>,
    keepStale: boolean,
    known: number,
    now: number,
  ): { readonly previous: number; readonly number: number; readonly page: MarkPage } {
    const previous = this.#last
    const number = nextNumber(now, previous, brought(known))
    const marks = Array.from(new Set(tags), (tag): Mark => ({ tag, keepStale, number }))
    for (const mark of marks) {
      const logged = { mark, at: now }
      this.#log.push(logged)
      this.#current.set(idOf(mark), logged)
    }
    this.#last = number
    this.#trim(now)
    return { previous, number, page: this.#page(marks) }
  }

  /** A log of its own with the same marks and floors. */
  copied(now: number): MarkLog {
    const copy = new MarkLog(now, this.#capacity)
    copy.#log = this.#log.slice(this.#head)
    copy.#current = new Map(this.#current)
    copy.#last = this.#last
    copy.#floor = this.#floor
    copy.#dropFloor = this.#dropFloor
    return copy
  }

  /**
   * Marks up to this number were set, and some of them may be lost: entries that they may have covered
   * are no longer fresh, or gone where one of them may have dropped stale values.
   */
  lostUpTo(number: number, drops: boolean): void {
    this.#last = Math.max(this.#last, number)
    this.#floor = Math.max(this.#floor, number)
    if (drops) this.#dropFloor = Math.max(this.#dropFloor, number)
  }

  /** The marks above the number `since`: about `most`, since a page does not split marks of one number. */
  after(since: number, now: number, most = Infinity): MarkPage {
    this.#trim(now)
    const marks: Array<Mark> = []
    for (let i = this.#firstAbove(brought(since)); i < this.#log.length; i++) {
      const logged = this.#log[i]!
      const before = marks.at(-1)?.number
      if (marks.length >= most && before !== undefined && logged.mark.number > before) {
        return this.#page(marks, before)
      }
      if (this.#isCurrent(logged)) marks.push(logged.mark)
    }
    return this.#page(marks)
  }

  #page(marks: ReadonlyArray<Mark>, next?: number): MarkPage {
    const page = { last: this.#last, floor: this.#floor, dropFloor: this.#dropFloor, marks }
    return next === undefined ? page : { ...page, next }
  }

  get last(): number {
    return this.#last
  }

  #isCurrent(logged: Logged): boolean {
    return this.#current.get(idOf(logged.mark)) === logged
  }

  #firstAbove(number: number): number {
    let low = this.#head
    let high = this.#log.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#log[middle]!.mark.number > number) high = middle
      else low = middle + 1
    }
    return low
  }

  /**
   * Forgets old marks. The floors rise to the highest number *removed*: every entry that a forgotten
   * mark covered has a lower `asOf`. A floor by time would invalidate more than the marks did.
   */
  #trim(now: number): void {
    for (let oldest = this.#log[this.#head]; oldest; oldest = this.#log[++this.#head]) {
      if (!this.#isCurrent(oldest)) continue
      if (this.#current.size <= this.#capacity && now - oldest.at < markLifeMillis) break
      this.#forget(oldest.mark)
    }
    this.#compact()
  }

  // O(length of the log), so it runs only when half of the log is dead.
  #compact(): void {
    if (this.#log.length <= 2 * this.#current.size + 16) return
    this.#log = this.#log.slice(this.#head).filter((logged) => this.#isCurrent(logged))
    this.#head = 0
  }

  #forget(mark: Mark): void {
    this.#current.delete(idOf(mark))
    this.#floor = Math.max(this.#floor, mark.number)
    if (!mark.keepStale) this.#dropFloor = Math.max(this.#dropFloor, mark.number)
  }
}
