import { MemoryTier, Tier, TierStack } from "@larder/core"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { CatalogueClient } from "../src/catalogueClient.ts"
import * as Contenders from "../src/contenders.ts"
import * as Protocol from "../src/nodeProtocol.ts"
import { awaitNew, monotonicMillis, watch } from "../src/probe.ts"
import { Products } from "../src/products.ts"
import * as ScriptedCatalogue from "./scriptedCatalogue.ts"

/** Two nodes of a shop with a TTL cache, and two of one with Larder over a tier that they share. */
const twoNodes = Effect.gen(function* () {
  const catalogue = yield* ScriptedCatalogue.make
  const client = CatalogueClient.layer("http://catalogue").pipe(Layer.provide(catalogue.layer))
  const tier = Context.get(yield* Layer.build(MemoryTier.layerShared), Tier.Tier)
  const stack = TierStack.layer(MemoryTier.layer(), Layer.succeed(Tier.Tier, tier))
  const larder = Effect.gen(function* () {
    const products = Products.layer.pipe(Layer.provide(stack), Layer.provide(client))
    return yield* Effect.provide(Contenders.withLarder, yield* Layer.build(Layer.fresh(products)))
  })
  const ttl = Effect.provide(Contenders.withTtlCache(), client)
  return { catalogue, ttl: [yield* ttl, yield* ttl], larder: [yield* larder, yield* larder] }
})

/** Runs the effect while time passes, at most `steps` times 5 ms. */
const passing = Effect.fnUntraced(function* <A, E>(effect: Effect.Effect<A, E>, steps: number) {
  const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
  for (let step = 0; step < steps && fiber.pollUnsafe() === undefined; step++) {
    yield* TestClock.adjust(5)
  }
  return yield* Fiber.join(fiber)
})

describe("the price change on another node", () => {
  it.effect("comes with Larder's message after one lookup, with a TTL when that has ended", () =>
    Effect.gen(function* () {
      const { catalogue, larder, ttl } = yield* twoNodes
      const probes = {
        ttl: yield* watch(ttl[1]!, 5),
        larder: yield* watch(larder[1]!, 5),
      }
      yield* TestClock.adjust(500)
      yield* catalogue.behave({ latencyMillis: 20, priceList: 2 })
      yield* passing(Effect.all([ttl[0]!.newPriceList, larder[0]!.newPriceList]), 100)
      const settled = yield* monotonicMillis
      const after = (moment: number | undefined) => (moment ?? Number.NaN) - settled
      assert.isUndefined(yield* probes.larder.allNew)
      const byMessage = after(yield* passing(awaitNew(probes.larder, 4_000), 1_000))
      const byTtl = after(yield* passing(awaitNew(probes.ttl, 4_000), 1_000))
      assert.isAtLeast(byMessage, 20)
      assert.isAtMost(byMessage, 30)
      // The products were looked up 480 ms before, and are fresh for 2 s.
      assert.isAtLeast(byTtl, 1_500)
      assert.isAtMost(byTtl, 1_600)
    }),
  )

  it.effect("is not found where a shop goes back to an old price", () =>
    Effect.gen(function* () {
      const { catalogue, ttl } = yield* twoNodes
      const probe = yield* watch(ttl[0]!, 5)
      yield* catalogue.behave({ latencyMillis: 20, priceList: 2 })
      yield* TestClock.adjust(100)
      assert.isNumber(yield* probe.allNew)
      yield* catalogue.behave({ latencyMillis: 20, priceList: 1 })
      yield* ttl[0]!.newPriceList
      yield* TestClock.adjust(100)
      assert.isUndefined(yield* probe.allNew)
      assert.isUndefined(yield* passing(awaitNew(probe, 200), 100))
    }),
  )
})

describe("what the processes say to each other", () => {
  it.effect("moments come back as they were sent, null for never", () =>
    Effect.gen(function* () {
      const answer: Protocol.Answer = { "TTL cache": null, Larder: 12.345 }
      const line = yield* Schema.encodeEffect(Protocol.Answer)(answer)
      assert.notInclude(line, "\n")
      assert.deepStrictEqual(yield* Schema.decodeEffect(Protocol.Answer)(line), answer)
    }),
  )
})
