/** A lookup that runs without a lease, while the arbiter does not answer and messages arrive. */
import { expect } from "@effect/vitest"
import { type Larder, MemoryTier, TierStack } from "@larder/core"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyShared } from "../../support/faultyTier.ts"
import { fork, make, source, start, test } from "../../support/nodes.ts"

/** A node looks up for 200 ms. Another one changes the key, and its message arrives meanwhile; then a second caller comes. */
const lookups = (
  changedAt: "before" | "during",
  change: (node: Larder.Larder<string, number, string>) => Effect.Effect<unknown, unknown>,
) =>
  Effect.gen(function* () {
    yield* start
    const faults = new Faults()
    const network = { deliver: () => [changedAt === "before" ? 150 : 0] }
    const shared = yield* Layer.build(MemoryTier.layerSharedWith({ network }))
    const sharedLayer = Layer.succeedContext(shared)
    const faulty = Layer.succeedContext(yield* Layer.build(faultyShared(faults, {}, sharedLayer)))
    const slow = source(Effect.delay(Effect.succeed(1), 200))
    const a = yield* make(slow, TierStack.layer(MemoryTier.layer(), faulty))
    const b = yield* make(
      source(Effect.succeed(1)),
      TierStack.layer(MemoryTier.layer(), sharedLayer),
    )
    // The node learns the arbiter's time.
    const warm = yield* fork(a.get("another"))
    yield* TestClock.adjust(1_000)
    yield* Fiber.join(warm)
    const before = slow.asked
    if (changedAt === "before") yield* change(b)
    yield* TestClock.adjust(50)
    faults.turn("fail", "all")
    const first = yield* fork(a.get("k"))
    yield* TestClock.adjust(50)
    if (changedAt === "during") yield* change(b)
    yield* TestClock.adjust(100)
    const second = yield* fork(a.get("k"))
    yield* TestClock.adjust(1_000)
    yield* Fiber.join(first)
    yield* Fiber.join(second)
    return slow.asked - before
  })

test(
  "law 7: the message of a removal from before the lookup began begins no other",
  Effect.gen(function* () {
    expect(yield* lookups("before", (b) => b.remove("k"))).toBe(1)
  }),
)

// The place of a value is that of its token: it may be of a write of the source that has ended since.
test(
  "law 11: a caller that comes after the message of a value that was not known does not join the lookup",
  Effect.gen(function* () {
    expect(yield* lookups("before", (b) => b.set("k", 2))).toBe(2)
  }),
)

test(
  "law 11: a caller that comes after the message of a change since the lookup began does not join it",
  Effect.gen(function* () {
    expect(yield* lookups("during", (b) => b.set("k", 2))).toBe(2)
  }),
)
