/** What the command and its processes say to each other. */
import { Schema } from "effect"
import { ways } from "./counters.ts"

export const stores = ["memory", "sqlite"] as const
export type Store = (typeof stores)[number]

export const modes = ["count", "drain", "measure"] as const

export const Begin = Schema.Struct({
  way: Schema.Literals(ways),
  store: Schema.Literals(stores),
  mode: Schema.Literals(modes),
  seed: Schema.String,
})

const Measured = Schema.Struct({
  microsPerView: Schema.Finite,
  /** Rows that the source wrote for each view. */
  rowsPerView: Schema.Finite,
})
export type Measured = typeof Measured.Type
export const MeasuredText = Schema.fromJsonString(Measured)

export const Totals = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Finite))

/** How many views a process counts at the same time. */
export const visitors = 8

export const measuredViews = 4_000

const pages = 40

/** A page for a random number: a few are viewed much more often than the others. */
export const pageOf = (random: number): string => `page-${Math.floor(random ** 3 * pages)}`
