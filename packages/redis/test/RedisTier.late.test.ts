/**
 * A request that the larder gives up while it is on its way to Redis: Redis may still run it, but it
 * does not win over a later change of another node.
 */
import { it } from "@effect/vitest"
import type { Larder } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { assert, describe } from "vitest"
import { connect, until } from "./support/clients.ts"
import * as liar from "./support/liar.ts"
import { counting } from "./support/nodes.ts"
import { begin } from "./support/outages.ts"
import { redisSuite } from "./support/withRedis.ts"

type Node = Larder.Larder<string, string, string>

const changes = {
  set: (larder: Node) => larder.set("k", "older"),
  remove: (larder: Node) => larder.remove("k"),
  expire: (larder: Node) => larder.expire("k"),
  invalidateTags: (larder: Node) => larder.invalidateTags(["t"]),
} as const

const policy = { tierTimeout: 100, tierBudget: 200 }

/** A node whose way to Redis can be held up, others that are well, and how much Redis has done. */
const nodes = (own: Partial<typeof policy> = {}) =>
  Effect.gen(function* () {
    const { join, raw, server } = yield* begin({ tags: () => ["t"] })
    const between = yield* liar.start(server.port)
    const redis = yield* connect({
      host: "127.0.0.1",
      port: between.port,
      heartbeat: "1 minute",
      commandTimeout: "5 seconds",
    })
    const { lookup } = counting()
    const a = yield* join(
      { lookup, policy: { ...policy, ...own }, closeTimeout: 1 },
      Effect.succeed(redis),
    )
    const b = yield* join({ lookup })
    const other = yield* join({ lookup, memory: false })
    yield* until(a.set("k", "0"), ({ settled }) => settled)
    const done = Effect.map(server.calls, (calls) => calls.get("evalsha") ?? 0)
    /** What was held arrives, and is done or refused. */
    const arrive = Effect.gen(function* () {
      const before = yield* done
      yield* between.release
      yield* until(done, (count) => count > before)
    })
    return { a, b, other, between, redis, raw, arrive, server }
  })

redisSuite("a change that Redis gets late", () => {
  for (const [what, change] of Object.entries(changes)) {
    describe.concurrent(what, () => {
      it.live(
        "laws 13, 20: given up after tierTimeout, it does not win over what is set after that",
        () =>
          Effect.gen(function* () {
            const { a, arrive, b, between, other, raw } = yield* nodes()
            yield* between.hold
            assert.isFalse((yield* change(a)).settled)
            const ack = yield* b.set("k", "newer")
            assert.isTrue(ack.settled)
            yield* arrive
            assert.strictEqual(yield* (yield* raw).text("k"), "newer")
            assert.strictEqual((yield* other.read("k")).freshness._tag, "Fresh")
          }),
        20_000,
      )

      it.live(
        "laws 13, 20: given up since its connection ended, it does not win over what is set after that",
        () =>
          Effect.gen(function* () {
            const patient = { tierTimeout: 1_000, tierBudget: 2_000 }
            const { a, arrive, b, between, other, raw, redis } = yield* nodes(patient)
            yield* between.hold
            const cut = Effect.andThen(
              Effect.sleep(20),
              Effect.sync(() => redis.client.disconnect(true)),
            )
            const [ack] = yield* Effect.all([change(a), cut], { concurrency: "unbounded" })
            assert.isFalse(ack.settled)
            assert.isTrue((yield* b.set("k", "newer")).settled)
            yield* arrive
            assert.strictEqual(yield* (yield* raw).text("k"), "newer")
            assert.strictEqual((yield* other.read("k")).freshness._tag, "Fresh")
          }),
        20_000,
      )
    })
  }

  it.live(
    "law 20: where nothing came after it, it may be done, at its place",
    () =>
      Effect.gen(function* () {
        const { a, arrive, between, raw } = yield* nodes()
        yield* between.hold
        assert.isFalse((yield* a.set("k", "late")).settled)
        yield* arrive
        assert.strictEqual(yield* (yield* raw).text("k"), "late")
      }),
    20_000,
  )

  it.live(
    "law 13: it does not bring a value back after one that lived for a moment",
    () =>
      Effect.gen(function* () {
        const { a, arrive, between, raw } = yield* nodes()
        const tier = yield* raw
        yield* between.hold
        assert.isFalse((yield* a.set("k", "late")).settled)
        yield* tier.set("k", "short", 10)
        yield* Effect.sleep(30)
        assert.strictEqual(yield* tier.text("k"), undefined)
        yield* arrive
        assert.strictEqual(yield* tier.text("k"), undefined)
      }),
    20_000,
  )
})

redisSuite("a Redis that takes long", () => {
  it.live(
    "law 13: but less than tierTimeout: what is set there is settled",
    () =>
      Effect.gen(function* () {
        const { a, between } = yield* nodes({ tierTimeout: 250, tierBudget: 500 })
        yield* between.slow(80)
        for (let i = 0; i < 4; i++) {
          assert.isTrue((yield* a.set(`k${i}`, "slow")).settled, `set ${i}`)
          assert.isTrue((yield* a.remove(`k${i}`)).settled, `remove ${i}`)
          assert.isTrue((yield* a.invalidateTags(["t"])).settled, `mark ${i}`)
        }
      }),
    20_000,
  )

  it.live(
    "law 14: a change of a process that is busy for longer than tierTimeout is settled, though it arrives late",
    () =>
      Effect.gen(function* () {
        const { a } = yield* nodes()
        const began = yield* Clock.monotonicTimeNanos
        // The way to Redis is in this process too.
        const busy = Effect.gen(function* () {
          const clock = yield* Clock.Clock
          while (clock.monotonicTimeNanosUnsafe() - began < 170_000_000n);
        })
        const [ack] = yield* Effect.all([a.set("k", "1"), busy], { concurrency: "unbounded" })
        assert.isTrue(ack.settled)
      }),
    20_000,
  )

  it.live(
    "law 14: a write after a new connection is made, though the clock there is not known",
    () =>
      Effect.gen(function* () {
        const { a, redis } = yield* nodes()
        yield* Effect.sync(() => redis.client.disconnect(true))
        yield* until(redis.state, (state) => state === "ready")
        yield* until(a.set("k", "1"), ({ settled }) => settled)
      }),
    20_000,
  )
})
