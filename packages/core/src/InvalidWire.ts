import * as Schema from "effect/Schema"

/**
 * An option of a wire that cannot be meant. `field` is the option, `reason`
 * says what was given and what would do; never a key, nor a part of one.
 */
export class InvalidWire extends Schema.TaggedError<InvalidWire>()("InvalidWire", {
  field: Schema.String,
  reason: Schema.String,
}) {
  override get message(): string {
    return `Wire ${this.field}: ${this.reason}`
  }
}
