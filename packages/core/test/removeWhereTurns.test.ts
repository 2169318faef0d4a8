/** `removeWhere` of many keys works in short turns of the event loop. */
import { PerformanceObserver, performance } from "node:perf_hooks"
import { it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect } from "effect"
import { assert } from "vitest"

/** What this thread has worked so far, in ms: not what it waited for on a machine that is busy. */
const worked = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1_000
}

interface Turn {
  readonly from: number
  readonly to: number
  readonly millis: number
}

/** The turns of the event loop while the effect runs, with the work in each, ms. */
const turnsOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const turns: Array<Turn> = []
    let isOver = false
    let from = performance.now()
    let before = worked()
    const turn = () => {
      const to = performance.now()
      const now = worked()
      turns.push({ from, to, millis: now - before })
      from = to
      before = now
      if (!isOver) setImmediate(turn)
    }
    setImmediate(turn)
    const result = yield* effect
    isOver = true
    return { result, turns }
  })

/** Turns in which no garbage was collected: that may be anybody's. */
const withoutCollections = <A, E, R>(measured: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const collections: Array<number> = []
    const observed = new PerformanceObserver((list) => {
      for (const { startTime } of list.getEntries()) collections.push(startTime)
    })
    observed.observe({ entryTypes: ["gc"] })
    const { result, turns } = yield* turnsOf(measured)
    // Collections are reported a little later.
    yield* Effect.sleep("50 millis")
    observed.disconnect()
    const clean = turns.filter(({ from, to }) => !collections.some((at) => at >= from && at < to))
    return { result, millis: clean.map(({ millis }) => millis).toSorted((a, b) => b - a) }
  })

it.live(
  "removing half of 100,000 keys from memory lets others have their turn",
  () =>
    Effect.scoped(
      Effect.gen(function* () {
        const larder = yield* Larder.make({
          name: "turns",
          upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
          policy: Policy.make({ freshFor: "1 hour" }),
        }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer({ maxEntries: 200_000 }))))
        const keys = Array.from({ length: 100_000 }, (_, i) => `${i % 2 ? "shop" : "other"}:${i}`)
        yield* larder.getMany(keys)
        const { millis, result } = yield* withoutCollections(
          larder.removeWhere({ prefix: "shop:" }),
        )
        assert.strictEqual(result.keys, 50_000)
        assert.isAbove(millis.length, 1_000)
        // But for a few in which code is compiled.
        assert.isBelow(millis[3]!, 10)
        assert.isBelow(millis[0]!, 20)
      }),
    ),
  { timeout: 60_000, retry: 2 },
)
