/** Laws 14 and 15 on a Cluster: a master that is away costs its own keys, and comes back by itself. */
import { it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert } from "vitest"
import { slotOf } from "../src/internal/keySlot.ts"
import { escape } from "../src/internal/keys.ts"
import { connect, until } from "./support/clients.ts"
import { counting, node } from "./support/nodes.ts"
import { connectCluster, nodesOf, range } from "./support/topologies.ts"
import { redisSuite } from "./support/withRedis.ts"

/** Each has servers of its own, and mostly waits for them. */
const together = { timeout: 60_000, concurrent: true }

const startCluster = RedisServer.startCluster({
  config: { "cluster-require-full-coverage": "no" },
})

/** Keys by the master that has them. */
const keysOf = (cluster: RedisServer.RedisCluster, count: number) =>
  Effect.gen(function* () {
    const of = new Map<RedisServer.RedisServer, Array<string>>()
    for (const master of cluster.masters) of.set(master, [])
    for (let i = 0; [...of.values()].some(({ length }) => length < count); i++) {
      const keys = of.get(yield* cluster.ownerOf(slotOf(`k${i}`)))
      if (keys !== undefined && keys.length < count) keys.push(`k${i}`)
    }
    return of
  })

/** The name of a larder whose marks are on this master. */
const markedOn = (cluster: RedisServer.RedisCluster, master: RedisServer.RedisServer) =>
  Effect.gen(function* () {
    for (let i = 0; ; i++) {
      if ((yield* cluster.ownerOf(slotOf(escape(`larder ${i}`)))) === master) return `larder ${i}`
    }
  })

const policy = { tierTimeout: "300 millis", tierBudget: "600 millis" } as const

/** How a master is lost, and comes back. */
const ways = [
  [
    "killed",
    (master: RedisServer.RedisServer) => master.kill(),
    (master: RedisServer.RedisServer) => master.restart(),
  ],
  [
    "frozen",
    (master: RedisServer.RedisServer) => master.freeze,
    (master: RedisServer.RedisServer) => master.thaw,
  ],
] as const

redisSuite("a Cluster that loses a master", () => {
  it.live(
    "law 14: a node that starts while a master is frozen reads from the others at once",
    () =>
      Effect.gen(function* () {
        const cluster = yield* startCluster
        const [kept, , lost] = cluster.masters
        const live = (yield* keysOf(cluster, 20)).get(kept!)!
        const source = counting()
        const options = { name: yield* markedOn(cluster, kept!), lookup: source.lookup, policy }
        const writer = yield* node(yield* connectCluster(cluster), options)
        for (const key of live) assert.isTrue((yield* writer.set(key, "stored")).settled)
        yield* lost!.freeze
        // Many: which node ioredis asks first is chance.
        for (const _ of range(4)) {
          const redis = yield* Effect.orDie(
            connect({ cluster: { nodes: nodesOf(cluster.masters) }, commandTimeout: "1 second" }),
          )
          const larder = yield* node(redis, options)
          const found = yield* until(larder.get(live[0]!), (value) => value === "stored")
          assert.isBelow(found, 1_500)
          assert.strictEqual(yield* redis.state, "ready")
        }
        yield* lost!.thaw
      }).pipe(Effect.scoped),
    together,
  )

  for (const [how, lose, giveBack] of ways) {
    it.live(
      `laws 14 and 15: one that is ${how} costs its own keys; back, it is used again`,
      () =>
        Effect.gen(function* () {
          const cluster = yield* startCluster
          const [kept, other, lost] = cluster.masters as [
            RedisServer.RedisServer,
            RedisServer.RedisServer,
            RedisServer.RedisServer,
          ]
          const of = yield* keysOf(cluster, 50)
          const live = [...of.get(kept)!, ...of.get(other)!]
          const gone = of.get(lost)!.slice(0, 20)
          const name = yield* markedOn(cluster, kept)
          const source = counting()
          const options = { name, lookup: source.lookup, policy }
          const writer = yield* node(yield* connectCluster(cluster), options)
          for (const key of [...live, ...gone])
            assert.isTrue((yield* writer.set(key, "stored")).settled)
          const larder = yield* node(yield* connectCluster(cluster), { ...options, memory: false })
          yield* larder.get(live[0]!)
          yield* lose(lost)
          // One unsettled change is waiting to be replayed all the time.
          assert.isFalse((yield* larder.remove(gone[0]!)).settled)
          const found = yield* larder.getMany([...live, ...gone])
          for (const key of live) assert.deepStrictEqual(found.get(key), Exit.succeed("stored"))
          for (const key of gone) assert.deepStrictEqual(found.get(key), Exit.succeed(`of ${key}`))
          for (const key of gone.slice(0, 10)) assert.isFalse((yield* larder.set(key, "v")).settled)
          for (const key of [...live, ...live]) assert.strictEqual(yield* larder.get(key), "stored")
          // They arrive; settled speaks of all changes of this node, and some wait for the lost master.
          for (const key of live.slice(0, 10))
            assert.isFalse((yield* larder.set(key, "set")).settled)
          assert.isFalse((yield* larder.invalidateTags(["unused"])).settled)
          for (const key of live.slice(0, 10)) assert.strictEqual(yield* larder.get(key), "set")
          for (const key of live) assert.strictEqual(source.of(key), 0)
          yield* giveBack(lost)
          // A connection that is made anew closes the breaker; one that was frozen tells nothing,
          // and is found by the breaker's own probe, every 5 seconds.
          const back = yield* until(larder.set(gone[1]!, "new"), ({ settled }) => settled)
          assert.isBelow(back, how === "killed" ? 4_500 : 7_000)
          yield* until(larder.get(gone[0]!), (value) => value === `of ${gone[0]}`)
        }).pipe(Effect.scoped),
      together,
    )
  }

  it.live(
    "law 14: reads go on while the master of the marks is away, and own invalidations hold",
    () =>
      Effect.gen(function* () {
        const cluster = yield* startCluster
        const [kept, , lost] = cluster.masters
        const of = yield* keysOf(cluster, 20)
        const live = of.get(kept!)!
        const source = counting()
        const options = {
          name: yield* markedOn(cluster, lost!),
          lookup: source.lookup,
          policy,
          tags: (_: string, key: string) => [key],
        }
        const writer = yield* node(yield* connectCluster(cluster), options)
        for (const key of live) assert.isTrue((yield* writer.set(key, "stored")).settled)
        const larder = yield* node(yield* connectCluster(cluster), { ...options, memory: false })
        yield* larder.get(live[0]!)
        yield* lost!.freeze
        for (const _ of range(8)) assert.isFalse((yield* larder.invalidateTags([live[1]!])).settled)
        // The marks are older than they may be by now.
        yield* Effect.sleep("5100 millis")
        for (const key of live.slice(2)) assert.strictEqual(yield* larder.get(key), "stored")
        assert.strictEqual(yield* larder.get(live[1]!), `of ${live[1]}`)
        yield* lost!.thaw
        yield* until(larder.invalidateTags([live[2]!]), ({ settled }) => settled)
        assert.strictEqual(yield* larder.get(live[2]!), `of ${live[2]}`)
        assert.strictEqual(yield* larder.get(live[3]!), "stored")
      }).pipe(Effect.scoped),
    together,
  )
})
