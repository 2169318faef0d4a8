/** What a node hears of changes on all masters of a Cluster, while slots and masters change. */
import { it } from "@effect/vitest"
import { Tier } from "@larder/core"
import type * as RedisServer from "@larder/testing/RedisServer"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { assert } from "vitest"
import { slotOf } from "../src/internal/keySlot.ts"
import { slotsOfBlocks } from "../src/internal/keys.ts"
import { until } from "./support/clients.ts"
import { freshName, openOn } from "./support/tiers.ts"
import { busy, connectCluster, keysIn, range, useCluster } from "./support/topologies.ts"
import { redisSuite } from "./support/withRedis.ts"

const heartbeat = 100

/** All messages so far, and the highest version of each key. */
const recorded = (arbiter: Tier.Arbiter) =>
  Effect.gen(function* () {
    const versions = new Map<string, number>()
    const gaps: Array<Extract<Tier.Message, { readonly _tag: "Gap" }>> = []
    let changes = 0
    yield* arbiter.listen!((message) => {
      if (message._tag === "Gap") gaps.push(message)
      if (message._tag !== "Changed") return
      changes += 1
      versions.set(message.key, Math.max(message.version, versions.get(message.key) ?? 0))
    })
    return {
      versions,
      gaps,
      get changes() {
        return changes
      },
    }
  })

const sum = (servers: ReadonlyArray<RedisServer.RedisServer>, command: string) =>
  Effect.map(
    Effect.forEach(servers, ({ calls }) => calls),
    (all) => all.reduce((total, calls) => total + (calls.get(command) ?? 0), 0),
  )

redisSuite("messages of a tier on a Cluster", () => {
  const { client, cluster } = useCluster()

  it.live("law 18: a change of any key on any master arrives once, on a sharded channel", () =>
    Effect.gen(function* () {
      const larder = freshName()
      const { masters } = yield* cluster
      const { arbiter } = yield* openOn(yield* client, { larder })
      const heard = yield* recorded(arbiter)
      const { set } = yield* openOn(yield* client, { larder })
      const before = yield* sum(masters, "spublish")
      const keys = range(500).map((i) => `key ${i}`)
      const versions = new Map<string, number>()
      for (const key of keys) versions.set(key, yield* set(key, "v"))
      yield* until(Effect.succeed(heard), ({ versions: now }) => now.size === keys.length)
      assert.deepStrictEqual(heard.versions, versions)
      // A message on a plain channel comes from each master.
      assert.strictEqual(heard.changes, keys.length)
      assert.isAtLeast(yield* sum(masters, "spublish"), before + keys.length)
      assert.deepStrictEqual(heard.gaps, [])
    }),
  )

  it.live("a node beats once on each master, on a channel of that master", () =>
    Effect.gen(function* () {
      const prefix = "beating"
      const { masters } = yield* cluster
      const redis = yield* client
      const { arbiter } = yield* openOn(redis, { prefix, heartbeat })
      yield* Tier.messages(arbiter)
      yield* Tier.messages((yield* openOn(redis, { prefix, heartbeat: "1 hour" })).arbiter)
      for (const { cli } of masters) {
        const channels = (yield* cli("PUBSUB", "SHARDCHANNELS", `${prefix}:h:*`)) as Array<string>
        assert.lengthOf(channels, 2)
      }
      const before = yield* Effect.forEach(masters, ({ calls }) => calls)
      const began = yield* Clock.currentTimeMillis
      yield* Effect.sleep(10 * heartbeat)
      const after = yield* Effect.forEach(masters, ({ calls }) => calls)
      const millis = (yield* Clock.currentTimeMillis) - began
      for (const [i, calls] of after.entries()) {
        const beats = (calls.get("spublish") ?? 0) - (before[i]!.get("spublish") ?? 0)
        assert.isAtLeast(beats, 4)
        // The check of the rights at the start sends some as well.
        assert.isAtMost(beats, millis / heartbeat + 6)
      }
    }),
  )

  it.live(
    "law 19: after a gap of one master, a slot that leaves it is a gap of all",
    () =>
      Effect.gen(function* () {
        const { masters, migrateSlot, ownerOf } = yield* cluster
        const slot = slotOf("leaving")
        assert.notInclude(slotsOfBlocks, slot)
        const from = yield* ownerOf(slot)
        const { arbiter, set } = yield* openOn(yield* client)
        const heard = yield* recorded(arbiter)
        const [key = ""] = keysIn(slot, 1)
        yield* set(key, "v")
        yield* from.cli("CLIENT", "KILL", "TYPE", "pubsub")
        yield* until(Effect.succeed(heard.gaps), (gaps) => gaps.at(-1)?.isOver === true)
        assert.isTrue(heard.gaps.every(({ part }) => part === `${from.host}:${from.port}`))
        const partial = heard.gaps.length
        yield* migrateSlot(
          slot,
          masters.find((master) => master !== from)!,
        )
        // The client learns of it.
        yield* set(key, "w")
        yield* until(Effect.succeed(heard.gaps), (gaps) => gaps.length > partial)
        assert.deepStrictEqual(heard.gaps.slice(partial), [
          { _tag: "Gap", reason: "disconnected", part: undefined, isOver: true },
        ])
      }),
    20_000,
  )

  it.live(
    "laws 18, 19: while slots move, with the channels or without, a change that is not heard is a gap",
    () =>
      Effect.gen(function* () {
        const { masters, migrateSlot, ownerOf } = yield* cluster
        const larder = freshName()
        const reader = yield* openOn(yield* client, { larder })
        const heard = yield* recorded(reader.arbiter)
        const { set } = yield* openOn(yield* client, { larder })
        const ofChannel = slotsOfBlocks[3]!
        const plain = slotOf("of no channel")
        assert.notInclude(slotsOfBlocks, plain)
        const keys = [ofChannel, plain, slotsOfBlocks[9]!].flatMap((slot) => keysIn(slot, 4))
        const lost: Array<string> = []
        const change = (key: string) =>
          Effect.gen(function* () {
            const before = heard.gaps.length
            const version = yield* set(key, "v")
            const isHeard = () => (heard.versions.get(key) ?? 0) >= version
            const isKnown = Effect.sync(() => isHeard() || heard.gaps.length > before)
            yield* until(isKnown, Boolean)
            if (!isHeard()) lost.push(key)
          })
        const writer = yield* busy(
          Effect.orDie(
            Effect.ignore(Effect.forEach(keys, change, { concurrency: 4, discard: true })),
          ),
        )
        for (const slot of [plain, ofChannel]) {
          const from = yield* ownerOf(slot)
          const to = masters.find((master) => master !== from)!
          yield* writer.more
          yield* migrateSlot(slot, to, { midway: writer.more })
          yield* writer.more
          if (slot === plain) assert.deepStrictEqual(heard.gaps, [])
        }
        yield* until(Effect.succeed(heard.gaps), (gaps) => gaps.at(-1)?.isOver === true)
        assert.isTrue(heard.gaps.every(({ reason }) => reason === "disconnected"))
        yield* writer.more
        yield* writer.stop
        // All channels are where they belong again: nothing is lost, and nothing is a gap.
        yield* Effect.sleep(5 * heartbeat)
        const gaps = heard.gaps.length
        for (const key of keys) {
          const version = yield* set(key, "w")
          yield* until(Effect.succeed(heard.versions), (now) => now.get(key) === version)
        }
        assert.strictEqual(heard.gaps.length, gaps)
      }),
    30_000,
  )
})

redisSuite("messages of a tier on a Cluster whose masters fail", () => {
  const { client, cluster } = useCluster({
    replicas: 1,
    config: { "cluster-require-full-coverage": "no" },
  })

  const addressOf = ({ host, port }: RedisServer.RedisServer) => `${host}:${port}`

  it.live(
    "law 19: a subscription to one master that ends is a gap of that master alone",
    () =>
      Effect.gen(function* () {
        const { masters } = yield* cluster
        const { arbiter, store } = yield* openOn(yield* client)
        const queue = yield* Tier.messages(arbiter)
        const [, one] = masters
        const part = addressOf(one!)
        yield* one!.cli("CLIENT", "KILL", "TYPE", "pubsub")
        for (const isOver of [false, true]) {
          assert.deepStrictEqual(yield* Effect.timeout(Queue.take(queue), "5 seconds"), {
            _tag: "Gap",
            reason: "disconnected",
            part,
            isOver,
          })
        }
        const owned = yield* Effect.forEach(range(50), (i) =>
          Effect.succeed(store.partOf!(`key ${i}`)),
        )
        assert.include(owned, part)
      }),
    15_000,
  )

  for (const [what, isPlanned] of [
    ["hands over to its replica, and the node sends no command", true],
    ["dies", false],
  ] as const) {
    it.live(
      `laws 18, 19: a master that ${what} is a gap of all, over when the new one is heard`,
      () =>
        Effect.gen(function* () {
          const { failover, ownerOf, replicas } = yield* cluster
          const larder = freshName()
          const { arbiter } = yield* openOn(yield* client, { larder, heartbeat })
          const heard = yield* recorded(arbiter)
          const slot = slotOf(what)
          const first = yield* ownerOf(slot)
          const masterOf = (server: RedisServer.RedisServer) =>
            Effect.map(server.info("replication"), (info) => Number(info.get("master_port")))
          const heirs = yield* Effect.filter(replicas, (replica) =>
            Effect.map(
              Effect.orElseSucceed(masterOf(replica), () => 0),
              (port) => port === first.port,
            ),
          )
          if (isPlanned) yield* failover(heirs[0]!)
          else yield* first.kill()
          yield* until(ownerOf(slot), (now) => now !== first)
          yield* until(Effect.succeed(heard.gaps), (gaps) => {
            const last = gaps.at(-1)
            return last?.isOver === true && last.part === undefined
          })
          const { set } = yield* openOn(yield* connectCluster(yield* cluster), { larder })
          for (const key of keysIn(slot, 3)) {
            const isHeard = (version: number) => heard.versions.get(key) === version
            // The nodes of the Cluster hear of the new master one after the other: a look at one that has not
            // yet is another gap.
            const asked = Effect.gen(function* () {
              const before = heard.gaps.length
              const version = yield* set(key, "v")
              const isKnown = Effect.sync(() => isHeard(version) || heard.gaps.length > before)
              yield* until(isKnown, Boolean)
              return version
            })
            yield* until(asked, isHeard)
          }
        }),
      40_000,
    )
  }
})

redisSuite("messages of a tier on a Cluster without sharded channels", () => {
  const { client, cluster } = useCluster({
    config: { "rename-command": ['SPUBLISH ""', 'SSUBSCRIBE ""'] },
  })

  it.live("law 18: go on plain channels, heartbeats too", () =>
    Effect.gen(function* () {
      const larder = freshName()
      const { masters } = yield* cluster
      const { arbiter } = yield* openOn(yield* client, { larder, heartbeat: 2 * heartbeat })
      const heard = yield* recorded(arbiter)
      const { set } = yield* openOn(yield* client, { larder })
      const keys = range(100).map((i) => `key ${i}`)
      const versions = new Map<string, number>()
      for (const key of keys) versions.set(key, yield* set(key, "v"))
      yield* until(Effect.succeed(heard), ({ versions: now }) => now.size === keys.length)
      assert.deepStrictEqual(heard.versions, versions)
      // Beats that no server passes on would be a silence by now.
      yield* Effect.sleep(10 * heartbeat)
      assert.deepStrictEqual(heard.gaps, [])
      yield* masters[0]!.cli("CLIENT", "KILL", "TYPE", "pubsub")
      yield* until(Effect.succeed(heard.gaps), (gaps) => gaps.at(-1)?.isOver === true)
    }),
  )
})
