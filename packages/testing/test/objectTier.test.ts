/** An object tier is an interface: a larder runs over one that knows nothing of the memory tier of the package. */
import { expect, it } from "@effect/vitest"
import { EarlyRefresh, Larder, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as TierConformance from "../src/TierConformance.ts"
import * as firstInFirstOut from "./support/firstInFirstOut.ts"

const bounded = firstInFirstOut.layer({ maxEntries: 3, maxWeight: Infinity })

TierConformance.suite({
  name: "an object tier of somebody else",
  layer: firstInFirstOut.layer({ maxEntries: 10_000, maxWeight: Infinity }),
})

const make = (policy: Partial<Policy.Options> = {}) =>
  Effect.suspend(() => {
    const asked: Array<string> = []
    const lookup = (key: string) =>
      Effect.sync(() => {
        asked.push(key)
        return `${key} ${asked.length}`
      })
    const options = {
      freshFor: "10 seconds",
      staleIfError: "1 hour",
      jitter: 0,
      ...policy,
    } as const
    const made = Larder.make({
      name: "somebody",
      upstream: Upstream.make({ lookup }),
      policy: Policy.make(options),
      tags: (value) => [value[0]!],
    })
    return Effect.map(made, (larder) => ({ larder, asked }))
  })

it.effect("law 17: its bounds hold, by what it gives up itself, also when they are lowered", () =>
  Effect.gen(function* () {
    const { asked, larder } = yield* make()
    for (const key of ["a", "b", "c", "d"]) yield* larder.get(key)
    expect(yield* larder.stats).toMatchObject({
      entries: 3,
      evictions: 1,
      bounds: { maxEntries: 3 },
    })
    yield* larder.get("b")
    expect(asked).toEqual(["a", "b", "c", "d"])
    yield* larder.get("a")
    expect(asked).toEqual(["a", "b", "c", "d", "a"])
    yield* larder.resizeMemory({ maxEntries: 1 })
    expect(yield* larder.stats).toMatchObject({ entries: 1, evictions: 4 })
    expect((yield* larder.getWithMeta("a")).tier).toBe("first in, first out")
  }).pipe(Effect.provide(TierStack.layer(bounded)), Effect.scoped),
)

it.effect("laws 11, 12: what a tag, an expiry and a removal leave of an entry there", () =>
  Effect.gen(function* () {
    const { larder } = yield* make()
    for (const key of ["a", "b", "c"]) yield* larder.get(key)
    yield* larder.invalidateTags(["a"])
    yield* larder.expire("b")
    yield* larder.remove("c")
    const tagOf = (key: string) => Effect.map(larder.read(key), ({ freshness }) => freshness._tag)
    expect([yield* tagOf("a"), yield* tagOf("b"), yield* tagOf("c")]).toEqual([
      "Stale",
      "Stale",
      "Missing",
    ])
    expect([yield* larder.get("a"), yield* larder.get("b")]).toEqual(["a 4", "b 5"])
    yield* larder.clear({ keepStale: false })
    expect(yield* larder.stats).toMatchObject({ entries: 0 })
  }).pipe(Effect.provide(TierStack.layer(bounded)), Effect.scoped),
)

it.effect("what is read there is refreshed early on a schedule", () =>
  Effect.gen(function* () {
    const earlyRefresh = EarlyRefresh.scheduled(
      EarlyRefresh.after(0.5),
      Schedule.spaced("1 second"),
    )
    const { asked, larder } = yield* make({ earlyRefresh })
    yield* larder.get("a")
    yield* TestClock.adjust("7 seconds")
    expect(asked).toEqual(["a", "a"])
  }).pipe(Effect.provide(TierStack.layer(bounded)), Effect.scoped),
)
