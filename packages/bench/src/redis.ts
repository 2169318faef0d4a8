/** The Redis server of a round: started by `main`, known to the round by its environment. */
import * as RedisServer from "@larder/testing/RedisServer"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

const variable = "LARDER_BENCH_REDIS"

/** Its URL, within a round. */
export const redisUrl = (): string =>
  Effect.runSync(Config.String(variable).parse(ConfigProvider.fromEnv()))

export const hasRedis = (): Promise<boolean> =>
  Effect.runPromise(Effect.map(RedisServer.find, (found) => found !== undefined))

export interface Running {
  readonly server: RedisServer.RedisServer
  /** For the rounds. */
  readonly environment: Readonly<Record<string, string>>
  readonly stop: () => Promise<void>
}

/** A server of its own, empty, that keeps nothing on disk. */
export const start = async (): Promise<Running> => {
  const scope = await Effect.runPromise(Scope.make())
  const server = await Effect.runPromise(Scope.provide(RedisServer.start(), scope))
  return {
    server,
    environment: { [variable]: server.url },
    stop: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  }
}
