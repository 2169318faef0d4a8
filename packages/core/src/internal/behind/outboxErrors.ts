/** The errors of an outbox. */
import * as Schema from "effect/Schema"
import { kindOf } from "../runtime/errorKind.ts"

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
 * A write that the outbox cannot keep: the schema refuses its key or its value, or `merge` failed on it.
 * Nothing was kept, and what waited is as it was. `reason` says what is wrong, without the value.
 *
 * **Example**
 *
 * ```ts
 * import { Outbox } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const error = new Outbox.InvalidWrite({
 *   outbox: "app/Prices",
 *   part: "value",
 *   reason: "its value cannot be encoded: expected a finite number",
 * })
 * assert.match(error.message, /expected a finite number/)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidWrite extends Schema.TaggedError<InvalidWrite>()("InvalidWrite", {
  outbox: Schema.String,
  part: Schema.Literals(["key", "value", "merge"]),
  reason: Schema.String,
}) {
  override get message(): string {
    const remedy =
      this.part === "merge"
        ? "let merge return a value of the outbox for any two of them"
        : `put another ${this.part}, or change the ${this.part} schema of the outbox`
    return `${this.outbox}: a write was refused: ${this.reason}; ${remedy}`
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
}) {
  override get message(): string {
    const remedy =
      remedies[kindOf(this.cause)] ?? "once its store answers, call again; `cause` has the details"
    return `${this.outbox}: the outbox failed: ${detailOf(this.cause)}; ${remedy}`
  }
}

/** Of errors that do not pass by themselves. */
const remedies: Readonly<Record<string, string>> = {
  SchemaRefused: "the flusher makes a dead letter of it, and a newer write of the key replaces it",
  MergeFailed: "let merge return a value of the outbox for any two of them",
}

/** Only texts of ours: that of a driver may quote a key or a value. */
const detailOf = (cause: unknown): string =>
  cause instanceof Error && ours.has(kindOf(cause)) ? cause.message : kindOf(cause)

const ours = new Set(["OutboxStoreError", "SchemaRefused", "MergeFailed"])
