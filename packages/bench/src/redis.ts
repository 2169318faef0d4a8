/** Real Redis servers, each for one round alone. */
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"

export const hasRedis = (): Promise<boolean> =>
  Effect.runPromise(Effect.map(RedisServer.find, (found) => found !== undefined))

/** Starts an empty server without persistence, and stops it when `use` has ended. */
export const withServer = <A>(use: (server: RedisServer.RedisServer) => Promise<A>): Promise<A> =>
  RedisServer.start().pipe(
    Effect.andThen((server) => Effect.promise(() => use(server))),
    Effect.scoped,
    Effect.runPromise,
  )
