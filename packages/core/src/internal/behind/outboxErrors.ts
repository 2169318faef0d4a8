/** The errors of an outbox. */
import * as Schema from "effect/Schema"

/**
 * The outbox has as many keys as it may have, and a write was for another one. Nothing was kept.
 *
 * **Example**
 *
 * ```ts
 * import { Outbox } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const error = new Outbox.OutboxFull({ outbox: "app/Prices", limit: 10_000 })
 * assert.match(error.message, /10000 keys/)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class OutboxFull extends Schema.TaggedError<OutboxFull>()("OutboxFull", {
  outbox: Schema.String,
  /** The most keys. */
  limit: Schema.Finite,
}) {
  override get message(): string {
    return `${this.outbox}: ${this.limit} keys wait to be written, are being written or are dead letters; raise maxPending, or see to the source or the dead letters`
  }
}

/**
 * The outbox did not answer, or what it holds could not be read.
 *
 * **Gotchas**
 *
 * After a write it is unknown whether the outbox has it.
 *
 * **Example**
 *
 * ```ts
 * import { Outbox } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const cause = new Error("the disk is full")
 * const error = new Outbox.OutboxFailed({ outbox: "app/Prices", cause })
 * assert.strictEqual(error._tag, "OutboxFailed")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class OutboxFailed extends Schema.TaggedError<OutboxFailed>()("OutboxFailed", {
  outbox: Schema.String,
  cause: Schema.Defect(),
}) {}
