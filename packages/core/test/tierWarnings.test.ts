/** The warnings about values that a tier behind memory does not store. */
import { it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Layer, Logger, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { assert } from "vitest"
import { Faults, layer as faultyShared } from "./support/faultyTier.ts"

/** A larder whose upstream answers `value`, and its log lines. */
const make = <S extends Schema.Constraint & { readonly Type: string | number }>(
  value: S,
  answer: S["Type"],
  tier: Layer.Layer<Tier.Tier>,
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    const stack = yield* Layer.build(TierStack.layer(MemoryTier.layer(), tier))
    const larder = yield* Larder.make({
      name: "products",
      value: value as unknown as Schema.Codec<string | number>,
      upstream: Upstream.make({ lookup: (_: string) => Effect.succeed<string | number>(answer) }),
      policy: Policy.make({ freshFor: "1 hour", jitter: 0 }),
      // A tier that is still away when a test ends is not waited for.
      closeTimeout: 0,
    }).pipe(Effect.provide(stack), Effect.provide(Logger.layer([logger])))
    return { larder, lines }
  })

const test = (title: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () => Effect.scoped(body))

const took = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(1)
    return yield* Fiber.join(fiber)
  })

const megabyte = "y".repeat(1_500_000)

test(
  "a value that its schema refuses when it is written: one rate-limited line with larder, tier and remedy",
  Effect.gen(function* () {
    const short = Schema.String.check(Schema.isMaxLength(3))
    const { larder, lines } = yield* make(short, "secret value", faultyShared(new Faults()))
    assert.strictEqual(yield* larder.get("a key"), "secret value")
    for (let i = 0; i < 20; i++) yield* larder.set(`a key ${i}`, "secret value")
    assert.isAbove(lines.length, 0)
    assert.isAtMost(lines.length, 5)
    for (const line of lines) {
      assert.match(line, /^products: .*cannot be encoded.*shared.*schema/)
      assert.notMatch(line, /key \d|secret/)
    }
  }),
)

test(
  "a large value that does not reach the tier in time: its size and what would help, not the key",
  Effect.gen(function* () {
    const faults = new Faults()
    const { larder, lines } = yield* make(Schema.String, megabyte, faultyShared(faults))
    yield* larder.get("warm")
    faults.turn("fail", "writes")
    assert.isFalse((yield* took(larder.set("k", "small"))).settled)
    assert.deepStrictEqual(lines, [])
    faults.turn("none", "all")
    yield* TestClock.adjust("2 seconds")
    faults.turn("tooSlow", "writes")
    assert.isFalse((yield* took(larder.set("a key", megabyte))).settled)
    yield* took(larder.set("another key", megabyte))
    yield* TestClock.adjust("300 millis")
    faults.turn("fail", "writes")
    yield* took(larder.set("a key", megabyte))
    assert.lengthOf(lines, 3)
    for (const line of lines.slice(0, 2)) {
      assert.match(
        line,
        /^products: a value of 1\.5 MB did not reach shared within tierTimeout.*compress/i,
      )
    }
    assert.match(lines[2] ?? "", /did not reach shared; /)
    // A small value says nothing of sizes, nor does a breaker that is open.
    lines.length = 0
    for (let i = 0; i < 8; i++) yield* took(larder.set("k", "small"))
    yield* took(larder.set("a key", megabyte))
    assert.deepStrictEqual(lines, [])
  }),
)

test(
  "a value that the tier refuses: its size, where the tier tells it",
  Effect.gen(function* () {
    let notify: ((notice: Tier.Notice) => void) | undefined
    const tier = Layer.effect(
      Tier.Tier,
      Effect.map(Tier.Tier, (tier) => {
        assert(tier.kind === "bytes")
        return {
          ...tier,
          open: (options: Parameters<typeof tier.open>[0]) => {
            notify = options.notify
            return tier.open(options)
          },
        }
      }),
    ).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared)))
    const { lines } = yield* make(Schema.String, "v", tier)
    notify?.({ _tag: "Evicted", key: "a key", cause: "refused", bytes: 70_000_000 })
    notify?.({ _tag: "Evicted", key: "a key", cause: "refused" })
    notify?.({ _tag: "Evicted", key: "a key", cause: "size" })
    assert.lengthOf(lines, 2)
    assert.match(lines[0] ?? "", /^products: shared refused a value of 70\.0 MB/)
    assert.match(lines[1] ?? "", /^products: shared refused a value and /)
  }),
)
