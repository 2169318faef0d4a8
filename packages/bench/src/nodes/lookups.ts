/** In virtual time: how many lookups a key takes in all nodes for each period of freshness. */
import { MemoryTier, Policy, Tier } from "@larder/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { openNode } from "./shared.ts"

const freshFor = 10_000
const lookupMillis = 50

const policy = Policy.make({ freshFor, staleIfError: freshFor })

export interface Setting {
  readonly nodes: number
  readonly keys: number
  readonly periods: number
}

/** Moves time on until the effect has ended. */
const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(10)
    return yield* Fiber.join(fiber)
  })

/**
 * All nodes ask for all keys at the same moment, once the values of the period before have expired:
 * that is when most of them could look the same key up. Returns the lookups for each key and period.
 */
export const lookupsPerKey = ({ keys, nodes, periods }: Setting): Promise<number> =>
  Effect.gen(function* () {
    const tier = Context.get(yield* Layer.build(MemoryTier.layerShared), Tier.Tier)
    let lookups = 0
    const lookup = (key: string) =>
      Effect.suspend(() => {
        lookups += 1
        return Effect.as(Effect.sleep(lookupMillis), `${key} ${lookups}`)
      })
    const shared = Layer.succeed(Tier.Tier, tier)
    const larders = yield* Effect.forEach(Array.from({ length: nodes }), () =>
      openNode({ name: "growth", shared, lookup, policy }),
    )
    const names = Array.from({ length: keys }, (_, i) => `key ${i}`)
    const asked = larders.flatMap((larder) => names.map((name) => larder.get(name)))
    for (let period = 0; period < periods; period++) {
      yield* passing(Effect.all(asked, { concurrency: "unbounded", discard: true }))
      yield* TestClock.adjust(freshFor)
    }
    return lookups / (keys * periods)
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.orDie, Effect.runPromise)
