/** What a node hears of the changes of others, and how it learns that it may have missed some. */
import { it } from "@effect/vitest"
import { Envelope, Tier } from "@larder/core"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { assert, describe } from "vitest"
import { keysOf } from "../src/internal/keys.ts"
import type * as RedisClient from "../src/RedisClient.ts"
import { connect, until } from "./support/clients.ts"
import { counting, node, sent } from "./support/nodes.ts"
import * as Proxy from "./support/proxy.ts"
import { envelope, freshName, life, opened, openOn, tierOn, useServer } from "./support/tiers.ts"
import { redisSuite } from "./support/withRedis.ts"

const gap = (isOver: boolean, reason: Tier.GapReason = "disconnected"): Tier.Message => ({
  _tag: "Gap",
  reason,
  part: undefined,
  isOver,
})

const next = (queue: Queue.Dequeue<Tier.Message>) => Effect.timeout(Queue.take(queue), "5 seconds")

const heartbeat = 50

redisSuite("messages of a tier", () => {
  const { client, server } = useServer()

  const channels = (pattern: string) =>
    Effect.gen(function* () {
      return JSON.stringify(yield* (yield* server).cli("PUBSUB", "CHANNELS", pattern))
    })

  describe("law 19: a subscription that ends", () => {
    it.live("is a gap until the node is subscribed again; the first subscription is none", () =>
      Effect.gen(function* () {
        const own = yield* RedisServer.start()
        const larder = freshName()
        const { arbiter, set } = yield* openOn(yield* connect({ url: own.url }), { larder })
        const queue = yield* Tier.messages(arbiter)
        const before = yield* set("k", "v")
        assert.deepInclude(yield* next(queue), { _tag: "Changed", version: before })
        for (const _ of [1, 2]) {
          yield* own.cli("CLIENT", "KILL", "TYPE", "pubsub")
          assert.deepStrictEqual(yield* next(queue), gap(false))
          assert.deepStrictEqual(yield* next(queue), gap(true))
        }
        yield* own.kill()
        assert.deepStrictEqual(yield* next(queue), gap(false))
        yield* own.restart()
        assert.deepStrictEqual(yield* next(queue), gap(true))
        yield* until(set("k", "w"))
        assert.deepInclude(yield* next(queue), { _tag: "Changed", key: "k" })
      }),
    )

    it.live(
      "a larder that listens while the server is away fails, and listens once it is back",
      () =>
        Effect.gen(function* () {
          const own = yield* RedisServer.start()
          yield* own.kill()
          const { arbiter, set } = yield* openOn(yield* connect({ url: own.url }))
          const error = yield* Effect.flip(Tier.messages(arbiter))
          assert.strictEqual(error.operation, "listen")
          yield* own.restart()
          const queue = yield* Tier.messages(arbiter)
          yield* until(set("k", "v"))
          assert.deepInclude(yield* next(queue), { _tag: "Changed", key: "k" })
        }),
      15_000,
    )

    it.live("a channel that is refused later is a gap until it is allowed", () =>
      Effect.gen(function* () {
        const own = yield* RedisServer.start()
        yield* own.cli("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all")
        const url = own.url.replace("redis://", "redis://app:pw@")
        const { arbiter, set } = yield* openOn(yield* connect({ url }), { heartbeat })
        const queue = yield* Tier.messages(arbiter)
        yield* own.cli("ACL", "SETUSER", "app", "resetchannels", "&larder:h:*")
        assert.deepStrictEqual(yield* next(queue), gap(false))
        yield* Effect.sleep(4 * heartbeat)
        yield* own.cli("ACL", "SETUSER", "app", "&*")
        const told = [yield* next(queue)]
        while (!told.some((message) => message._tag === "Gap" && message.isOver)) {
          told.push(yield* next(queue))
        }
        yield* Effect.sleep(4 * heartbeat)
        yield* Queue.clear(queue)
        yield* until(set("k", "v"))
        assert.deepInclude(yield* next(queue), { _tag: "Changed", key: "k" })
        // The subscription itself is refused from the start.
        yield* own.cli("ACL", "SETUSER", "app", "resetchannels", "&larder:h:*")
        const refused = yield* openOn(yield* connect({ url }))
        const error = yield* Effect.flip(Tier.messages(refused.arbiter))
        assert.include(String(error.cause), "NOPERM")
      }),
    )
  })

  describe("law 19: heartbeats", () => {
    it.live("one a node, whatever the number of larders, on a channel of its own", () =>
      Effect.gen(function* () {
        const own = yield* RedisServer.start()
        const scope = yield* Scope.make()
        const beats = Effect.map(own.calls, (calls) => calls.get("publish") ?? 0)
        const inScope = Effect.gen(function* () {
          for (const count of [1, 5]) {
            const tier = yield* tierOn(yield* connect({ url: own.url }), { heartbeat })
            for (const _ of Array.from({ length: count })) {
              yield* Tier.messages(opened(yield* tier.open({ larder: freshName() })).arbiter)
            }
          }
        })
        yield* Scope.provide(inScope, scope)
        const listened = (yield* own.cli(
          "PUBSUB",
          "CHANNELS",
          "larder:h:*",
        )) as ReadonlyArray<string>
        assert.lengthOf(listened, 2)
        for (const channel of listened) {
          assert.deepStrictEqual(yield* own.cli("PUBSUB", "NUMSUB", channel), [channel, 1])
        }
        const [before, began] = [yield* beats, yield* Clock.currentTimeMillis]
        yield* until(beats, (count) => count >= before + 20)
        const millis = (yield* Clock.currentTimeMillis) - began
        assert.isAtLeast(millis, 9 * heartbeat)
        yield* Scope.close(scope, Exit.void)
        yield* until(own.cli("PUBSUB", "CHANNELS"), (left) => JSON.stringify(left) === "[]")
        const after = yield* beats
        yield* Effect.sleep(4 * heartbeat)
        assert.strictEqual(yield* beats, after)
      }),
    )

    it.live("a tier without a larder that listens sends none and subscribes to nothing", () =>
      Effect.gen(function* () {
        const tier = yield* tierOn(yield* client, { heartbeat, prefix: "silent" })
        const { arbiter, set } = opened(yield* tier.open({ larder: freshName() }))
        yield* set("k", "v")
        yield* Effect.sleep(3 * heartbeat)
        assert.strictEqual(yield* channels("silent:*"), "[]")
        const scope = yield* Scope.make()
        yield* Scope.provide(Tier.messages(arbiter), scope)
        assert.include(yield* channels("silent:*"), "silent:h:")
        yield* Scope.close(scope, Exit.void)
        yield* until(channels("silent:*"), (left) => left === "[]")
        const again = yield* Tier.messages(arbiter)
        yield* set("k", "w")
        assert.deepInclude(yield* next(again), { _tag: "Changed", key: "k" })
      }),
    )

    for (const [what, silence] of [
      ["subscriptions are silent while commands go on", "silenceSubscriptions"],
      ["commands are silent while subscriptions go on", "silenceCommands"],
      ["everything is silent", "silence"],
    ] as const) {
      it.live(
        `${what}: a gap within three heartbeats, over with the first beat`,
        () =>
          Effect.gen(function* () {
            const { port } = yield* server
            const way = yield* Proxy.start(port)
            // Pings of the client would find the silence as well.
            const redis = yield* connect({
              host: "127.0.0.1",
              port: way.port,
              heartbeat: "1 minute",
            })
            const { arbiter } = yield* openOn(redis, { heartbeat: 200 })
            const queue = yield* Tier.messages(arbiter)
            yield* Effect.sleep(800)
            assert.strictEqual(yield* Queue.size(queue), 0)
            const began = yield* Clock.currentTimeMillis
            yield* way[silence]
            assert.deepStrictEqual(yield* next(queue), gap(false, "silence"))
            // On a busy machine.
            assert.isBelow((yield* Clock.currentTimeMillis) - began, 600 + 200)
            yield* Effect.sleep(500)
            assert.strictEqual(yield* Queue.size(queue), 0)
            yield* way.restore
            assert.deepStrictEqual(yield* next(queue), gap(true, "silence"))
          }),
        15_000,
      )
    }

    it.live("a process that was blocked for longer has a gap as well", () =>
      Effect.gen(function* () {
        const { arbiter } = yield* openOn(yield* client, { heartbeat })
        const queue = yield* Tier.messages(arbiter)
        yield* Effect.sleep(3 * heartbeat)
        yield* Queue.clear(queue)
        const clock = yield* Clock.Clock
        const began = clock.currentTimeMillisUnsafe()
        while (clock.currentTimeMillisUnsafe() < began + 5 * heartbeat) {
          // Nothing else runs.
        }
        assert.deepStrictEqual(yield* next(queue), gap(false, "silence"))
        assert.deepStrictEqual(yield* next(queue), gap(true, "silence"))
      }),
    )
  })

  it.live("law 12: a node that heard of a mark knows when the server has lost it", () =>
    Effect.gen(function* () {
      const redis = yield* client
      const larder = freshName()
      const { floors } = keysOf("larder", larder)
      const [one, other] = [yield* openOn(redis, { larder }), yield* openOn(redis, { larder })]
      const queue = yield* Tier.messages(other.arbiter)
      yield* other.arbiter.marks(0)
      const copy = yield* redis.use((connection) => connection.dumpBuffer(floors))
      const { number } = yield* one.arbiter.mark(["t"], true, 0)
      assert.deepInclude(yield* next(queue), { _tag: "Marked" })
      yield* redis.use((connection) => connection.restore(floors, 0, copy!, "REPLACE"))
      assert.strictEqual((yield* other.arbiter.marks(0)).floor, number)
    }),
  )

  describe("pushed values", () => {
    const bytesOf = (text: string) =>
      Effect.map(envelope(text), (bytes) => Uint8Array.from([...bytes, 0, 128, 255, 13, 10]))

    it.live("go with the message of their change, as they are stored, up to maxBytes", () =>
      Effect.gen(function* () {
        const larder = freshName()
        const small = yield* bytesOf("v")
        const maxBytes = small.length
        const { arbiter, store, win } = yield* openOn(yield* client, { larder, push: { maxBytes } })
        const queue = yield* Tier.messages(arbiter)
        const key = "key {} ü\n:"
        const isPushed = (version: number): Tier.Message => ({
          _tag: "Changed",
          key,
          version,
          isRemoval: false,
          envelope: Envelope.withVersion(small, version),
        })
        const set = { _tag: "Set", envelope: small, lifeMillis: life } as const
        const one = yield* arbiter.write(key, set, 0)
        assert.deepStrictEqual(yield* next(queue), isPushed(one.version))
        const two = yield* win(key, { known: one.version })
        yield* arbiter.commit(key, two, small, life)
        assert.deepStrictEqual(yield* next(queue), isPushed(two))
        yield* store.put(key, Envelope.withVersion(small, two + 1), life)
        assert.deepStrictEqual(yield* next(queue), isPushed(two + 1))
        const large = Uint8Array.from([...small, 1])
        const others: ReadonlyArray<Tier.Write> = [
          { ...set, envelope: large },
          { _tag: "Expire" },
          { ...set, lifeMillis: 0 },
          { _tag: "Remove" },
        ]
        for (const [i, write] of others.entries()) {
          const { version } = yield* arbiter.write(key, write, 0)
          const told: Tier.Message = { _tag: "Changed", key, version, isRemoval: i >= 2 }
          assert.deepStrictEqual(yield* next(queue), told)
        }
      }),
    )

    it.live("a node that has the key takes the value from the message, without a read", () =>
      Effect.gen(function* () {
        const options = {
          name: freshName(),
          lookup: counting().lookup,
          tier: { push: { maxBytes: 1_000 } },
        }
        const [first, second] = [yield* client, yield* client]
        const [a, b] = [yield* node(first, options), yield* node(second, options)]
        assert.strictEqual(yield* b.get("k"), "of k")
        yield* Effect.sleep(50)
        assert.strictEqual(yield* b.get("k"), "of k")
        const { take } = sent(second.client)
        yield* a.set("k", "pushed")
        yield* until(b.get("k"), (value) => value === "pushed")
        assert.deepStrictEqual(take(), [])
      }),
    )
  })

  describe("formats", () => {
    const publish = (redis: RedisClient.Client, text: string) =>
      redis.use((ioredis) => ioredis.publish("larder:c:{formats}", text))

    it.live("a message of a newer format is a gap; an unknown one of this format is ignored", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const { arbiter, set } = yield* openOn(redis, { larder: "formats" })
        const queue = yield* Tier.messages(arbiter)
        const pushed = `1p${"1".repeat(16)}`
        for (const text of ["1z", "1", "0", "1c12", "x", pushed, `${pushed}0002kk`, `${pushed}9`])
          yield* publish(redis, text)
        yield* publish(redis, "2q something")
        assert.deepStrictEqual(yield* next(queue), gap(false, "newerFormat"))
        assert.deepStrictEqual(yield* next(queue), gap(true, "newerFormat"))
        yield* publish(redis, "10c1234567890123456k")
        assert.deepStrictEqual(yield* next(queue), gap(false, "newerFormat"))
        assert.deepStrictEqual(yield* next(queue), gap(true, "newerFormat"))
        const version = yield* set("k", "v")
        assert.deepInclude(yield* next(queue), { _tag: "Changed", version })
      }),
    )

    it.live(
      "law 18: a node of this release hears one of the release before, which ignores its messages",
      () =>
        Effect.gen(function* () {
          const redis = yield* client
          const { arbiter, set, win } = yield* openOn(redis, { larder: "formats" })
          const queue = yield* Tier.messages(arbiter)
          const previous = yield* redis.subscribe("larder:c:{formats}")
          yield* Queue.take(previous)
          const wide = (number: number) => String(number).padStart(16, "0")
          // As the scripts of that release published, and as its readers parsed.
          yield* publish(redis, `c${wide(7)}käse`)
          yield* publish(redis, `r${wide(8)}käse`)
          yield* publish(redis, `m${wide(1)}${wide(2)}${wide(1)}${wide(0)}k["t",null]`)
          const known = /^[cr]\d{16}|^m\d{64}[kd]/
          assert.deepStrictEqual(yield* next(queue), {
            _tag: "Changed",
            key: "käse",
            version: 7,
            isRemoval: false,
          })
          assert.deepStrictEqual(yield* next(queue), {
            _tag: "Changed",
            key: "käse",
            version: 8,
            isRemoval: true,
          })
          const marks = [
            { tag: "t", keepStale: true, number: 2 },
            { tag: undefined, keepStale: true, number: 2 },
          ]
          assert.deepStrictEqual(yield* next(queue), {
            _tag: "Marked",
            previous: 1,
            page: { last: 2, floor: 1, dropFloor: 0, marks },
          })
          yield* set("k", "v")
          yield* arbiter.mark(["t"], true, 0)
          yield* arbiter.release("leased", yield* win("leased"), 0)
          assert.deepInclude(yield* next(queue), { _tag: "Changed", key: "k" })
          assert.deepInclude(yield* next(queue), { _tag: "Marked" })
          assert.deepInclude(yield* next(queue), { _tag: "Released" })
          const texts = (yield* Queue.takeAll(previous)).map((event) =>
            event._tag === "Message" ? known.test(event.message) : undefined,
          )
          assert.deepStrictEqual(texts, [true, true, true, false, false, false])
        }),
    )
  })
})
