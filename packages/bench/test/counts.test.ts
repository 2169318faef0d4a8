/** Counts of the work of one operation, which are the same on every machine. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { describe, expect, it } from "vitest"
import { inFiber, type Keys, once } from "../src/guard/runs.ts"
import { asHundreds, refreshing, stale, warm } from "../src/guard/situations.ts"
import { clockOf, openLarder, type Surroundings, surroundings } from "../src/guard/subjects.ts"
import * as Source from "../src/source.ts"

const kinds = ["readings", "monotonic", "sleeps", "draws"] as const

/** `readings` of the time of day; those of monotonic time, of which each reading takes one, are counted apart. */
type Uses = Record<(typeof kinds)[number], number>

interface Counted extends Surroundings {
  readonly uses: Uses
}

const counting = (): Counted => {
  const { clock, pass } = surroundings()
  const chance = Random.Random.defaultValue()
  const uses: Uses = { readings: 0, monotonic: 0, sleeps: 0, draws: 0 }
  const counted =
    <A>(kind: keyof Uses, use: () => A) =>
    (): A => {
      uses[kind] += 1
      return use()
    }
  const time = clockOf({
    millis: counted("readings", clock.currentTimeMillisUnsafe),
    nanos: counted("readings", clock.currentTimeNanosUnsafe),
    monotonic: counted("monotonic", clock.monotonicTimeNanosUnsafe),
    sleep: (duration) => counted("sleeps", () => clock.sleep(duration))(),
  })
  const random: Random.Random = {
    nextIntUnsafe: counted("draws", () => chance.nextIntUnsafe()),
    nextDoubleUnsafe: counted("draws", () => chance.nextDoubleUnsafe()),
  }
  const context = Context.make(Clock.Clock, time).pipe(Context.add(Random.Random, random))
  return { context, pass, uses }
}

/** Fibers are numbered as they begin. */
const fibers = (): number => Effect.runFork(Effect.void).id

/** For each key, without what asking for none costs. */
const countsOf = async (
  { uses }: Counted,
  keys: Keys,
  ask: (keys: Keys) => Promise<unknown>,
): Promise<Uses & { readonly forks: number }> => {
  const before = { ...uses }
  const first = fibers()
  await ask(keys)
  const forks = (fibers() - first - 2) / keys.length
  const perKey = (kind: keyof Uses): number => (uses[kind] - before[kind]) / keys.length
  return {
    forks,
    readings: perKey("readings"),
    monotonic: perKey("monotonic"),
    sleeps: perKey("sleeps"),
    draws: perKey("draws"),
  }
}

const nothing = { forks: 0, readings: 0, monotonic: 0, sleeps: 0, draws: 0 }

describe("the counting itself", () => {
  const source = Source.make(10, "none")
  const counts = (extra: Effect.Effect<unknown>) => {
    const within = counting()
    const get = (key: string) =>
      extra.pipe(Effect.as(source.expected(key)), Effect.provideContext(within.context))
    return countsOf(within, source.keys, (keys) => inFiber(get, keys))
  }

  it("what does nothing counts nothing", async () => {
    expect(await counts(Effect.void)).toEqual(nothing)
  })

  it("every fiber, reading, draw and sleep is counted, for each key", async () => {
    const fork = Effect.forkDetach(Effect.void, { startImmediately: true })
    expect(await counts(Effect.andThen(fork, fork))).toEqual({ ...nothing, forks: 2 })
    const reading = Effect.andThen(Clock.currentTimeMillis, Clock.monotonicTimeNanos)
    expect(await counts(reading)).toEqual({ ...nothing, readings: 1, monotonic: 1 })
    expect(await counts(Random.next)).toEqual({ ...nothing, draws: 1 })
    expect(await counts(Effect.sleep(0))).toMatchObject({ sleeps: 1 })
  })

  it("an answer to another key is refused", async () => {
    const wrong = inFiber(() => Effect.succeed(source.expected("product/0")), source.keys)
    await expect(wrong).rejects.toThrow("the answer is not that of the last key")
  })
})

describe("what an operation does, for each key", () => {
  it("a fresh hit: no fiber, no draw, the time once", async () => {
    const within = counting()
    const { keys, larder } = await warm({ within })
    const counts = await countsOf(within, keys(), (asked) => inFiber(larder.get, asked))
    expect(counts).toEqual({ ...nothing, readings: 1, monotonic: 1 })
  })

  it("getMany of 100 fresh hits: no fiber, and the time once for all or twice", async () => {
    const within = counting()
    const { keys, larder } = await warm({ within })
    const counts = await countsOf(within, keys(), (asked) => once(asHundreds(larder, asked)))
    expect(counts).toMatchObject({ forks: 0, draws: 0 })
    expect(counts.readings).toBeLessThanOrEqual(0.02)
  })

  it("an asynchronous miss: one fiber, no sleep of its own", async () => {
    const within = counting()
    const source = Source.make(0, "turn")
    const larder = await openLarder(source, { within })
    await inFiber(larder.get, source.unasked(1))
    const counts = await countsOf(within, source.unasked(1_000), (asked) =>
      inFiber(larder.get, asked),
    )
    expect(counts.forks).toBeLessThanOrEqual(1)
    expect(counts.sleeps).toBeLessThanOrEqual(0.01)
  })

  it("a stale hit that begins a refresh: the fiber of the refresh; one whose refresh is under way: none", async () => {
    const within = counting()
    const { larder, staleAgain } = await stale(within, 200)
    const begins = await countsOf(within, await staleAgain(), (asked) => inFiber(larder.get, asked))
    expect(begins.forks).toBeLessThanOrEqual(1.01)
    const waiting = counting()
    const underWay = await refreshing(waiting)
    const joins = await countsOf(waiting, underWay.keys, (asked) =>
      inFiber(underWay.larder.get, asked),
    )
    expect(joins.forks).toBe(0)
  })
})

it("time passes when it is told to, on all its faces", () => {
  const { clock, pass } = surroundings()
  const before = [clock.currentTimeMillisUnsafe(), clock.monotonicTimeNanosUnsafe()] as const
  pass(3_600_000)
  expect(clock.currentTimeMillisUnsafe() - before[0]).toBeGreaterThanOrEqual(3_600_000)
  expect(clock.monotonicTimeNanosUnsafe() - before[1]).toBeGreaterThanOrEqual(3_600_000_000_000n)
})
