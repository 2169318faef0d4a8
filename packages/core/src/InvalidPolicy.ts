import * as Schema from "effect/Schema"

/**
 * An option that a policy, or its early refresh, cannot use. `field` is the option; `reason` names
 * the valid values and the value given. `InvalidOptions` is the same for all other modules, and
 * says when an error is thrown, returned or a defect.
 */
export class InvalidPolicy extends Schema.TaggedError<InvalidPolicy>()("InvalidPolicy", {
  field: Schema.String,
  reason: Schema.String,
}) {
  override get message(): string {
    return `Policy: ${this.field} ${this.reason}`
  }
}
