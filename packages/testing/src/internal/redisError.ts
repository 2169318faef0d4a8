import * as Schema from "effect/Schema"

/**
 * A server did not start or did not obey. `log` is the server's own output, if any.
 *
 * **Example**
 *
 * ```ts
 * import * as RedisServer from "@larder/testing/RedisServer"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const server = yield* RedisServer.start()
 *   return yield* Effect.flip(server.cli("NO-SUCH-COMMAND"))
 * })
 * const error = await Effect.runPromise(Effect.scoped(program))
 * assert.ok(error instanceof RedisServer.RedisServerError)
 * assert.strictEqual(error.reason, "Refused")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class RedisServerError extends Schema.TaggedError<RedisServerError>()("RedisServerError", {
  reason: Schema.Literals(["NotFound", "NotStarted", "NotReached", "Refused", "TooSlow"]),
  detail: Schema.String,
  log: Schema.String,
}) {
  override get message(): string {
    return this.log === "" ? this.detail : `${this.detail}\n${this.log}`
  }
}
