/** A tier on a Cluster: every key where its slot is, and slots that move while they are used. */
import { it } from "@effect/vitest"
import { Tier } from "@larder/core"
import type { Cluster } from "ioredis"
import type * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import { assert, describe } from "vitest"
import { slotOf } from "../src/internal/keySlot.ts"
import * as RedisClient from "../src/RedisClient.ts"
import { until } from "./support/clients.ts"
import { counting, node } from "./support/nodes.ts"
import { freshName, openOn, textOf } from "./support/tiers.ts"
import { busy, inUse, keysIn, numbers, range, useCluster } from "./support/topologies.ts"
import { redisSuite } from "./support/withRedis.ts"

/** How often this process writes to each master's socket from now on, whatever the number of commands. */
const writesTo = (redis: RedisClient.Client) => {
  const writes = new Map<string, number>()
  for (const node of (redis.client as Cluster).nodes("master")) {
    const { stream } = node
    const write = stream.write.bind(stream) as (...args: ReadonlyArray<unknown>) => boolean
    const name = `${node.options.host}:${node.options.port}`
    stream.write = ((...args: ReadonlyArray<unknown>) => {
      writes.set(name, (writes.get(name) ?? 0) + 1)
      return write(...args)
    }) as typeof stream.write
  }
  return () => [...writes.values()]
}

redisSuite("RedisTier on a Cluster", () => {
  const { client, cluster } = useCluster()
  const keys = range(90).map((i) => `key ${i}`)

  it.live(
    "every operation of a store works for keys of all masters",
    () =>
      Effect.gen(function* () {
        const redis = yield* client
        const larder = freshName()
        const a = yield* openOn(redis, { larder })
        const b = yield* openOn(yield* client, { larder })
        const { masters, ownerOf } = yield* cluster
        const owners = yield* Effect.forEach(keys, (key) => ownerOf(slotOf(key)))
        assert.strictEqual(new Set(owners).size, masters.length)
        yield* Effect.forEach(
          keys,
          (key) =>
            Effect.gen(function* () {
              const token = yield* a.win(key)
              assert.strictEqual((yield* b.acquire(key))._tag, "Busy")
              assert.isTrue(yield* a.arbiter.renew(key, token, 10_000))
              assert.strictEqual((yield* a.commit(key, token, `of ${key}`)).decision, "Stored")
              assert.strictEqual((yield* a.commit(key, token, "again")).decision, "Superseded")
              assert.strictEqual(yield* b.text(key), `of ${key}`)
              const newer = yield* b.acquire(key)
              assert(newer._tag === "Newer")
              assert.strictEqual(textOf(newer.envelope), `of ${key}`)
              const lost = yield* b.win(key, { known: token })
              const set = yield* a.set(key, "set")
              assert.isAbove(set, lost)
              assert.strictEqual((yield* b.commit(key, lost, "late")).decision, "Superseded")
              assert.isFalse(yield* b.put(key, "older", set - 1))
              assert.isTrue(yield* b.put(key, "newer", set + 1))
              assert.strictEqual(yield* a.text(key), "newer")
              const expired = yield* a.arbiter.write(key, { _tag: "Expire" }, 0)
              assert.isAbove(expired.version, set + 1)
              const removed = yield* b.arbiter.write(key, { _tag: "Remove" }, 0)
              assert.isAbove(removed.version, expired.version)
              assert.strictEqual(yield* a.text(key), "tombstone")
              const failed = yield* a.win(key)
              yield* a.arbiter.release(key, failed, 5_000)
              assert.strictEqual((yield* b.acquire(key))._tag, "Failed")
              yield* b.store.drop(key, removed.version)
              assert.isUndefined(yield* a.text(key))
            }),
          { concurrency: 30, discard: true },
        )
        const versions = yield* Effect.forEach(keys, (key) => a.set(key, "v"))
        const writes = writesTo(redis)
        assert.deepStrictEqual(
          yield* a.arbiter.versions!(keys),
          versions.map((version) => ({ version, isValue: true })),
        )
        assert.deepStrictEqual(writes(), [1, 1, 1])
      }),
    30_000,
  )

  it.live("what one store changes on any master, every other is told, marks too", () =>
    Effect.gen(function* () {
      const larder = freshName()
      const a = yield* openOn(yield* client, { larder })
      const b = yield* openOn(yield* client, { larder })
      const { last } = yield* a.arbiter.marks(0)
      const queue = yield* Tier.messages(b.arbiter)
      const set = new Map<string, number>()
      for (const key of keys) set.set(key, yield* a.set(key, "v"))
      const { number } = yield* a.arbiter.mark(["t", undefined], true, 0)
      const told: Array<Tier.Message> = []
      // A message may come twice.
      while (new Set(told.map((message) => JSON.stringify(message))).size <= keys.length) {
        told.push(yield* Effect.timeout(Queue.take(queue), "5 seconds"))
      }
      const changed = told.filter((message) => message._tag === "Changed")
      assert.deepStrictEqual(new Map(changed.map(({ key, version }) => [key, version])), set)
      const marked = told.find((message) => message._tag === "Marked")
      assert.strictEqual(marked?.previous, last)
      assert.strictEqual(marked?.page.last, number)
      const { marks } = yield* b.arbiter.marks(last)
      assert.sameDeepMembers(
        [...marks],
        [
          { tag: "t", keepStale: true, number },
          { tag: undefined, keepStale: true, number },
        ],
      )
    }),
  )

  describe("many keys at once", () => {
    it.live("are one trip to each master, whatever is there", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const { set, store } = yield* openOn(redis, { larder: "many" })
        const asked = range(200).map((i) => `k${i}`)
        for (const key of asked.slice(0, 150)) yield* set(key, `of ${key}`)
        yield* redis.use((connection) => connection.rpush("larder:v:many:{k199}", "a list"))
        const { length } = yield* redis.masters
        const writes = writesTo(redis)
        const read = yield* store.read([...asked.slice(0, 199), "k0", "k149"])
        assert.deepStrictEqual(
          writes(),
          range(length).map(() => 1),
        )
        const expected = asked
          .slice(0, 199)
          .map((key, i) => (i < 150 ? `of ${key}` : undefined))
          .concat("of k0", "of k149")
        assert.deepStrictEqual(read.map(textOf), expected)
        const all = yield* store.read(asked)
        assert.deepStrictEqual(all.slice(0, 199).map(textOf), expected.slice(0, 199))
        assert.isUndefined(all[199])
        // What was in the way of an entry is gone.
        yield* set("k199", "an entry")
        assert.strictEqual(textOf((yield* store.read(["k199"]))[0]), "an entry")
      }),
    )
  })

  describe("a larder over it", () => {
    it.live("two nodes share what each looks up, sets, removes and invalidates", () =>
      Effect.gen(function* () {
        const source = counting((key, count) => Effect.succeed(`${key}, ${count}`))
        const options = {
          name: freshName(),
          lookup: source.lookup,
          tags: (_: string, key: string) => [Number(key.slice(4)) % 2 === 0 ? "even" : "odd"],
        }
        const a = yield* node(yield* client, options)
        const b = yield* node(yield* client, { ...options, memory: false })
        const both = [a, b].flatMap((larder) => keys.map((key) => larder.get(key)))
        const first = yield* Effect.all(both, { concurrency: "unbounded" })
        assert.deepStrictEqual(
          first,
          [...keys, ...keys].map((key) => `${key}, 1`),
        )
        assert.strictEqual(source.all, keys.length)
        for (const key of keys.slice(0, 30)) assert.isTrue((yield* a.set(key, "set")).settled)
        for (const key of keys.slice(30, 60)) assert.isTrue((yield* a.remove(key)).settled)
        const later = (key: string, i: number) =>
          i < 30 ? "set" : i < 60 ? `${key}, 2` : `${key}, 1`
        const read = yield* b.getMany(keys)
        assert.deepStrictEqual([...read.values()], keys.map(later).map(Exit.succeed))
        assert.isTrue((yield* a.invalidateTags(["even"])).settled)
        // A node that is new reads the marks with its first entry.
        const c = yield* node(yield* client, { ...options, memory: false })
        for (const key of keys.slice(60, 70)) {
          const count = Number(key.slice(4)) % 2 === 0 ? 2 : 1
          assert.strictEqual(yield* c.get(key), `${key}, ${count}`)
          assert.strictEqual(yield* a.get(key), `${key}, ${count}`)
        }
      }),
    )
  })

  /** Some keys that are in one slot, and where it is to go. */
  const moving = (name: string) =>
    Effect.gen(function* () {
      const { masters, ownerOf } = yield* cluster
      const slot = slotOf(name)
      const from = yield* ownerOf(slot)
      const to = masters.find((master) => master !== from) ?? from
      return { slot, to, inSlot: keysIn(slot, 12) }
    })

  describe("a slot that moves", () => {
    it.live(
      "law 11: no read is older than a change before it, and no change is lost",
      () =>
        Effect.gen(function* () {
          const { migrateSlot, ownerOf } = yield* cluster
          const { inSlot, slot, to } = yield* moving("law 11")
          const all = [...inSlot, ...keys.slice(0, 10)]
          const source = numbers(all)
          const options = { name: freshName(), lookup: source.lookup, memory: false }
          const a = yield* node(yield* client, options)
          const second = yield* client
          const b = yield* node(second, options)
          const stored = yield* openOn(second, { larder: options.name })
          const [done, settled] = [new Map<string, number>(), new Map<string, number>()]
          const change = (key: string) =>
            Effect.gen(function* () {
              const number = yield* source.raise(key)
              const ack = yield* number % 3 === 0 ? a.remove(key) : a.set(key, String(number))
              done.set(key, number)
              if (ack.settled) settled.set(key, number)
            }).pipe(Effect.orDie, Effect.uninterruptible)
          const isCurrent = (known: ReadonlyMap<string, number>) => {
            const before = new Map(known)
            return (key: string, value: string | undefined) =>
              assert.isAtLeast(Number(value), before.get(key) ?? 0, key)
          }
          // Who made the changes knows of all of them.
          const own = Effect.gen(function* () {
            const check = isCurrent(done)
            for (const [key, exit] of yield* a.getMany(all)) {
              assert(Exit.isSuccess(exit))
              check(key, exit.value)
            }
            for (const key of inSlot.slice(0, 5)) {
              const checkOne = isCurrent(done)
              checkOne(key, yield* a.get(key))
            }
          })
          // Somebody else, of those that Redis has acknowledged.
          const others = Effect.gen(function* () {
            const check = isCurrent(settled)
            const found = yield* stored.store.read(all)
            for (const [i, key] of all.entries()) {
              const text = textOf(found[i])
              if (text !== undefined && text !== "tombstone") check(key, text)
            }
            for (const key of inSlot.slice(0, 5)) {
              const checkOne = isCurrent(settled)
              const { tier, value } = yield* b.getWithMeta(key)
              if (tier === "redis") checkOne(key, value)
            }
          })
          const writer = yield* busy(Effect.forEach(all, change, { concurrency: 5, discard: true }))
          const readers = [yield* busy(Effect.orDie(own)), yield* busy(Effect.orDie(others))]
          const more = Effect.forEach([writer, ...readers], (loop) => loop.more, {
            concurrency: "unbounded",
            discard: true,
          })
          yield* more
          yield* migrateSlot(slot, to, { midway: more })
          yield* more
          assert.strictEqual(yield* ownerOf(slot), to)
          for (const loop of [writer, ...readers]) yield* loop.stop
          for (const key of all) {
            yield* until(b.get(key), (value) => value === String(source.of(key)))
            const last = String(yield* source.raise(key))
            yield* until(a.set(key, last), ({ settled: isSettled }) => isSettled)
            assert.strictEqual(yield* stored.text(key), last)
          }
        }),
      30_000,
    )

    it.live(
      "every read finds what is there, wherever half of the slot is",
      () =>
        Effect.gen(function* () {
          const { migrateSlot } = yield* cluster
          const { inSlot, slot, to } = yield* moving("reads")
          const redis = yield* client
          const { arbiter, set, store, text } = yield* openOn(redis)
          const all = [...inSlot, ...keys.slice(0, 10)]
          for (const key of all) yield* set(key, `of ${key}`)
          const round = Effect.gen(function* () {
            const many = yield* store.read(all)
            assert.deepStrictEqual(
              many.map(textOf),
              all.map((key) => `of ${key}`),
            )
            for (const key of inSlot) assert.strictEqual(yield* text(key), `of ${key}`)
            const stored = yield* arbiter.versions!(all)
            assert.isTrue(stored.every(({ isValue }) => isValue))
          })
          const reader = yield* busy(Effect.orDie(round))
          yield* reader.more
          yield* migrateSlot(slot, to, { midway: reader.more })
          yield* reader.more
          yield* reader.stop
          // And back again, read by a client that has not seen it move.
          const other = yield* openOn(yield* client, { larder: "another" })
          yield* Effect.forEach(inSlot, (key) => other.set(key, key))
          const { masters } = yield* cluster
          const third = masters.find((master) => master !== to) ?? to
          yield* migrateSlot(slot, third, {
            midway: Effect.map(other.store.read(inSlot), (found) =>
              assert.deepStrictEqual(found.map(textOf), inSlot),
            ),
          })
          assert.deepStrictEqual((yield* other.store.read(inSlot)).map(textOf), inSlot)
        }),
      30_000,
    )

    it.live(
      "a write that cannot be done halfway fails in time, and is done right afterwards",
      () =>
        Effect.gen(function* () {
          const { migrateSlot } = yield* cluster
          const { inSlot, slot, to } = yield* moving("writes")
          const { set, store } = yield* openOn(yield* client)
          for (const key of inSlot) yield* set(key, "before")
          const outcomes = new Map<string, string>()
          const halfway = Effect.forEach(
            inSlot,
            (key) =>
              set(key, "halfway").pipe(
                Effect.timeout("2 seconds"),
                Effect.match({
                  onSuccess: () => "halfway",
                  onFailure: (error) => {
                    assert(error._tag === "TierError" && error.operation === "write")
                    assert(error.cause instanceof RedisClient.RedisClientError)
                    assert.strictEqual(error.cause.reason, "Unavailable")
                    assert.include(error.cause.message, "Too many Cluster redirections")
                    return "before"
                  },
                }),
                Effect.map((text) => outcomes.set(key, text)),
              ),
            { concurrency: "unbounded" },
          )
          yield* migrateSlot(slot, to, { midway: halfway })
          const found = (yield* store.read(inSlot)).map(textOf)
          assert.deepStrictEqual(
            found,
            inSlot.map((key) => outcomes.get(key)),
          )
          for (const key of inSlot) yield* set(key, "after")
          assert.deepStrictEqual(
            (yield* store.read(inSlot)).map(textOf),
            inSlot.map(() => "after"),
          )
        }),
      30_000,
    )

    for (const [when, isMidway] of [
      ["halfway", true],
      ["afterwards", false],
    ] as const) {
      it.live(
        `law 7: lookups that began before and end ${when} are not lost`,
        () =>
          Effect.gen(function* () {
            const { migrateSlot } = yield* cluster
            const { inSlot, slot, to } = yield* moving(`lookups ${when}`)
            const gate = yield* Latch.make(false)
            const source = counting((key, count) =>
              Effect.as(Latch.await(gate), `${key}, ${count}`),
            )
            const options = { name: freshName(), lookup: source.lookup, memory: false }
            const [a, b] = [
              yield* node(yield* client, options),
              yield* node(yield* client, options),
            ]
            const waiting = yield* Effect.forkChild(a.getMany(inSlot), { startImmediately: true })
            yield* until(
              Effect.sync(() => source.all),
              (asked) => asked === inSlot.length,
            )
            const finish = Effect.gen(function* () {
              yield* Latch.open(gate)
              for (const [key, exit] of yield* Fiber.join(waiting)) {
                assert.deepStrictEqual(exit, Exit.succeed(`${key}, 1`))
              }
            })
            if (isMidway) yield* migrateSlot(slot, to, { midway: finish })
            else yield* Effect.andThen(migrateSlot(slot, to), finish)
            const values = yield* b.getMany(inSlot)
            for (const key of inSlot) {
              assert.deepStrictEqual(
                values.get(key),
                Exit.succeed(`${key}, ${source.of(key)}`),
                "the value of the last lookup",
              )
            }
            // What was committed halfway may have been refused; what ends later is stored.
            if (!isMidway) assert.strictEqual(source.all, inSlot.length)
          }),
        30_000,
      )
    }
  })
})

redisSuite("RedisTier on a Cluster with replicas", () => {
  const { client, cluster } = useCluster({ replicas: 1 })

  const replication = (server: RedisServer.RedisServer) =>
    Effect.map(server.info("replication"), (fields) => ({
      server,
      masterPort: Number(fields.get("master_port")),
      offset: Number(fields.get("slave_repl_offset") ?? fields.get("master_repl_offset")),
    }))

  /** Every replica has what its master had when it was asked. */
  const inStep = Effect.gen(function* () {
    const { masters, replicas } = yield* cluster
    const before = yield* Effect.forEach(masters, replication)
    const leastOf = (port: number) =>
      before.find(({ server }) => server.port === port)?.offset ?? Infinity
    yield* until(Effect.forEach(replicas, replication), (now) =>
      now.every(({ masterPort, offset }) => offset >= leastOf(masterPort)),
    )
  }).pipe(Effect.orDie)

  it.live(
    "laws 12 and 14: masters hand over and die, reads are answered, and nothing comes back",
    () =>
      Effect.gen(function* () {
        const { failover, ownerOf, replicas } = yield* cluster
        const [slot, another] = [slotOf("quiet 0"), slotOf("quiet 1")]
        const use = yield* inUse(client, inStep)
        yield* use.more
        const first = yield* ownerOf(slot)
        const all = yield* Effect.forEach(replicas, replication)
        const heir = all.find(({ masterPort }) => masterPort === first.port)?.server
        assert(heir !== undefined)
        yield* failover(heir)
        yield* use.more
        yield* until(ownerOf(slot), (owner) => owner === heir)
        const victim = yield* ownerOf(another)
        yield* victim.kill()
        yield* use.more
        yield* until(ownerOf(another), (now) => now !== victim)
        yield* use.more
        yield* use.end
      }),
    60_000,
  )
})
