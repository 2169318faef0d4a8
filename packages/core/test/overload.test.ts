/** An upstream that can do so much, everything flushed, and five times that much asked of it. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"

const capacity = 10
const lookupMillis = 100
const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
/** Requests in 100 ms: five times what upstream can look up in that time. */
const load = 5 * capacity

/** Each lookup beyond the capacity makes all of them slower, as in a database that thrashes. */
const thrashing = () => {
  let running = 0
  let most = 0
  const lookup = (key: string) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        running += 1
        most = Math.max(most, running)
      }),
      () =>
        Effect.suspend(() => {
          const factor = running <= capacity ? 1 : (running / capacity) ** 2
          return Effect.as(Effect.sleep(lookupMillis * factor), key)
        }),
      () => Effect.sync(() => (running -= 1)),
    )
  return { lookup, most: () => most }
}

interface Tick {
  readonly answered: number
  readonly failed: number
  readonly quick: number
}

/** Sends the load for `ticks` tenths of a second; says for each how the requests sent in it ended. */
const send = (get: (key: string) => Effect.Effect<unknown, unknown>, ticks: number, from: number) =>
  Effect.gen(function* () {
    const sent: Array<ReadonlyArray<Fiber.Fiber<readonly [boolean, number]>>> = []
    for (let tick = 0; tick < ticks; tick++) {
      const fibers: Array<Fiber.Fiber<readonly [boolean, number]>> = []
      for (let i = 0; i < load; i++) {
        // A stride that meets every key in turn, so that the load is the same in every run.
        const key = keys[((from + tick) * load + i * 37) % keys.length]
        const request = Effect.gen(function* () {
          const began = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
          const exit = yield* Effect.exit(get(key))
          const ended = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
          return [Exit.isSuccess(exit), ended - began] as const
        })
        fibers.push(yield* Effect.forkChild(request, { startImmediately: true }))
      }
      sent.push(fibers)
      yield* TestClock.adjust(lookupMillis)
    }
    yield* TestClock.adjust("30 seconds")
    return yield* Effect.forEach(sent, (fibers) =>
      Effect.map(Fiber.joinAll(fibers), (results): Tick => ({
        answered: results.filter(([ok]) => ok).length,
        failed: results.filter(([ok]) => !ok).length,
        quick: results.filter(([ok, millis]) => ok && millis < 10).length,
      })),
    )
  })

const makeLarder = (lookup: (key: string) => Effect.Effect<string>) =>
  Larder.make({
    name: "overload",
    upstream: Upstream.make({ lookup }).pipe(
      Upstream.withConcurrency({ foreground: capacity - 2, background: 2, queue: 2 * capacity }),
      Upstream.withCircuitBreaker(),
    ),
    policy: Policy.make({
      freshFor: "10 minutes",
      staleIfError: "10 minutes",
      hardTimeout: "1 second",
    }),
  })

describe("overload", () => {
  it.effect.each([true, false])(
    "everything flushed (stale kept: %s) under five times the capacity: back to steady",
    (keepStale) =>
      Effect.gen(function* () {
        const upstream = thrashing()
        const larder = yield* makeLarder(upstream.lookup)
        yield* send(larder.get, 60, 0)
        const steady = yield* send(larder.get, 1, 60)
        expect(steady[0]).toEqual({ answered: load, failed: 0, quick: load })

        yield* larder.clear({ keepStale })
        const ticks = yield* send(larder.get, 60, 61)
        // With something stale nobody fails at all.
        if (keepStale) expect(ticks.every(({ failed }) => failed === 0)).toBe(true)
        else expect(ticks.some(({ failed }) => failed > 0)).toBe(true)
        expect(ticks.at(-1)).toEqual({ answered: load, failed: 0, quick: load })
        expect(upstream.most()).toBeLessThanOrEqual(capacity)
      }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer()))),
  )

  it.effect("the same load without a cache in front: upstream goes down and stays down", () =>
    Effect.gen(function* () {
      const upstream = thrashing()
      const get = (key: string) => Effect.timeout(upstream.lookup(key), "1 second")
      const ticks = yield* send(get, 60, 0)
      expect(ticks.at(-1)).toMatchObject({ failed: load })
      expect(upstream.most()).toBeGreaterThan(10 * capacity)
    }),
  )
})
