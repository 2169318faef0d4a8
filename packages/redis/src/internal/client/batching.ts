/**
 * Sends the commands of one turn of the event loop together. Each write to a socket is a system
 * call that may wake the server, which costs more than everything else a command does.
 */
import type { Cluster, Redis } from "ioredis"
import * as Effect from "effect/Effect"

interface Corkable {
  readonly cork: () => void
  readonly uncork: () => void
}

const isCorkable = (stream: unknown): stream is Corkable =>
  typeof stream === "object" && stream !== null && "cork" in stream && "uncork" in stream

/**
 * Holds back the client's writes until the other commands of this turn are issued; does nothing for
 * a Cluster.
 */
export const make = (
  client: Redis | Cluster,
  fork: (effect: Effect.Effect<void>) => void,
): (() => void) => {
  let held: Corkable | undefined
  const release = Effect.andThen(
    Effect.yieldNow,
    Effect.sync(() => {
      const stream = held
      held = undefined
      stream?.uncork()
    }),
  )
  return () => {
    if (held !== undefined) return
    const stream: unknown = "stream" in client ? client.stream : undefined
    if (!isCorkable(stream)) return
    held = stream
    stream.cork()
    fork(release)
  }
}
