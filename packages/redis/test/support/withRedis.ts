import { describe } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"

/** Whether this machine has a Redis server that tests can start. */
export const hasRedis: boolean = (await Effect.runPromise(RedisServer.find)) !== undefined

/** A suite that talks to real servers; skipped where there are none, as the run's first line then says. */
export const redisSuite = (name: string, define: () => void): void => {
  describe.skipIf(!hasRedis)(name, define)
}
