import * as Schema from "effect/Schema"

/** An option that cannot be meant. `field` is the option; a password is never part of `reason`. */
export class InvalidRedisOptions extends Schema.TaggedError<InvalidRedisOptions>()(
  "InvalidRedisOptions",
  { field: Schema.String, reason: Schema.String },
) {
  override get message(): string {
    return `RedisClient ${this.field}: ${this.reason}`
  }
}

/**
 * Why a command gave no value:
 *
 * - `Unavailable`: there is no connection. Nothing was sent.
 * - `Timeout`: no answer within `commandTimeout`. It may have been done, or be done yet.
 * - `Lost`: the connection ended before the answer. It may have been done.
 * - `Reply`: Redis refused it; `code` is the first word of what it said, such as `WRONGTYPE`.
 * - `Closed`: the client's scope is closed.
 * - `Failed`: the function given to `use` threw something of its own, kept as `cause`.
 *
 * No command's arguments and no password are ever part of it.
 */
export class RedisClientError extends Schema.TaggedError<RedisClientError>()("RedisClientError", {
  reason: Schema.Literals(["Unavailable", "Timeout", "Lost", "Reply", "Closed", "Failed"]),
  /** The first word of an error reply; empty for other reasons. */
  code: Schema.String,
  detail: Schema.String,
  cause: Schema.optional(Schema.Defect()),
}) {
  override get message(): string {
    return `Redis ${this.reason}: ${this.detail}`
  }
}

const make = (
  reason: Exclude<RedisClientError["reason"], "Reply" | "Failed">,
  detail: string,
): RedisClientError => new RedisClientError({ reason, code: "", detail })

export const closed = (): RedisClientError =>
  make(
    "Closed",
    "the client is closed, since the scope of its layer has ended; provide the layer for as long as the client is used, for instance to the whole program",
  )

export const tooLate = (): RedisClientError => make("Timeout", details.Timeout)

export const unavailable = (detail: string): RedisClientError => make("Unavailable", detail)

const tooOften = "Too many Cluster redirections"

const notSent = [
  "Stream isn't writeable",
  "Cluster isn't ready",
  tooOften,
  "Failed to refresh slots cache",
  "None of startup nodes is available",
  "No subscriber for the cluster",
]

const because = (detail: string, connectionError: string | undefined): string =>
  connectionError === undefined || detail.includes(connectionError)
    ? detail
    : `${detail}: ${connectionError}`

/** How ioredis words that an answer will not come. Replies are told by their class, whatever their words. */
const classify = (cause: Error): RedisClientError["reason"] => {
  const { message, name } = cause
  if (name === "ReplyError") return "Reply"
  if (message === "Command timed out") return "Timeout"
  if (notSent.some((words) => message.startsWith(words))) return "Unavailable"
  return name === "MaxRetriesPerRequestError" ||
    name === "AbortError" ||
    message === "Connection is closed."
    ? "Lost"
    : "Failed"
}

const details: Readonly<Record<"Unavailable" | "Timeout" | "Lost", string>> = {
  Unavailable: "not connected",
  Timeout: "no answer in time",
  Lost: "the connection ended before the answer",
}

/**
 * A rejection of ioredis as an error of ours. Of an ioredis error only the words
 * are kept: the object carries the command with its arguments.
 */
export const fromRejection = (
  cause: unknown,
  connectionError: string | undefined,
): RedisClientError => {
  if (cause instanceof RedisClientError) return cause
  if (!(cause instanceof Error)) {
    return new RedisClientError({ reason: "Failed", code: "", detail: String(cause), cause })
  }
  const reason = classify(cause)
  switch (reason) {
    case "Reply":
      return new RedisClientError({
        reason,
        code: cause.message.split(" ", 1)[0] ?? "",
        detail: cause.message,
      })
    case "Failed":
      return new RedisClientError({ reason, code: "", detail: cause.message, cause })
    case "Closed":
      return closed()
    default: {
      // What the last node said is in these words alone.
      const detail = cause.message.startsWith(tooOften) ? cause.message : details[reason]
      return make(reason, because(detail, connectionError))
    }
  }
}
