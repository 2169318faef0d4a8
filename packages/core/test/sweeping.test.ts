/** Early refresh on a schedule: for the policy of each value, in as many sweeps as there are schedules, within a bound. */
import { expect, it } from "@effect/vitest"
import { EarlyRefresh, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Clock, Effect, type Layer, Logger, Schedule, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { countedClock } from "./support/countedClock.ts"

const plain = Policy.make({ freshFor: "10 seconds" })

const sweptOn = (schedule: Schedule.Schedule<unknown>) =>
  Policy.make({
    ...plain,
    earlyRefresh: EarlyRefresh.scheduled(EarlyRefresh.after(0.8), schedule),
  })

/** A larder whose lookups are counted by key. */
const make = (policy: Policy.Policy | Policy.AdaptivePolicy<number, string>) =>
  Effect.gen(function* () {
    const asked = new Map<string, number>()
    const larder = yield* Larder.make({
      name: "swept",
      policy,
      upstream: Upstream.make({
        lookup: (key: string) =>
          Effect.sync(() => {
            const count = (asked.get(key) ?? 0) + 1
            asked.set(key, count)
            return count
          }),
      }),
    })
    return { larder, asked }
  })

const test = (
  title: string,
  body: Effect.Effect<void, unknown, TierStack.TierStack | Scope.Scope>,
  stack: Layer.Layer<TierStack.TierStack> = TierStack.layer(MemoryTier.layer()),
) =>
  it.effect(title, () =>
    Effect.andThen(
      TestClock.setTime(1_790_000_000_000),
      body.pipe(Effect.scoped, Effect.provide(stack)),
    ),
  )

const everySecond = Schedule.spaced("1 second")

test(
  "a schedule that an adaptive policy gives is swept, for the values that it gives it for",
  Effect.gen(function* () {
    const swept = sweptOn(everySecond)
    const onRead = Policy.make({ ...plain, earlyRefresh: EarlyRefresh.after(0.8) })
    const policies: Readonly<Record<string, Policy.Policy>> = { swept, onRead, plain }
    const { asked, larder } = yield* make(
      Policy.adaptive(plain, (_value: number, key: string) => policies[key] ?? plain),
    )
    for (const key of Object.keys(policies)) {
      yield* larder.get(key)
      yield* larder.get(key)
    }
    yield* TestClock.adjust("9 seconds")
    expect(Object.fromEntries(asked)).toEqual({ swept: 2, onRead: 1, plain: 1 })
  }),
)

test(
  "each value is swept on the schedule of its own policy",
  Effect.gen(function* () {
    const policies: Readonly<Record<string, Policy.Policy>> = {
      often: sweptOn(Schedule.spaced("500 millis")),
      seldom: sweptOn(Schedule.spaced("9500 millis")),
    }
    const { asked, larder } = yield* make(
      Policy.adaptive(plain, (_value: number, key: string) => policies[key] ?? plain),
    )
    for (const key of Object.keys(policies)) yield* larder.get(key)
    yield* TestClock.adjust("9 seconds")
    expect(Object.fromEntries(asked)).toEqual({ often: 2, seldom: 1 })
    yield* TestClock.adjust("600 millis")
    expect(Object.fromEntries(asked)).toEqual({ often: 2, seldom: 2 })
  }),
)

test(
  "a schedule for each value: the sweeps are bounded, one warning, and every value is swept",
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => {
      lines.push(String(message))
    })
    yield* Effect.gen(function* () {
      const { clock, sleeps } = yield* countedClock
      const { asked, larder } = yield* Effect.provideService(
        make(Policy.adaptive(plain, () => sweptOn(Schedule.spaced("1 second")))),
        Clock.Clock,
        clock,
      )
      const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
      for (const key of keys) yield* larder.get(key)
      expect(sleeps.running).toBeLessThanOrEqual(16)
      yield* TestClock.adjust("9 seconds")
      expect([...asked.values()]).toEqual(Array(100).fill(2))
    }).pipe(Effect.provide(Logger.layer([logger])))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain("Make the Schedule once")
  }),
)

test(
  "law 17: nothing sleeps before something is kept that is to be swept",
  Effect.gen(function* () {
    const { clock, sleeps } = yield* countedClock
    const { larder } = yield* Effect.provideService(make(sweptOn(everySecond)), Clock.Clock, clock)
    yield* TestClock.adjust("1 minute")
    expect(sleeps.begun).toBe(0)
    yield* larder.get("k")
    yield* TestClock.adjust("1 second")
    expect(sleeps.begun).toBeGreaterThan(0)
    // When nothing is fresh any more, the sweep rests.
    yield* TestClock.adjust("1 minute")
    const before = sleeps.begun
    yield* TestClock.adjust("1 minute")
    expect(sleeps.begun).toBe(before)
    yield* larder.get("k")
    yield* TestClock.adjust("9 seconds")
    expect(sleeps.begun).toBeGreaterThan(before)
  }),
)

test(
  "what is stale is not swept: it waits for the next caller",
  Effect.gen(function* () {
    const { asked, larder } = yield* make(
      Policy.make({ ...sweptOn(Schedule.spaced("11 seconds")), staleWhileRevalidate: "1 hour" }),
    )
    yield* larder.get("k")
    yield* larder.get("k")
    yield* TestClock.adjust("30 seconds")
    expect(asked.get("k")).toBe(1)
    expect((yield* larder.stats).earlyRefreshes).toBe(0)
  }),
)
