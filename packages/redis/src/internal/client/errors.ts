import * as Schema from "effect/Schema"

/**
 * Why a command returned no value:
 *
 * - `Unavailable`: there is no connection. Nothing was sent.
 * - `Timeout`: no answer within `commandTimeout`. The server may have run the command, or may run
 *   it yet.
 * - `Lost`: the connection ended before the answer. The server may have run the command.
 * - `Reply`: Redis refused the command; `code` is the first word of the reply, such as `WRONGTYPE`.
 * - `Closed`: the client's scope is closed.
 * - `Failed`: the function given to `use` threw another error, kept as `cause`.
 *
 * The error never contains a command's arguments or a password.
 *
 * **Example**
 *
 * ```ts
 * import { RedisClient } from "@larder/redis"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const redis = yield* RedisClient.RedisClient
 *   return yield* Effect.flip(redis.use((client) => client.get("greeting")))
 * })
 * // No server listens on port 1.
 * const nowhere = RedisClient.layer({ host: "127.0.0.1", port: 1 })
 * const error = await Effect.runPromise(Effect.provide(program, nowhere))
 * assert.ok(error instanceof RedisClient.RedisClientError)
 * assert.strictEqual(error.reason, "Unavailable")
 * ```
 *
 * @category errors
 * @since 0.1.0
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

/** Nothing was sent, since there is no connection. */
export const notConnected = (connectionError: string | undefined): RedisClientError =>
  make("Unavailable", because(details.Unavailable, connectionError))

const because = (detail: string, connectionError: string | undefined): string =>
  connectionError === undefined || detail.includes(connectionError)
    ? detail
    : `${detail}: ${connectionError}`

/**
 * How ioredis says that no reply will come. Error replies are recognised by their class, whatever
 * their text.
 */
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

/** A server that does not know a command quotes its arguments, and so a key. */
const withoutArguments = (message: string): string =>
  message.replace(/, with args beginning with:.*$/s, "")

/**
 * Converts a rejection of ioredis. Keeps only the message of an ioredis error: the object carries
 * the command with its arguments.
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
        detail: withoutArguments(cause.message),
      })
    case "Failed":
      return new RedisClientError({ reason, code: "", detail: cause.message, cause })
    case "Closed":
      return closed()
    default: {
      // Only this message contains the last node's error.
      const detail = cause.message.startsWith(tooOften) ? cause.message : details[reason]
      return make(reason, because(detail, connectionError))
    }
  }
}
