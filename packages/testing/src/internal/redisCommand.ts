/** One command on a connection of its own: it works whatever happened to the server before. */
import * as net from "node:net"
import * as Effect from "effect/Effect"
import { RedisServerError } from "./redisError.ts"
import type { Reply } from "./reply.ts"
import * as resp from "./resp.ts"

export interface Target {
  readonly port: number
  /** The AUTH command, sent first on the same connection. */
  readonly auth: ReadonlyArray<string> | undefined
}

const failed = (reason: RedisServerError["reason"], detail: string) =>
  new RedisServerError({ reason, detail, log: "" })

const exchange = (target: Target, commands: ReadonlyArray<ReadonlyArray<string>>) =>
  Effect.callback<ReadonlyArray<Reply>, RedisServerError>((resume) => {
    const socket = net.connect({ host: "127.0.0.1", port: target.port })
    let received: Buffer = Buffer.alloc(0)
    const give = (result: Effect.Effect<ReadonlyArray<Reply>, RedisServerError>) => {
      socket.destroy()
      resume(result)
    }
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk])
      const replies = resp.parseMany(received, commands.length)
      if (replies !== undefined) give(Effect.succeed(replies))
    })
    socket.on("error", (cause) => {
      give(Effect.fail(failed("NotReached", `127.0.0.1:${target.port}: ${cause.message}`)))
    })
    // A timeout of the socket, not of Effect: this also runs in uninterruptible regions.
    socket.setTimeout(5_000, () => {
      give(Effect.fail(failed("TooSlow", `127.0.0.1:${target.port}: no answer in 5 seconds`)))
    })
    socket.on("close", () => {
      give(
        Effect.fail(
          failed("NotReached", `127.0.0.1:${target.port} closed the connection before its answer`),
        ),
      )
    })
    socket.write(commands.map(resp.encode).join(""))
    return Effect.sync(() => {
      socket.destroy()
    })
  })

const answer = (replies: ReadonlyArray<Reply>, args: ReadonlyArray<string>) => {
  const refused = replies.find(resp.isReplyError)
  return refused === undefined
    ? Effect.succeed(replies.at(-1) ?? null)
    : Effect.fail(failed("Refused", `${args[0] ?? ""}: ${refused.error}`))
}

export const command = (
  target: Target,
  ...args: ReadonlyArray<string>
): Effect.Effect<Reply, RedisServerError> =>
  exchange(target, target.auth === undefined ? [args] : [target.auth, args]).pipe(
    Effect.flatMap((replies) => answer(replies, args)),
  )
