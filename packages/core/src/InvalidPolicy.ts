import * as Schema from "effect/Schema"

/**
 * A policy, or a part of one, that cannot be meant. `field` is the option,
 * `reason` says what was given and what would do.
 */
export class InvalidPolicy extends Schema.TaggedError<InvalidPolicy>()("InvalidPolicy", {
  field: Schema.String,
  reason: Schema.String,
}) {
  override get message(): string {
    return `Policy ${this.field}: ${this.reason}`
  }
}
