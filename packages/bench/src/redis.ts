/**
 * The Redis server of a round: `main` starts it, and the round finds it through its environment.
 */
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
  /** The environment variables of the rounds. */
  readonly environment: Readonly<Record<string, string>>
  readonly stop: () => Promise<void>
}

/** An empty server of its own, without persistence. */
export const start = async (): Promise<Running> => {
  const scope = await Effect.runPromise(Scope.make())
  const server = await Effect.runPromise(Scope.provide(RedisServer.start(), scope))
  return {
    server,
    environment: { [variable]: server.url },
    stop: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  }
}
