/** Several servers: a Cluster whose slots and nodes change, and a pair under Sentinels. */
import { it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll, expect } from "vitest"
import type * as RedisClient from "../src/RedisClient.ts"
import { connect, until } from "./support/clients.ts"
import { redisSuite } from "./support/withRedis.ts"

const get = (redis: RedisClient.Client, key: string) => redis.use((client) => client.get(key))
const set = (redis: RedisClient.Client, key: string, value: string) =>
  redis.use((client) => client.set(key, value))

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

const nodesOf = (servers: ReadonlyArray<RedisServer.RedisServer>) =>
  servers.map(({ host, port }) => ({ host, port }))

redisSuite("RedisClient of a Cluster", () => {
  const scope = Scope.makeUnsafe()
  let cluster: RedisServer.RedisCluster

  beforeAll(async () => {
    cluster = await Effect.runPromise(Scope.provide(RedisServer.startCluster(), scope))
  }, 60_000)

  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const connected = Effect.suspend(() =>
    connect({ cluster: { nodes: nodesOf(cluster.masters.slice(0, 1)) } }),
  )

  it.live("the first commands of a process go to all nodes, though one is named", () =>
    Effect.gen(function* () {
      const redis = yield* connected
      expect(redis.isCluster).toBe(true)
      const answers = yield* Effect.forEach(range(300), (i) => set(redis, `k${i}`, String(i)), {
        concurrency: "unbounded",
      })
      expect(answers.every((answer) => answer === "OK")).toBe(true)
      expect((yield* redis.masters).length).toBe(3)
      for (const master of cluster.masters) {
        expect(Number(yield* master.cli("DBSIZE"))).toBeGreaterThan(50)
      }
    }),
  )

  it.live("a slot that moves while it is used costs no caller a failure", () =>
    Effect.gen(function* () {
      const redis = yield* connected
      const key = (i: number) => `{moving}${i}`
      for (const i of range(20)) yield* set(redis, key(i), String(i))
      const slot = yield* cluster.slotOf("{moving}")
      const from = yield* cluster.ownerOf(slot)
      const to = cluster.masters.find((node) => node !== from) ?? from
      const rounds = yield* Ref.make(0)
      const traffic = Effect.gen(function* () {
        for (const i of range(20)) expect(yield* get(redis, key(i))).toBe(String(i))
        yield* Ref.update(rounds, (n) => n + 1)
      })
      const busy = yield* Effect.forkChild(Effect.forever(traffic), { startImmediately: true })
      const more = Effect.gen(function* () {
        const done = yield* Ref.get(rounds)
        yield* until(Ref.get(rounds), (n) => n >= done + 2)
      })
      yield* more
      yield* cluster.migrateSlot(slot, to, { midway: more })
      yield* more
      expect(busy.pollUnsafe()).toBe(undefined)
      yield* Fiber.interrupt(busy)
      expect(yield* cluster.ownerOf(slot)).toBe(to)
    }),
  )

  it.live("what any node publishes reaches a subscriber", () =>
    Effect.gen(function* () {
      const redis = yield* connected
      const events = yield* redis.subscribe("news")
      expect((yield* Queue.take(events))._tag).toBe("Subscribed")
      for (const [i, master] of cluster.masters.entries()) {
        yield* master.cli("PUBLISH", "news", String(i))
        expect(yield* Queue.take(events)).toEqual({
          _tag: "Message",
          channel: "news",
          message: String(i),
        })
      }
    }),
  )

  it.live(
    "one node killed: the others serve on, and it is back when it is back",
    () =>
      Effect.gen(function* () {
        const redis = yield* connected
        const owners = yield* Effect.forEach(range(30), (i) =>
          Effect.gen(function* () {
            const slot = yield* cluster.slotOf(`k${i}`)
            return { key: `k${i}`, owner: yield* cluster.ownerOf(slot) }
          }),
        )
        const victim = cluster.masters[1]
        if (victim === undefined) return
        const lost = owners.find(({ owner }) => owner === victim)?.key ?? ""
        const kept = owners.find(({ owner }) => owner !== victim)?.key ?? ""
        yield* set(redis, kept, "kept")
        yield* set(redis, lost, "lost")
        yield* victim.kill()
        const error = yield* Effect.flip(get(redis, lost))
        expect(["Lost", "Unavailable", "Timeout"]).toContain(error.reason)
        // Until the nodes agree that one is gone; then they refuse all, unless told otherwise.
        expect(yield* get(redis, kept)).toBe("kept")
        yield* victim.restart()
        yield* until(get(redis, lost), (value) => value === null)
        yield* until(set(redis, lost, "back"))
      }),
    30_000,
  )

  it.live(
    "all nodes frozen: every caller hears in time; after the thaw it goes on",
    () =>
      Effect.gen(function* () {
        const redis = yield* connected
        yield* until(set(redis, "a", "1"))
        for (const master of cluster.masters) yield* master.freeze
        for (const _ of range(4)) {
          const errors = yield* Effect.forEach(range(20), (i) => Effect.flip(get(redis, `k${i}`)), {
            concurrency: "unbounded",
          }).pipe(Effect.timeout("1 second"))
          expect(errors.length).toBe(20)
        }
        for (const master of cluster.masters) yield* master.thaw
        yield* until(get(redis, "a"), (value) => value === "1")
      }),
    30_000,
  )

  it.live(
    "all nodes away: commands fail at once, for as long as it takes",
    () =>
      Effect.gen(function* () {
        const redis = yield* connected
        yield* until(set(redis, "a", "1"))
        const events = yield* redis.subscribe("news")
        yield* until(Queue.take(events), ({ _tag }) => _tag === "Subscribed")
        for (const master of cluster.masters) yield* master.kill()
        yield* until(redis.state, (state) => state === "reconnecting")
        const errors = yield* Effect.forEach(
          range(10_000),
          (i) => Effect.flip(get(redis, `k${i}`)),
          {
            concurrency: "unbounded",
          },
        ).pipe(Effect.timeout("5 seconds"))
        expect(new Set(errors.map(({ reason }) => reason))).toEqual(new Set(["Unavailable"]))
        for (const master of cluster.masters) yield* master.restart()
        yield* until(set(redis, "a", "2"))
        yield* until(Queue.take(events), ({ _tag }) => _tag === "Subscribed")
      }),
    30_000,
  )

  it.live(
    "closes within a second while all nodes are frozen",
    () =>
      Effect.gen(function* () {
        const inner = yield* Scope.make()
        const redis = yield* Scope.provide(connected, inner)
        yield* until(set(redis, "a", "1"))
        for (const master of cluster.masters) yield* master.freeze
        const took = yield* until(Effect.as(Scope.close(inner, Exit.void), true))
        for (const master of cluster.masters) yield* master.thaw
        expect(took).toBeLessThan(1_000)
        expect((yield* Effect.flip(get(redis, "a"))).reason).toBe("Closed")
      }),
    30_000,
  )
})

redisSuite("RedisClient of Sentinels", () => {
  it.live(
    "follows a failover that was asked for, and one because the master died",
    () =>
      Effect.gen(function* () {
        const pair = yield* RedisServer.startReplicated({ password: "s3cret" })
        const redis = yield* connect({
          sentinels: nodesOf(pair.sentinels),
          name: pair.name,
          password: "s3cret",
        })
        const events = yield* redis.subscribe("news")
        expect((yield* Queue.take(events))._tag).toBe("Subscribed")
        expect(yield* set(redis, "a", "1")).toBe("OK")
        const port = redis.use(async (client) =>
          Number(/tcp_port:(\d+)/.exec(await client.info("server"))?.[1]),
        )
        const [first, second] = pair.nodes
        expect(yield* port).toBe(first.port)
        // The old master would take writes for seconds to come, and lose them.
        yield* pair.failover
        yield* until(port, (now) => now === second.port)
        // INFO is answered in the middle of the greeting, other commands after it.
        yield* until(set(redis, "a", "2"))
        expect(yield* second.cli("GET", "a")).toBe("2")
        // What the Sentinels do themselves, later.
        yield* first.cli("REPLICAOF", second.host, String(second.port))
        yield* until(
          pair.replica.pipe(Effect.flatMap((replica) => replica.info("replication"))),
          (info) => info.get("master_link_status") === "up",
        )
        yield* second.kill()
        yield* until(port, (now) => now === first.port)
        yield* until(set(redis, "a", "3"))
        yield* until(Queue.take(events), ({ _tag }) => _tag === "Subscribed")
      }),
    60_000,
  )

  it.live(
    "connects once a Sentinel is back",
    () =>
      Effect.gen(function* () {
        const pair = yield* RedisServer.startReplicated({ sentinels: 1 })
        const [sentinel] = pair.sentinels
        yield* sentinel!.kill()
        const redis = yield* connect({ sentinels: nodesOf(pair.sentinels), name: pair.name })
        expect((yield* Effect.flip(get(redis, "a"))).reason).toBe("Unavailable")
        yield* sentinel!.restart()
        yield* until(set(redis, "a", "1"))
      }),
    30_000,
  )

  it.live(
    "says that no Sentinel knows the master where its name is misspelt",
    () =>
      Effect.gen(function* () {
        const pair = yield* RedisServer.startReplicated({ sentinels: 1 })
        const redis = yield* connect({ sentinels: nodesOf(pair.sentinels), name: "misspelt" })
        const { detail, reason } = yield* Effect.flip(get(redis, "a"))
        expect([reason, detail]).toEqual([
          "Unavailable",
          'not connected: no Sentinel knows the master "misspelt"; check name',
        ])
      }),
    30_000,
  )

  it.live(
    "with every Sentinel away, commands fail at once and the close is quick",
    () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const pair = yield* RedisServer.startReplicated()
        for (const sentinel of pair.sentinels) yield* sentinel.kill()
        const options = { sentinels: nodesOf(pair.sentinels), name: pair.name }
        const redis = yield* Scope.provide(connect(options), scope)
        const errors = yield* Effect.forEach(range(100), () => Effect.flip(get(redis, "a")), {
          concurrency: "unbounded",
        }).pipe(Effect.timeout("2 seconds"))
        expect(new Set(errors.map(({ reason }) => reason))).toEqual(new Set(["Unavailable"]))
        // Also between two attempts.
        for (let i = 0; i < 30; i++) {
          const { detail, reason } = yield* Effect.flip(get(redis, "a"))
          expect([reason, detail]).toEqual([
            "Unavailable",
            "not connected: no Sentinel answers: Connection is closed.",
          ])
          yield* Effect.sleep("10 millis")
        }
        expect(yield* until(Effect.as(Scope.close(scope, Exit.void), true))).toBeLessThan(1_000)
      }),
    30_000,
  )
})
