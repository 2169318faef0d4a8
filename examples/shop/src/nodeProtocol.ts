/** What the demo and the processes of its nodes say to each other: one line of JSON each. */
import { Schema } from "effect"

/** How a node begins: its argument. */
export const Begin = Schema.fromJsonString(
  Schema.Struct({
    catalogue: Schema.String,
    redis: Schema.String,
    prefix: Schema.String,
  }),
)
export type Begin = typeof Begin.Type

/**
 * `watch` begins to read products. `change` tells this node of the new price list. `report` waits
 * until all watched products have their new price. A node answers each command with one line.
 */
export const Command = Schema.Literals(["watch", "change", "report"])
export type Command = typeof Command.Type

/** The two shops of a node. */
export const shopNames = ["TTL cache", "Larder"] as const
export type ShopName = (typeof shopNames)[number]

const Moments = Schema.Struct({
  "TTL cache": Schema.NullOr(Schema.Number),
  Larder: Schema.NullOr(Schema.Number),
})

/**
 * The moments in ms of monotonic time: at which a change had settled, or at which all products had
 * their new price; null for never, and in the answer to `watch`.
 */
export const Answer = Schema.fromJsonString(Moments)
export type Answer = typeof Moments.Type

export const noMoments: Answer = { "TTL cache": null, Larder: null }
