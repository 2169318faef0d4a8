/** The value type of the larders here: each value is unique, and records its origin. */
import * as Data from "effect/Data"
import * as Schema from "effect/Schema"

export const Value = Schema.Struct({
  key: Schema.String,
  /** Unique among all values of all rounds. */
  id: Schema.String,
  padding: Schema.String,
})

export interface Value extends Schema.Schema.Type<typeof Value> {}

export class UpstreamDown extends Data.TaggedError("UpstreamDown")<{ readonly key: string }> {}
