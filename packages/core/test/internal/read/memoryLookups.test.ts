/** How often memory hashes a key for one call: each `find`, `peek` and `put` hashes it once. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"

const hashing = ["find", "peek", "put", "delete", "forgetStamp"] as const

type Options = Parameters<Tier.ObjectTier["open"]>[0]

/** A memory tier that reports each operation by key. */
const counted = (report: (operation: string) => void) => {
  const watch = (store: Tier.ObjectStore): Tier.ObjectStore =>
    new Proxy(store, {
      get: (target, name) => {
        const found: unknown = Reflect.get(target, name, target)
        if (typeof found !== "function") return found
        return (...given: ReadonlyArray<unknown>): unknown => {
          if (hashing.some((one) => one === name)) report(String(name))
          return Reflect.apply(found, target, given)
        }
      },
    })
  return Layer.effect(
    Tier.Tier,
    Effect.map(Effect.service(Tier.Tier), (tier) =>
      tier.kind === "objects"
        ? { ...tier, open: (options: Options) => Effect.map(tier.open(options), watch) }
        : tier,
    ),
  ).pipe(Layer.provide(MemoryTier.layer()))
}

const operations: Array<string> = []
const during = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(effect, () => operations.splice(0))

it.effect("a miss over memory alone hashes its key three times, a hit once", () =>
  Effect.gen(function* () {
    const larder = yield* Larder.make({
      name: "words",
      upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
      policy: Policy.make({ freshFor: "1 minute", staleWhileRevalidate: "1 minute" }),
    })
    const get = during(larder.get("milk"))
    expect(yield* get).toEqual(["find", "find", "put"])
    expect(yield* get).toEqual(["find"])
    yield* TestClock.adjust("90 seconds")
    // The stale value is returned; the refresh, which no caller waits for, only stores.
    expect(yield* get).toEqual(["find", "find"])
    expect(yield* during(TestClock.adjust("1 second"))).toEqual(["put"])
  }).pipe(
    Effect.provide(TierStack.layer(counted((operation) => operations.push(operation)))),
    Effect.scoped,
  ),
)
