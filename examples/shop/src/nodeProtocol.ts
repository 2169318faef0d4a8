/** What the demo and the processes of its nodes say to each other: one line of JSON each. */
import { Schema } from "effect"

/** How a node begins: its argument. */
export const Begin = Schema.fromJsonString(
  Schema.Struct({
    catalogue: Schema.String,
    redis: Schema.String,
    prefix: Schema.String,
    /** The most products in the memory of a shop. */
    capacity: Schema.Int,
    /** The port at which the node serves its metrics, 0 for a free one; null for none. */
    metrics: Schema.NullOr(Schema.Int),
  }),
)
export type Begin = typeof Begin.Type

/** The first line of a node, once it answers commands: the address of its metrics. */
export const Ready = Schema.fromJsonString(Schema.Struct({ metrics: Schema.NullOr(Schema.String) }))
export type Ready = typeof Ready.Type

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
