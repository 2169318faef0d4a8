import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { expect, it } from "vitest"
import { counted } from "../../src/guard/counts.ts"
import { inFiber } from "../../src/guard/runs.ts"
import { surroundings } from "../../src/guard/subjects.ts"
import * as Source from "../../src/source.ts"

const source = Source.make(10, "none")

const askedBy = (within: ReturnType<typeof surroundings>, extra: Effect.Effect<unknown>) =>
  counted(within, source.keys, (keys) =>
    inFiber(
      (key) =>
        extra.pipe(
          Effect.as(source.expected(key)),
          Effect.provideService(Clock.Clock, within.clock),
          Effect.provideService(Random.Random, within.random),
        ),
      keys,
    ),
  )

it("what does nothing counts nothing", async () => {
  expect(await askedBy(surroundings(), Effect.void)).toEqual({
    forks: 0,
    readings: 0,
    monotonic: 0,
    draws: 0,
    sleeps: 0,
  })
})

it("every fiber, clock reading, draw and sleep of an operation is counted, for each key", async () => {
  const fork = Effect.forkDetach(Effect.void, { startImmediately: true })
  const forking = Effect.andThen(fork, fork)
  expect(await askedBy(surroundings(), forking)).toMatchObject({ forks: 2, readings: 0 })
  const reading = Effect.andThen(Clock.currentTimeMillis, Clock.monotonicTimeNanos)
  expect(await askedBy(surroundings(), reading)).toMatchObject({
    forks: 0,
    readings: 1,
    monotonic: 1,
  })
  expect(await askedBy(surroundings(), Random.next)).toMatchObject({ draws: 1 })
  expect(await askedBy(surroundings(), Effect.sleep(0))).toMatchObject({ sleeps: 1 })
})

it("time passes when it is told to, on all its faces", async () => {
  const { clock, pass } = surroundings()
  const before = [clock.currentTimeMillisUnsafe(), clock.monotonicTimeNanosUnsafe()] as const
  pass(3_600_000)
  expect(clock.currentTimeMillisUnsafe() - before[0]).toBeGreaterThanOrEqual(3_600_000)
  expect(clock.monotonicTimeNanosUnsafe() - before[1]).toBeGreaterThanOrEqual(3_600_000_000_000n)
})

it("an answer to another key is refused", async () => {
  const wrong = inFiber(() => Effect.succeed(source.expected("product/0")), source.keys)
  await expect(wrong).rejects.toThrow("the answer is not that of the last key")
})
