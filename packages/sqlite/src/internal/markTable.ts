/** The marks of one larder in a connection, numbered as an arbiter does. Runs within a transaction. */
import { Arbitration, type Tier } from "@larder/core"
import type { Connection, Row } from "./connection.ts"
import { markLifeMillis, marksPerPage, marksTrimmedPerCall, maxMarks } from "./limits.ts"

interface Numbers {
  readonly last: number
  readonly floor: number
  readonly dropFloor: number
  /** The number of marks. */
  readonly marks: number
}

const numbersOf = (row: Row | undefined): Numbers => ({
  last: Number(row?.["last"] ?? 0),
  floor: Number(row?.["floor"] ?? 0),
  dropFloor: Number(row?.["drop_floor"] ?? 0),
  marks: Number(row?.["marks"] ?? 0),
})

const markOf = (row: Row): Tier.Mark => ({
  tag: row["is_tag"] === 1 ? String(row["tag"]) : undefined,
  keepStale: row["keeps"] === 1,
  number: Number(row["number"]),
})

const pageOf = ({ dropFloor, floor, last }: Numbers, marks: ReadonlyArray<Tier.Mark>) => ({
  last,
  floor,
  dropFloor,
  marks,
})

export class MarkTable {
  readonly #connection: Connection
  readonly #larder: number
  readonly #now: number

  constructor(connection: Connection, larder: number, now: number) {
    this.#connection = connection
    this.#larder = larder
    this.#now = now
  }

  /** The first marks above a number; marks with the same number stay on one page. */
  after(since: number): Tier.MarkPage {
    const numbers = this.#numbers()
    const from = Arbitration.brought(since)
    const found = this.#connection.all("marksAfter", this.#larder, from, marksPerPage).map(markOf)
    const next = found.at(-1)?.number
    if (found.length < marksPerPage || next === undefined) return pageOf(numbers, found)
    const before = found.filter(({ number }) => number < next)
    const tied = this.#connection.all("marksAt", this.#larder, next).map(markOf)
    return { ...pageOf(numbers, [...before, ...tied]), next }
  }

  get last(): number {
    return this.#numbers().last
  }

  /** Sets marks with the next number; returns the previous number as well. */
  add(
    tags: ReadonlyArray<string | undefined>,
    keepStale: boolean,
    known: number,
  ): { readonly previous: number; readonly number: number; readonly page: Tier.MarkPage } {
    this.#connection.stamp()
    const before = this.#numbers()
    const number = Arbitration.nextNumber(this.#now, before.last, Arbitration.brought(known))
    let { marks } = before
    const keeps = keepStale ? 1 : 0
    for (const tag of new Set(tags)) {
      const identity = [this.#larder, keeps, tag === undefined ? 0 : 1, tag ?? ""]
      if (this.#connection.get("hasMark", ...identity) === undefined) marks += 1
      this.#connection.run("setMark", ...identity, number, this.#now)
    }
    const numbers = this.#trim({ ...before, last: number, marks })
    this.#keep(numbers)
    const own = Array.from(new Set(tags), (tag): Tier.Mark => ({ tag, keepStale, number }))
    return { previous: before.last, number, page: pageOf(numbers, own) }
  }

  #numbers(): Numbers {
    const numbers = numbersOf(this.#connection.get("numbers", this.#larder))
    const { dropFloor, floor, last } = numbers
    const isSound = [last, floor, dropFloor].every(
      (number) => Arbitration.usable(number) === number,
    )
    return isSound ? numbers : this.#begunAnew(numbers)
  }

  /** Numbers out of range cannot be ordered: forgets all marks and raises the floors. */
  #begunAnew(damaged: Numbers): Numbers {
    const { dropFloor, floor, last } = damaged
    const first = Arbitration.nextNumber(this.#now, last, floor, dropFloor)
    const numbers = { last: first, floor: first, dropFloor: first, marks: 0 }
    this.#connection.run("removeMarks", this.#larder)
    this.#keep(numbers)
    return numbers
  }

  #keep({ dropFloor, floor, last, marks }: Numbers): void {
    this.#connection.run("setNumbers", last, floor, dropFloor, marks, this.#larder)
  }

  /**
   * Raises the floors to the highest number *removed*: everything a forgotten mark covered has a
   * lower `asOf`.
   */
  #trim(numbers: Numbers): Numbers {
    let { dropFloor, floor, marks } = numbers
    for (const row of this.#connection.all("oldestMarks", this.#larder, marksTrimmedPerCall)) {
      const { keepStale, number, tag } = markOf(row)
      if (marks <= maxMarks && this.#now - Number(row["at"]) < markLifeMillis) break
      this.#connection.run(
        "removeMark",
        this.#larder,
        keepStale ? 1 : 0,
        tag === undefined ? 0 : 1,
        tag ?? "",
      )
      marks -= 1
      floor = Math.max(floor, number)
      if (!keepStale) dropFloor = Math.max(dropFloor, number)
    }
    return { ...numbers, floor, dropFloor, marks }
  }
}
