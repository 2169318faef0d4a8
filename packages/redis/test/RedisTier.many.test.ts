/** Law 7 for thousands of keys in one call: looked up under lease, stored for other nodes, in few trips. */
import { it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, type Tier, TierStack, Upstream } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import type { Cluster, Redis } from "ioredis"
import { assert } from "vitest"
import { slotOf } from "../src/internal/keySlot.ts"
import * as scripts from "../src/internal/scripts/run.ts"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisTier from "../src/RedisTier.ts"
import { connect, until } from "./support/clients.ts"
import { sent } from "./support/nodes.ts"
import { envelope, freshName, leaseMillis, life, openOn, useServer } from "./support/tiers.ts"
import { keysIn, range, useCluster } from "./support/topologies.ts"
import { redisSuite } from "./support/withRedis.ts"

const keysOf = (count: number) => range(count).map((i) => `k${i}`)

interface Asked {
  one: number
  calls: Array<number>
}

/** A larder on a client, and its requests to upstream. */
const join = (
  redis: RedisClient.Client,
  name: string,
  policy: Partial<Policy.Options> = {},
  bulk = true,
) =>
  Effect.gen(function* () {
    const tier: Layer.Layer<Tier.Tier> = RedisTier.layer().pipe(
      Layer.provide(Layer.succeed(RedisClient.RedisClient, redis)),
      Layer.provide(Logger.layer([])),
    )
    const stack = yield* Layer.build(TierStack.layer(MemoryTier.layer(), tier))
    const asked: Asked = { one: 0, calls: [] }
    const larder = yield* Larder.make({
      name,
      value: Schema.String,
      upstream: Upstream.make({
        lookup: (key: string) => Effect.sync(() => ((asked.one += 1), key)),
        lookupMany: bulk
          ? (keys) =>
              Effect.sync(() => {
                asked.calls.push(keys.length)
                return new Map(keys.map((key) => [key, key]))
              })
          : undefined,
      }),
      policy: Policy.make({ freshFor: "10 minutes", tierTimeout: "1 second", ...policy }),
    }).pipe(Effect.provide(stack))
    yield* larder.get("warm")
    asked.one = 0
    return { larder, asked }
  })

const stateOf = (larder: { readonly stats: Larder.Larder<string, string>["stats"] }) =>
  Effect.map(larder.stats, ({ breakers }) => Object.values(breakers))

/** What this thread has worked so far, in ms: not what it waited for on a machine that is busy. */
const worked = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1000
}

/** How long each turn of the event loop works while the effect runs, in ms, the longest first. */
const turnsOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    let last = worked()
    const turns: Array<number> = []
    let isOver = false
    const turn = () => {
      const now = worked()
      turns.push(now - last)
      last = now
      if (!isOver) setImmediate(turn)
    }
    setImmediate(turn)
    yield* effect
    isOver = true
    return turns.toSorted((a, b) => b - a)
  })

/** Waits until all of these keys have a value in Redis. */
const stored = (redis: RedisClient.Client, larder: string, keys: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { store } = yield* openOn(redis, { larder })
    const missing = Effect.map(store.read(keys), (found) => found.filter((one) => !one).length)
    yield* until(missing, (count) => count === 0)
  })

/** How often this process writes to the socket of each server from now on. */
const writesTo = (servers: ReadonlyArray<Redis>) => {
  const writes = servers.map(() => 0)
  const marks = { read: 0 }
  for (const [i, { stream }] of servers.entries()) {
    const write = stream.write.bind(stream) as (...args: ReadonlyArray<unknown>) => boolean
    stream.write = ((...args: ReadonlyArray<unknown>) => {
      const bytes = String(args[0])
      if (bytes.includes(scripts.readMarks.sha)) marks.read += 1
      // Heartbeats are nobody's trips.
      else if (!/ping|publish/i.test(bytes.slice(0, 25))) writes[i]! += 1
      return write(...args)
    }) as typeof stream.write
  }
  return { writes, marks }
}

redisSuite("many keys at once", () => {
  const { server } = useServer()
  // A busy machine is no reason to give a connection up.
  const client = Effect.flatMap(server, ({ url }) =>
    connect({ url, commandTimeout: "5 seconds", heartbeat: "5 seconds" }),
  )

  for (const bulk of [true, false]) {
    const how = bulk ? "by bulk lookups" : "one by one"
    it.live(
      `laws 7, 14: 20,000 cold keys that are looked up ${how} are stored for other nodes, and open no breaker`,
      () =>
        Effect.gen(function* () {
          const redis = yield* client
          const name = freshName()
          const keys = keysOf(20_000)
          // Less than so many leases take when each is asked for by itself.
          const policy = { tierTimeout: "1 second", tierBudget: "1 second" } as const
          const a = yield* join(redis, name, policy, bulk)
          const found = yield* a.larder.getMany(keys)
          assert.deepStrictEqual([...found.keys()], keys)
          assert.deepStrictEqual(yield* stateOf(a.larder), ["Closed"])
          yield* stored(redis, name, keys)
          const b = yield* join(yield* client, name, policy, bulk)
          const again = yield* b.larder.getMany(keys)
          assert.isTrue([...again.values()].every(Exit.isSuccess))
          assert.deepStrictEqual(b.asked, { one: 0, calls: [] })
        }),
      60_000,
    )
  }

  it.live(
    "30,000 cold keys are looked up in slices, and let others have their turn",
    () =>
      Effect.gen(function* () {
        const redis = yield* client
        const name = freshName()
        const policy = { tierTimeout: "2 seconds", tierBudget: "4 seconds" } as const
        const { asked, larder } = yield* join(redis, name, policy)
        // What is run often enough is compiled.
        yield* larder.getMany(range(2_000).map((i) => `warm ${i}`))
        asked.calls = []
        const keys = keysOf(30_000)
        const turns = yield* turnsOf(larder.getMany(keys))
        assert.strictEqual(Math.max(...asked.calls), 125)
        assert.strictEqual(
          asked.calls.reduce((sum, count) => sum + count, 0),
          keys.length,
        )
        // But for what is compiled, and for the garbage that is collected, which may be anybody's.
        assert.isBelow(turns[Math.floor(turns.length / 50)]!, 10)
        assert.isBelow(turns[0]!, 100)
        yield* stored(redis, name, keys)
        assert.deepStrictEqual(yield* stateOf(larder), ["Closed"])
      }),
    60_000,
  )

  it.live(
    "a hundred cold keys are three writes: MGET, leases, commits",
    () =>
      Effect.gen(function* () {
        const redis = yield* client
        const { larder } = yield* join(redis, freshName())
        yield* Effect.sleep("50 millis")
        const { marks, writes } = writesTo([redis.client as Redis])
        const { commands } = sent(redis.client)
        yield* larder.getMany(keysOf(100))
        yield* until(
          Effect.sync(() => commands.filter((command) => command === "commit").length),
          (count) => count === 100,
        )
        assert.deepStrictEqual(writes, [3])
        assert.strictEqual(marks.read, 0)
        assert.deepStrictEqual(
          [...new Set(commands)].map((name) => [
            name,
            commands.filter((one) => one === name).length,
          ]),
          [
            ["mget", 1],
            ["acquire", 100],
            ["commit", 100],
          ],
        )
      }),
    // A process that gets no processor time in the middle of a batch sends it as two.
    { retry: 2 },
  )

  it.live("a server that has forgotten the scripts is sent each text once", () =>
    Effect.gen(function* () {
      const redis = yield* client
      const { calls } = yield* server
      const loaded = Effect.map(calls, (counts) => counts.get("script|load") ?? 0)
      const before = yield* loaded
      const { arbiter, text } = yield* openOn(redis)
      yield* arbiter.marks(0)
      // A tier loads its scripts in the background: a text that is loaded after FLUSH is not sent.
      const count = Object.values(scripts).filter((each) => "sha" in each).length
      yield* until(loaded, (now) => now >= before + count)
      yield* redis.use((client) => client.script("FLUSH"))
      const { take } = sent(redis.client)
      const requests = keysOf(50).map((key) => ({ key, known: 0, leaseMillis, force: false }))
      const granted = yield* arbiter.acquireAll!(requests)
      assert.isTrue(granted.every((answer) => answer?._tag === "Won"))
      assert.strictEqual(take().filter((command) => command === "eval").length, 1)
      const bytes = yield* envelope("v")
      const answers = yield* arbiter.commitAll!(
        granted.map((answer, i) => ({
          key: `k${i}`,
          token: answer?._tag === "Won" ? answer.token : 0,
          envelope: bytes,
          lifeMillis: life,
        })),
      )
      assert.isTrue(answers.every((answer) => answer?.decision === "Stored"))
      assert.strictEqual(take().filter((command) => command === "eval").length, 1)
      assert.strictEqual(yield* text("k49"), "v")
    }),
  )

  it.live("law 9: leases that are granted to somebody who has given up are given back", () =>
    Effect.gen(function* () {
      const redis = yield* client
      const a = yield* openOn(redis)
      yield* a.arbiter.marks(0)
      const { freeze, thaw } = yield* server
      yield* freeze
      const requests = keysOf(50).map((key) => ({ key, known: 0, leaseMillis, force: false }))
      const asking = yield* Effect.forkChild(a.arbiter.acquireAll!(requests), {
        startImmediately: true,
      })
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(asking)
      yield* thaw
      for (const key of keysOf(50)) {
        const millis = yield* until(a.acquire(key), ({ _tag }) => _tag === "Won")
        assert.isBelow(millis, leaseMillis / 2)
      }
    }),
  )

  it.live("what a server away answers to a batch is one failure, with its reason", () =>
    Effect.gen(function* () {
      const redis = yield* client
      const { arbiter } = yield* openOn(redis)
      yield* arbiter.marks(0)
      redis.client.disconnect(false)
      const requests = keysOf(5).map((key) => ({ key, known: 0, leaseMillis, force: false }))
      const error = yield* Effect.flip(arbiter.acquireAll!(requests))
      assert.strictEqual(error.operation, "acquire")
      assert(error.cause instanceof RedisClient.RedisClientError)
      assert.include(["Unavailable", "Lost"], error.cause.reason)
    }),
  )
})

redisSuite("many keys at once on a Cluster", () => {
  const { client, cluster } = useCluster()

  it.live(
    "leases and commits of a slot that has moved find its new master",
    () =>
      Effect.gen(function* () {
        const { masters, migrateSlot, ownerOf } = yield* cluster
        const { arbiter, text } = yield* openOn(yield* client)
        yield* arbiter.marks(0)
        const slot = slotOf("moving")
        const from = yield* ownerOf(slot)
        const keys = [...keysIn(slot, 10), ...keysOf(30)]
        const requests = keys.map((key) => ({ key, known: 0, leaseMillis, force: false }))
        const to = masters.find((master) => master !== from) ?? from
        yield* migrateSlot(slot, to, { midway: Effect.void })
        const granted = yield* arbiter.acquireAll!(requests)
        assert.isTrue(granted.every((answer) => answer?._tag === "Won"))
        const third = masters.find((master) => master !== from && master !== to) ?? from
        yield* migrateSlot(slot, third, { midway: Effect.void })
        const bytes = yield* envelope("v")
        const answers = yield* arbiter.commitAll!(
          granted.map((answer, i) => ({
            key: keys[i]!,
            token: answer?._tag === "Won" ? answer.token : 0,
            envelope: bytes,
            lifeMillis: life,
          })),
        )
        assert.isTrue(answers.every((answer) => answer?.decision === "Stored"))
        for (const key of keys) assert.strictEqual(yield* text(key), "v")
      }),
    20_000,
  )

  it.live(
    "a hundred cold keys are three writes to each master",
    () =>
      Effect.gen(function* () {
        const redis = yield* client
        const name = freshName()
        const { larder } = yield* join(redis, name)
        const keys = keysOf(100)
        // The masters know the scripts, and the larder its marks.
        yield* larder.getMany(keys.map((key) => `warm ${key}`))
        yield* Effect.sleep("100 millis")
        const { commands } = sent(redis.client)
        const { marks, writes } = writesTo((redis.client as Cluster).nodes("master"))
        yield* larder.getMany(keys)
        yield* Effect.sleep("200 millis")
        assert.strictEqual(writes.length, 3)
        for (const count of writes) assert.isAtMost(count, 3)
        // Once beside each batch of commits, by their own master.
        assert.isAtMost(marks.read, 3)
        assert.deepStrictEqual(new Set(commands), new Set(["readMarks"]))
        const b = yield* join(yield* client, name)
        yield* b.larder.getMany(keys)
        assert.deepStrictEqual(b.asked, { one: 0, calls: [] })
      }),
    // A process that gets no processor time in the middle of a batch sends it as two.
    { timeout: 20_000, retry: 2 },
  )

  it.live(
    "laws 7, 14: 5,000 cold keys are stored for other nodes, and open no breaker",
    () =>
      Effect.gen(function* () {
        const name = freshName()
        const keys = keysOf(5_000)
        const a = yield* join(yield* client, name)
        yield* a.larder.getMany(keys)
        yield* Effect.sleep("1 second")
        assert.isTrue((yield* stateOf(a.larder)).every((state) => state === "Closed"))
        const b = yield* join(yield* client, name)
        yield* b.larder.getMany(keys)
        assert.deepStrictEqual(b.asked, { one: 0, calls: [] })
      }),
    30_000,
  )
})
