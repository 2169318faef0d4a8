/** The file in a stack: alone as the arbiter of a machine, and between memory and a shared tier. */
import { assert, describe, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { SqliteTier } from "../src/index.ts"
import { temporaryFile } from "./support/files.ts"

const someTime = 1_790_000_000_000

const test = (name: string, body: Effect.Effect<void, unknown, Scope.Scope>): void =>
  it.effect(name, () => Effect.andThen(TestClock.setTime(someTime), body))

interface Source {
  asked: number
  away: boolean
}

/** One process from its start to its end, with its own stack. */
const during = <A, E>(
  source: Source,
  stack: Layer.Layer<TierStack.TierStack>,
  use: (larder: Larder.Larder<string, number, "away">) => Effect.Effect<A, E, Scope.Scope>,
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const larder = yield* Larder.make({
        name: "products",
        value: Schema.Finite,
        tags: () => ["all"],
        upstream: Upstream.make({
          lookup: (_: string) =>
            Effect.suspend(() =>
              source.away ? Effect.fail("away" as const) : Effect.succeed((source.asked += 1)),
            ),
        }),
        policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 day" }),
      })
      return yield* use(larder)
    }),
  ).pipe(Effect.provide(stack))

describe("memory in front of a file", () => {
  test(
    "a key that is encoded and decoded by its schema finds what an earlier process stored",
    Effect.gen(function* () {
      class Sku extends Schema.Class<Sku>("Sku")({ shop: Schema.String, n: Schema.Finite }) {}
      let asked = 0
      const stack = stackOf(yield* temporaryFile)
      const process = <A, E>(
        use: (larder: Larder.KeyedLarder<Sku, number>) => Effect.Effect<A, E, Scope.Scope>,
      ) =>
        Larder.make({
          name: "prices",
          value: Schema.Finite,
          key: Schema.fromJsonString(Sku),
          upstream: Upstream.make({ lookup: (_: Sku) => Effect.sync(() => (asked += 1)) }),
          policy: Policy.make({ freshFor: "1 hour" }),
        }).pipe(Effect.flatMap(use), Effect.scoped, Effect.provide(stack))
      const sku = new Sku({ shop: "north", n: 1 })
      const text = yield* process((prices) =>
        Effect.as(prices.get(sku), Schema.encodeSync(prices.keySchema)(sku)),
      )
      yield* process((prices) =>
        Effect.gen(function* () {
          const key = yield* Schema.decodeEffect(prices.keySchema)(text)
          assert.deepStrictEqual([...(yield* prices.getMany([key])).keys()], [key])
          assert.strictEqual(yield* prices.get(key), 1)
          yield* prices.get(new Sku({ shop: "south", n: 1 }))
        }),
      )
      assert.strictEqual(asked, 2)
    }),
  )

  const stackOf = (filename: string) =>
    TierStack.layer(MemoryTier.layer(), SqliteTier.layer({ filename }))

  test(
    "a warm file answers after a restart, with the remaining time",
    Effect.gen(function* () {
      const source = { asked: 0, away: false }
      const stack = stackOf(yield* temporaryFile)
      assert.strictEqual(yield* during(source, stack, (larder) => larder.get("k")), 1)
      yield* TestClock.adjust("40 minutes")
      yield* during(source, stack, (larder) =>
        Effect.gen(function* () {
          const found = yield* larder.getWithMeta("k")
          assert.deepStrictEqual([found.value, found.tier, found.age], [1, "sqlite", 2_400_000])
          yield* TestClock.adjust("20 minutes")
          assert.strictEqual(yield* larder.get("k"), 2)
        }),
      )
    }),
  )

  test(
    "laws 11, 12: what was removed, expired, invalidated before a restart is not fresh after it",
    Effect.gen(function* () {
      const source = { asked: 0, away: false }
      const stack = stackOf(yield* temporaryFile)
      yield* during(source, stack, (larder) =>
        Effect.gen(function* () {
          yield* larder.getMany(["removed", "expired", "kept"])
          yield* larder.remove("removed")
          yield* larder.expire("expired")
        }),
      )
      yield* during(source, stack, (larder) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* larder.read("removed")).freshness._tag, "Missing")
          assert.strictEqual((yield* larder.read("expired")).freshness._tag, "Stale")
          assert.strictEqual((yield* larder.read("kept")).freshness._tag, "Fresh")
          yield* larder.invalidateTags(["all"])
        }),
      )
      yield* during(source, stack, (larder) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* larder.read("kept")).freshness._tag, "Stale")
          source.away = true
          assert.strictEqual(yield* larder.get("kept"), 3)
          assert.strictEqual(yield* Effect.flip(larder.get("removed")), "away")
        }),
      )
    }),
  )

  test(
    "law 20: two processes on one file have one order of changes",
    Effect.gen(function* () {
      const source = { asked: 0, away: false }
      const filename = yield* temporaryFile
      yield* during(source, stackOf(filename), (one) =>
        during(source, stackOf(filename), (other) =>
          Effect.gen(function* () {
            const first = yield* one.set("k", 100)
            const second = yield* other.set("k", 200)
            assert.isAbove(second.version, first.version)
            assert.isTrue(first.settled && second.settled)
          }),
        ),
      )
      yield* during(source, stackOf(filename), (third) =>
        Effect.map(third.get("k"), (value) => assert.strictEqual(value, 200)),
      )
    }),
  )
})

describe("a file between memory and a shared tier", () => {
  /** A machine: a file of its own, in front of what all machines share. */
  const machineOf = (filename: string, shared: Layer.Layer<Tier.Tier>) =>
    TierStack.layer(MemoryTier.layer(), SqliteTier.layer({ filename }), shared)

  const sharedTier = Effect.map(Layer.build(Layer.fresh(MemoryTier.layerShared)), (context) => {
    const tier = Context.get(context, Tier.Tier)
    return { layer: Layer.succeed(Tier.Tier, tier), away: Layer.succeed(Tier.Tier, failing(tier)) }
  })

  test(
    "law 19: a warm file after an hour down, a key changed meanwhile, is not served as fresh",
    Effect.gen(function* () {
      const source = { asked: 0, away: false }
      const { layer: shared } = yield* sharedTier
      const here = machineOf(yield* temporaryFile, shared)
      const there = machineOf(yield* temporaryFile, shared)
      yield* during(source, here, (larder) => larder.getMany(["changed", "removed", "as it was"]))
      yield* TestClock.adjust("30 minutes")
      yield* during(source, there, (larder) =>
        Effect.andThen(larder.set("changed", 100), larder.remove("removed")),
      )
      yield* during(source, here, (larder) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* larder.get("changed"), 100)
          assert.strictEqual(yield* larder.get("as it was"), 3)
          assert.strictEqual(source.asked, 3)
          assert.strictEqual(yield* larder.get("removed"), 4)
        }),
      )
    }),
  )

  test(
    "law 12: tags invalidated elsewhere while this machine was down count here",
    Effect.gen(function* () {
      const source = { asked: 0, away: false }
      const { layer: shared } = yield* sharedTier
      const here = machineOf(yield* temporaryFile, shared)
      yield* during(source, here, (larder) => larder.get("k"))
      yield* during(source, machineOf(yield* temporaryFile, shared), (larder) =>
        larder.invalidateTags(["all"]),
      )
      yield* during(source, here, (larder) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* larder.read("k")).freshness._tag, "Stale")
          assert.strictEqual(yield* larder.get("k"), 2)
        }),
      )
    }),
  )

  test(
    "law 19: while the shared tier is away, what is in the file is for when upstream fails",
    Effect.gen(function* () {
      const source = { asked: 0, away: false }
      const filename = yield* temporaryFile
      const { away, layer } = yield* sharedTier
      yield* during(source, machineOf(filename, layer), (larder) => larder.get("k"))
      yield* during(source, machineOf(filename, away), (larder) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* larder.read("k")).freshness._tag, "Stale")
          source.away = true
          assert.strictEqual(yield* larder.get("k"), 1)
          source.away = false
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* larder.get("k"), 2)
        }),
      )
    }),
  )
})

const failing = (tier: Tier.ByteTier | Tier.ObjectTier): Tier.ByteTier => {
  if (tier.kind !== "bytes") throw new Error("a byte tier")
  const fail = (operation: string) => () =>
    Effect.fail(new Tier.TierError({ tier: tier.name, operation, cause: new Error("away") }))
  return {
    ...tier,
    open: (options) =>
      Effect.map(tier.open(options), () => ({
        read: fail("read"),
        put: fail("put"),
        drop: fail("drop"),
        arbiter: {
          acquire: fail("acquire"),
          renew: fail("renew"),
          release: fail("release"),
          commit: fail("commit"),
          write: fail("write"),
          mark: fail("mark"),
          marks: fail("marks"),
          messages: fail("messages")(),
        },
      })),
  }
}
