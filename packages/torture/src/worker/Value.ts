/** What larders keep here: each value is made once, and says where. */
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
