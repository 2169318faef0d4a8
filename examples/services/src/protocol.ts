/** What the command and its processes say to each other: one JSON argument at the start, messages afterwards. */
import { Schema } from "effect"
import { Price } from "./price.ts"
import { Sighting } from "./sighting.ts"
import { ways } from "./way.ts"

const reading = {
  who: Schema.String,
  redisUrl: Schema.String,
  /** Runs over one Redis do not see each other. */
  prefix: Schema.String,
  ids: Schema.Array(Schema.String),
}

export const FollowerBegin = Schema.Struct(reading)

export const OwnerBegin = Schema.Struct({
  ...reading,
  database: Schema.String,
  channel: Schema.String,
  way: Schema.Literals(ways),
  pollMillis: Schema.Finite,
})
export type OwnerBegin = typeof OwnerBegin.Type

/** To the owner. */
export const Asked = Schema.Union([
  /** It opens what it needs, and begins. Its process may have been started long before. */
  Schema.TaggedStruct("Open", {}),
  Schema.TaggedStruct("Change", {
    ticket: Schema.Finite,
    id: Schema.String,
    cents: Schema.Finite,
    heldUpMillis: Schema.Finite,
  }),
])
export type Asked = typeof Asked.Type
export type Change = Extract<Asked, { readonly _tag: "Change" }>

export const Said = Schema.Union([
  /** A follower reads; an owner waits to be opened. */
  Schema.TaggedStruct("Ready", {}),
  Schema.TaggedStruct("Saw", { sighting: Sighting }),
  /** The source has the price. */
  Schema.TaggedStruct("Changed", { ticket: Schema.Finite, price: Price }),
  /** The source had a newer one. */
  Schema.TaggedStruct("Overtaken", { ticket: Schema.Finite }),
  /** Nobody knows whether the source has it. */
  Schema.TaggedStruct("Failed", { ticket: Schema.Finite, why: Schema.String }),
])
export type Said = typeof Said.Type
