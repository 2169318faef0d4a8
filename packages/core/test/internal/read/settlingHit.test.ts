/** Hits in memory while a newer value, which callers have got already, is on its way to the arbiter. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as scripted from "../../support/scriptedTier.ts"

const settled = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

/** A node whose memory has 1, and whose lookup of 2 takes 50 ms to reach the arbiter. */
const settling = Effect.gen(function* () {
  yield* TestClock.setTime(1_790_000_000_000)
  const script = new scripted.Script()
  let value = 0
  const node = yield* Larder.make({
    name: "settling",
    value: Schema.Finite,
    upstream: Upstream.make({ lookup: (_: string) => Effect.sync(() => (value += 1)) }),
    policy: Policy.make({ freshFor: "1 hour" }),
  }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(), scripted.layer(script))))
  yield* node.get("k")
  script.instead.commit = scripted.slowly(50)
  const refresh = yield* Effect.forkChild(node.refresh("k"), { startImmediately: true })
  yield* settled
  expect(yield* Fiber.join(refresh)).toBe(2)
  return node
})

const gets = (node: Larder.Larder<string, number>, options?: Larder.GetOptions) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(node.get("k", options), { startImmediately: true })
    yield* settled
    return fiber.pollUnsafe()
  })

it.effect("every caller gets the newer value, not only the first", () =>
  Effect.gen(function* () {
    const node = yield* settling
    const got = [yield* gets(node), yield* gets(node), yield* gets(node)]
    yield* TestClock.adjust("1 second")
    expect(got).toMatchObject([{ value: 2 }, { value: 2 }, { value: 2 }])
  }).pipe(Effect.scoped),
)
