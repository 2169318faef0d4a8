/** The value that every contender caches: about 200 bytes as JSON. */
import * as Schema from "effect/Schema"

export const Product = Schema.Struct({
  id: Schema.String,
  number: Schema.Finite,
  name: Schema.String,
  category: Schema.String,
  brand: Schema.String,
  price: Schema.Finite,
  description: Schema.String,
})
