import * as Schema from "effect/Schema"

/**
 * A server could not be started or did not do as it was told. `log` is what the
 * server itself wrote, as far as there is any.
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
