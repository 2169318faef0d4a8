import * as Schema from "effect/Schema"

/** A server did not start or did not obey. `log` is the server's own output, if any. */
export class RedisServerError extends Schema.TaggedError<RedisServerError>()("RedisServerError", {
  reason: Schema.Literals(["NotFound", "NotStarted", "NotReached", "Refused", "TooSlow"]),
  detail: Schema.String,
  log: Schema.String,
}) {
  override get message(): string {
    return this.log === "" ? this.detail : `${this.detail}\n${this.log}`
  }
}
