/** The rights that a Redis user of a backplane needs: they are enough, and each one is used. */
import { it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { assert } from "vitest"
import * as rights from "../../src/internal/backplaneRights.ts"
import * as RedisBackplane from "../../src/RedisBackplane.ts"
import * as RedisClient from "../../src/RedisClient.ts"
import { connect, until } from "../support/clients.ts"
import { freshName, useServer } from "../support/tiers.ts"
import { nodesOf, useCluster } from "../support/topologies.ts"
import { redisSuite } from "../support/withRedis.ts"

const prefix = "shop"
const login = { username: "app", password: Redacted.make("pw") } as const
const userWith = (rules: string) => ["reset", "on", ">pw", "-@all", ...rules.split(" ")]

/** A larder with memory alone, over a backplane on a client of its own. */
const nodeOn = (redis: RedisClient.Client, name: string) =>
  Effect.gen(function* () {
    const plane = RedisBackplane.layer({ prefix, heartbeat: "100 millis" }).pipe(
      Layer.provide(Layer.succeed(RedisClient.RedisClient, redis)),
    )
    const built = yield* Layer.build(Layer.merge(TierStack.layer(MemoryTier.layer()), plane))
    return yield* Larder.make({
      name,
      upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
      policy: Policy.make({ freshFor: "1 hour", staleIfError: "2 hours" }),
      // Without a right the change is never sent: closing need not wait for it.
      closeTimeout: "100 millis",
    }).pipe(Effect.provideContext(built))
  })

/** Two nodes hear of each other's changes, and their heartbeats come back. */
const heard = (client: Effect.Effect<RedisClient.Client, never, Scope.Scope>) =>
  Effect.gen(function* () {
    const name = freshName()
    const [a, b] = [yield* nodeOn(yield* client, name), yield* nodeOn(yield* client, name)]
    assert.strictEqual((yield* a.stats).backplane, "redis")
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      yield* until(
        Effect.gen(function* () {
          yield* other.refresh("k")
          yield* one.set("k", 2)
          yield* Effect.sleep("20 millis")
          return (yield* other.stats).messagesReceived
        }),
        (count) => count > 0,
      )
    }
    yield* Effect.sleep("500 millis")
    for (const { gaps } of [yield* a.stats, yield* b.stats]) assert.strictEqual(gaps, 0)
  })

redisSuite("the rights of a Redis user of a backplane", () => {
  const { server } = useServer()
  const asUser = (rules: string) =>
    Effect.gen(function* () {
      const { cli, url } = yield* server
      yield* Effect.orDie(cli("ACL", "SETUSER", "app", ...userWith(rules)))
      return yield* Effect.orDie(connect({ url, ...login }))
    })
  const all = rights.rules(prefix, false)

  it.live("those that are listed are enough", () => heard(asUser(all)))

  for (const right of all.split(" ")) {
    it.live(`${right} is used`, () =>
      Effect.gen(function* () {
        const { cli } = yield* server
        const refused = right.replace(/^[+&]/, "").replace(/\*$/, "")
        yield* cli("ACL", "LOG", "RESET")
        const rest = all.split(" ").filter((other) => other !== right)
        const redis = yield* asUser(rest.join(" "))
        const scope = yield* Scope.make()
        const larder = yield* Scope.provide(nodeOn(redis, freshName()), scope)
        yield* larder.set("k", 2)
        // The end of a link is what needs the right: wait for its beginning.
        if (right === "+unsubscribe") {
          yield* until(larder.stats, ({ messagesIgnored }) => messagesIgnored > 0)
        }
        yield* Scope.close(scope, Exit.void)
        yield* until(cli("ACL", "LOG"), (log) => JSON.stringify(log).includes(refused))
      }),
    )
  }
})

redisSuite("the rights of a Redis user of a backplane on a Cluster", () => {
  const { cluster } = useCluster()
  const asUser = (rules: string) =>
    Effect.gen(function* () {
      const { masters } = yield* cluster
      for (const { cli } of masters) {
        yield* Effect.orDie(cli("ACL", "SETUSER", "app", ...userWith(rules)))
      }
      return yield* Effect.orDie(connect({ cluster: { nodes: nodesOf(masters) }, ...login }))
    })

  it.live("those that are listed are enough", () => heard(asUser(rights.rules(prefix, true))))
})
