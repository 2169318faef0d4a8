import * as Schema from "effect/Schema"

/**
 * An invalid option of a policy or of its early refresh. `field` names the option; `reason` names
 * the valid values and the value given. `InvalidOptions` is the same error for all other modules;
 * its documentation says when an error is thrown, returned or a defect.
 *
 * **Example**
 *
 * ```ts
 * import { Policy } from "@larder/core"
 * import { Result } from "effect"
 * import * as assert from "node:assert"
 *
 * const result = Policy.makeResult({ freshFor: "1 minute", jitter: 2 })
 * assert.ok(Result.isFailure(result))
 * assert.ok(result.failure instanceof Policy.InvalidPolicy)
 * assert.strictEqual(result.failure.field, "jitter")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidPolicy extends Schema.TaggedError<InvalidPolicy>()("InvalidPolicy", {
  field: Schema.String,
  reason: Schema.String,
}) {
  override get message(): string {
    return `Policy: ${this.field} ${this.reason}`
  }
}
