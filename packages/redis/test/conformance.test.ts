import * as RedisServer from "@larder/testing/RedisServer"
import { BackplaneConformance, OutboxConformance, TierConformance } from "@larder/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll } from "vitest"
import * as RedisBackplane from "../src/RedisBackplane.ts"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisOutbox from "../src/RedisOutbox.ts"
import * as RedisTier from "../src/RedisTier.ts"
import { redisSuite } from "./support/withRedis.ts"

/** The tests share a server, or a Cluster, that the suite starts; each has a client of its own. */
const conforms = (
  name: string,
  server: Effect.Effect<RedisClient.Options, RedisServer.RedisServerError, Scope.Scope>,
): void =>
  redisSuite(name, () => {
    const scope = Scope.makeUnsafe()
    let options: RedisClient.Options
    beforeAll(async () => {
      options = await Effect.runPromise(Scope.provide(server, scope))
    }, 60_000)
    afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
    TierConformance.suite({
      name: "the tier",
      time: "real",
      layer: Layer.suspend(() =>
        RedisTier.layer().pipe(
          Layer.provide(RedisClient.layer(options)),
          Layer.provide(Logger.layer([])),
        ),
      ),
    })
    OutboxConformance.suite({
      name: "the outboxes",
      time: "real",
      layer: Layer.suspend(() =>
        RedisOutbox.layer().pipe(
          Layer.provide(RedisClient.layer(options)),
          Layer.provide(Logger.layer([])),
        ),
      ),
    })
    BackplaneConformance.suite({
      name: "the backplane",
      time: "real",
      layer: Layer.suspend(() =>
        RedisBackplane.layer().pipe(
          Layer.provide(RedisClient.layer(options)),
          Layer.provide(Logger.layer([])),
        ),
      ),
    })
  })

conforms(
  "Redis",
  Effect.map(RedisServer.start(), ({ url }) => ({ url })),
)
conforms(
  "Redis Cluster",
  Effect.map(RedisServer.startCluster(), ({ masters }) => ({
    cluster: { nodes: masters.map(({ host, port }) => ({ host, port })) },
  })),
)
