/**
 * The messages on the channels of a larder, in text but for pushed bytes:
 *
 * ```text
 * 1c version(16) key, which has a value or had none before
 * 1r version(16) key, which has no value any more
 * 1l key, whose lease was returned without a value
 * 1p version(16) bytes of the key(4) key, the envelope that is now stored
 * 1m previous(16) last(16) floor(16) dropFloor(16) kind(1) tags, JSON; null for everything
 * ```
 *
 * The first digits are the format. The release before it had none; its messages are still read.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Tier } from "@larder/core"
import { format } from "../scripts/tell.ts"

const start = /^(\d*)([a-z])/
const longestStart = 16
const changed = /^\d{16}$/
const marked = /^(\d{16})(\d{16})(\d{16})(\d{16})([kd])(.*)$/s

const Tags = Schema.fromJsonString(Schema.Array(Schema.NullOr(Schema.String)))
const decodeTags = Schema.decodeUnknownOption(Tags)

/** The tags of a mark as text. */
export const tagsToText = (tags: ReadonlyArray<string | undefined>): string =>
  JSON.stringify(tags.map((tag) => tag ?? null))

/** The parsed message: `newer` for one of a newer format, `undefined` for anything else unknown. */
export const parse = (bytes: Buffer): Tier.Message | "newer" | undefined => {
  const [whole, number, kind] = start.exec(bytes.toString("latin1", 0, longestStart)) ?? []
  if (whole === undefined) return undefined
  if (Number(number) > format) return "newer"
  const rest = bytes.subarray(whole.length)
  switch (kind) {
    case "c":
    case "r":
      return changeOf(rest, kind === "r")
    case "l":
      return { _tag: "Released", key: rest.toString() }
    case "p":
      return pushOf(rest)
    case "m":
      return markOf(rest.toString())
    default:
      return undefined
  }
}

const changeOf = (bytes: Buffer, isRemoval: boolean): Tier.Message | undefined => {
  const version = bytes.toString("latin1", 0, 16)
  if (!changed.test(version)) return undefined
  return { _tag: "Changed", key: bytes.toString("utf8", 16), version: Number(version), isRemoval }
}

const pushed = /^\d{20}$/

const pushOf = (bytes: Buffer): Tier.Message | undefined => {
  const numbers = bytes.toString("latin1", 0, 20)
  if (!pushed.test(numbers)) return undefined
  const end = 20 + Number(numbers.slice(16))
  if (bytes.length <= end) return undefined
  return {
    _tag: "Changed",
    key: bytes.toString("utf8", 20, end),
    version: Number(numbers.slice(0, 16)),
    isRemoval: false,
    // A copy: the rest of what was read from the socket can go.
    envelope: new Uint8Array(bytes.subarray(end)),
  }
}

const markOf = (text: string): Tier.Message | undefined => {
  const [, previous, last, floor, dropFloor, kind, json] = marked.exec(text) ?? []
  const tags = Option.getOrUndefined(decodeTags(json))
  if (tags === undefined) return undefined
  const number = Number(last)
  const marks = tags.map((tag): Tier.Mark => ({
    tag: tag ?? undefined,
    keepStale: kind === "k",
    number,
  }))
  const page = { last: number, floor: Number(floor), dropFloor: Number(dropFloor), marks }
  return { _tag: "Marked", previous: Number(previous), page }
}
