/**
 * The messages on the channel of a larder, in text:
 *
 * ```text
 * c version(16) key, which has a value or had none before
 * r version(16) key, which has no value any more
 * m previous(16) last(16) floor(16) dropFloor(16) kind(1) tags, JSON; null for everything
 * ```
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Tier } from "@larder/core"

const changed = /^([cr])(\d{16})(.*)$/s
const marked = /^m(\d{16})(\d{16})(\d{16})(\d{16})([kd])(.*)$/s

const Tags = Schema.fromJsonString(Schema.Array(Schema.NullOr(Schema.String)))
const decodeTags = Schema.decodeUnknownOption(Tags)

/** The tags of a mark as text. */
export const tagsToText = (tags: ReadonlyArray<string | undefined>): string =>
  JSON.stringify(tags.map((tag) => tag ?? null))

/** The parsed message; `undefined` for an unknown text. */
export const parse = (text: string): Tier.Message | undefined => {
  const change = changed.exec(text)
  if (change !== null) {
    const [, kind, version, key = ""] = change
    return { _tag: "Changed", key, version: Number(version), isRemoval: kind === "r" }
  }
  const mark = marked.exec(text)
  if (mark === null) return undefined
  const tags = Option.getOrUndefined(decodeTags(mark[6]))
  if (tags === undefined) return undefined
  const [previous, last, floor, dropFloor] = mark.slice(1, 5).map(Number) as [
    number,
    number,
    number,
    number,
  ]
  const keepStale = mark[5] === "k"
  const marks = tags.map((tag): Tier.Mark => ({ tag: tag ?? undefined, keepStale, number: last }))
  return { _tag: "Marked", previous, page: { last, floor, dropFloor, marks } }
}
