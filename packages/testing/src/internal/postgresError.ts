import * as Schema from "effect/Schema"

/**
 * A Postgres server did not start, or there is none. `log` is what it has written.
 *
 * **Example**
 *
 * ```ts
 * import * as PostgresServer from "@larder/testing/PostgresServer"
 * import * as assert from "node:assert"
 *
 * const error = new PostgresServer.PostgresServerError({
 *   reason: "NotFound",
 *   detail: "there is no initdb",
 *   log: "",
 * })
 * assert.strictEqual(error.message, "NotFound: there is no initdb")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class PostgresServerError extends Schema.TaggedError<PostgresServerError>()(
  "PostgresServerError",
  {
    reason: Schema.Literals(["NotFound", "NotStarted"]),
    detail: Schema.String,
    log: Schema.String,
  },
) {
  override get message(): string {
    return `${this.reason}: ${this.detail}${this.log === "" ? "" : `\n${this.log}`}`
  }
}
