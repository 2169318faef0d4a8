/** The marks of one larder, as this node reads and sets them. */
import type { Tier } from "@larder/core"
import { Arbitration } from "@larder/core"
import * as Effect from "effect/Effect"
import { shardFor } from "../client/masters.ts"
import type { LarderKeys } from "../keys.ts"
import { markLifeMillis, marksPerPage, maxMarks } from "../limits.ts"
import { count, list, text } from "../replies.ts"
import { mark as markScript, readMarks, type Argument } from "../scripts/run.ts"
import type { Asking } from "../scripts/asking.ts"
import { tagsToText } from "./messages.ts"

export interface Bounds {
  /** The most marks kept. */
  readonly maxMarks: number
  readonly keptMillis: number
  /** The most marks per trip; the server does nothing else meanwhile. */
  readonly pageSize: number
}

export const defaultBounds: Bounds = {
  maxMarks,
  keptMillis: markLifeMillis,
  pageSize: marksPerPage,
}

interface Page extends Tier.MarkPage {
  readonly number: number
  readonly lastDrop: number
  readonly time: number
  /** More marks follow above this number; 0 when there are none. */
  readonly more: number
}

const markOf = (member: unknown, score: unknown): Tier.Mark | undefined => {
  const [name, number] = [text(member), count(score)]
  const [kind, colon] = [name?.[0], name?.[1]]
  if (name === undefined || number === undefined || (kind !== "k" && kind !== "d")) return undefined
  if (colon !== undefined && colon !== ":") return undefined
  return { tag: colon === undefined ? undefined : name.slice(2), keepStale: kind === "k", number }
}

/** Ignores members that this version cannot parse. */
const marksOf = (found: ReadonlyArray<unknown>): ReadonlyArray<Tier.Mark> => {
  const marks: Array<Tier.Mark> = []
  for (let i = 0; i < found.length; i += 2) {
    const mark = markOf(found[i], found[i + 1])
    if (mark !== undefined) marks.push(mark)
  }
  return marks
}

const pageOf = (reply: unknown): Page | undefined => {
  const parts = list(reply)
  const [number, last, floor, dropFloor, lastDrop, time, more] = parts.slice(0, 7).map(count)
  const found = parts[7]
  if (
    number === undefined ||
    last === undefined ||
    floor === undefined ||
    dropFloor === undefined ||
    lastDrop === undefined ||
    time === undefined ||
    more === undefined ||
    !Array.isArray(found)
  ) {
    return undefined
  }
  return { number, last, floor, dropFloor, lastDrop, time, more, marks: marksOf(list(found)) }
}

const memberOf = (tag: string | undefined, kind: "k" | "d"): string =>
  tag === undefined ? kind : `${kind}:${tag}`

const toldOf = ({ dropFloor, floor, last, marks, more }: Page): Tier.MarkPage => ({
  last,
  floor,
  dropFloor,
  marks,
  next: more === 0 ? undefined : Arbitration.usable(more),
})

export class Marks {
  readonly #asking: Asking
  readonly #keys: LarderKeys
  readonly #bounds: Bounds
  /**
   * The highest numbers that Redis has returned here, or told in a message: a lower one means that Redis
   * lost marks.
   */
  #seen = 0
  #seenDrop = 0

  constructor(asking: Asking, keys: LarderKeys, bounds: Bounds) {
    this.#asking = asking
    this.#keys = keys
    this.#bounds = bounds
  }

  readonly marks = (
    since: number,
  ): Effect.Effect<Tier.MarkPage & { readonly time: number }, Tier.TierError> =>
    Effect.map(this.#page(Arbitration.brought(since)), (page) => ({
      ...toldOf(page),
      time: page.time,
    }))

  readonly mark = (
    tags: ReadonlyArray<string | undefined>,
    keepStale: boolean,
    known: number,
  ): Effect.Effect<Tier.MarkPage & { readonly number: number }, Tier.TierError> =>
    Effect.suspend(() => {
      const kind = keepStale ? "k" : "d"
      const { keptMillis, maxMarks } = this.#bounds
      const own = [...new Set(tags)]
      const args = [
        ...this.#pageArgs(Arbitration.brought(known)),
        kind,
        maxMarks,
        keptMillis * 1000,
        this.#keys.channel,
        shardFor(this.#asking.redis.client, this.#keys, undefined),
        tagsToText(own),
        ...own.map((tag) => memberOf(tag, kind)),
      ]
      const asked = this.#asking.change("mark", markScript, this.#both, args, pageOf)
      return Effect.map(this.#seeing(asked), (page) => ({ ...toldOf(page), number: page.number }))
    })

  /** Notes the marks of other nodes: of those that tell of a mark, one may be left when Redis loses it. */
  readonly hear = (message: Tier.Message): void => {
    if (message._tag !== "Marked") return
    for (const { keepStale, number } of message.page.marks) {
      const known = Arbitration.brought(number)
      this.#seen = Math.max(this.#seen, known)
      if (!keepStale) this.#seenDrop = Math.max(this.#seenDrop, known)
    }
  }

  get #both(): ReadonlyArray<string> {
    return [this.#keys.marks, this.#keys.floors]
  }

  #pageArgs(since: number): ReadonlyArray<Argument> {
    return [since, this.#seen, this.#seenDrop, this.#bounds.pageSize]
  }

  #page(since: number): Effect.Effect<Page, Tier.TierError> {
    const asked = Effect.suspend(() =>
      this.#asking.script("marks", readMarks, this.#both, this.#pageArgs(since), pageOf),
    )
    return this.#seeing(this.#asking.heard(this.#both, asked))
  }

  #seeing(asked: Effect.Effect<Page, Tier.TierError>): Effect.Effect<Page, Tier.TierError> {
    return Effect.map(asked, (page) => {
      this.#seen = Math.max(this.#seen, page.last)
      this.#seenDrop = Math.max(this.#seenDrop, page.lastDrop)
      return page
    })
  }
}
