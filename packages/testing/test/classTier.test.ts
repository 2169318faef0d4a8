/** Tiers that users write as classes: the kit calls their methods as methods. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Chaos, LarderTest, TierConformance, Timeline } from "@larder/testing"
import { Effect, Layer, Schema } from "effect"
import * as classTier from "./support/classTier.ts"
import { Prices, Source } from "./support/shop.ts"

TierConformance.suite({ name: "a tier of classes", layer: classTier.layer })
TierConformance.suite({
  name: "a tier of classes with Chaos around it",
  layer: Layer.provide(Chaos.aroundTier(classTier.layer), Chaos.layer),
})

const options = {
  name: "lengths",
  value: Schema.Finite,
  upstream: Upstream.make({
    lookup: (key: string) => Effect.succeed(key.length),
    lookupMany: (keys) => Effect.succeed(new Map(keys.map((key) => [key, key.length]))),
  }),
  policy: Policy.make({ freshFor: "1 minute" }),
}

it.effect("a larder runs over a tier of classes", () =>
  Effect.gen(function* () {
    classTier.parts.clear()
    const one = yield* Larder.make(options)
    const other = yield* Larder.make(options)
    expect((yield* one.getMany(["milk", "eggs"])).size).toBe(2)
    expect((yield* one.set("milk", 5)).settled).toBe(true)
    yield* LarderTest.idle
    expect(yield* other.get("milk")).toBe(5)
    expect([...classTier.parts]).toEqual(["the only part"])
  }).pipe(
    Effect.scoped,
    Effect.provide(
      LarderTest.layerWith({ stack: TierStack.layer(MemoryTier.layer(), classTier.layer) }),
    ),
  ),
)

it.effect("nodes share a tier of classes, also while one stands still", () =>
  Effect.gen(function* () {
    classTier.parts.clear()
    const [a, b] = yield* LarderTest.nodes(2, Prices.layer, { shared: classTier.layer })
    const milk = LarderTest.settle(Prices.get("milk"))
    yield* a.run(milk)
    expect(yield* b.run(milk)).toBe(120)
    expect([...classTier.parts]).toEqual(["the only part"])
    yield* Timeline.expect("milk").lookups(1)
    yield* b.pause
    yield* a.run(Prices.set("milk", 130))
    yield* b.resume
    expect(yield* b.run(milk)).toBe(130)
    yield* Chaos.setTier("A/shared", { failure: 1 })
    expect((yield* LarderTest.settle(a.run(Prices.set("milk", 140)))).settled).toBe(false)
    yield* Chaos.calm
  }).pipe(Effect.scoped, Effect.provide([LarderTest.layer, Source.layer])),
)
