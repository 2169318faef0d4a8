/** What all services know of a price: its schema, and the name of the larder that has it. */
import { Schema } from "effect"

export const Price = Schema.Struct({
  id: Schema.String,
  cents: Schema.Finite,
  /** Rises with every change in the source. A reader that sees it fall sees a price go back. */
  version: Schema.Finite,
})
export type Price = typeof Price.Type

/** Owner, followers and the messages of publishers all say this name. */
export const larderName = "shop/Prices"
