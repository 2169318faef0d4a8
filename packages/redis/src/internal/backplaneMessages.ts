/**
 * The messages of a backplane as text: the number of the format, then JSON. A message of a newer format
 * has a higher number, whatever follows it.
 */
import type { Backplane } from "@larder/core"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const format = 1
const parts = /^(\d{1,9})([^\d].*)$/s

const Version = Schema.optional(Schema.Int)

const Wire = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({
      node: Schema.String,
      key: Schema.String,
      isRemoval: Schema.Boolean,
      version: Version,
    }),
    Schema.Struct({
      node: Schema.String,
      /** Null stands for every value. */
      tags: Schema.Array(Schema.NullOr(Schema.String)),
      keepStale: Schema.Boolean,
      number: Version,
    }),
  ]),
)

const decode = Schema.decodeUnknownOption(Wire)

export const toText = (message: Backplane.Message): string => {
  const { _tag, ...fields } = message
  const json =
    "tags" in fields ? { ...fields, tags: fields.tags.map((tag) => tag ?? null) } : fields
  return `${format}${JSON.stringify(json)}`
}

/** The message; `"newer"` for one of a newer format, `undefined` for a foreign text. */
export const parse = (text: string): Backplane.Message | "newer" | undefined => {
  const [, number, json] = parts.exec(text) ?? []
  if (number === undefined) return undefined
  if (Number(number) > format) return "newer"
  return Option.getOrUndefined(
    Option.map(decode(json), (fields): Backplane.Message =>
      "tags" in fields
        ? { _tag: "Marked", ...fields, tags: fields.tags.map((tag) => tag ?? undefined) }
        : { _tag: "Changed", ...fields },
    ),
  )
}
