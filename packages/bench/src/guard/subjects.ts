/**
 * The guarded larder and the caches it is compared with: as in the benchmarks, with a clock that
 * can be moved on.
 */
import { MemoryTier, TierStack } from "@larder/core"
import * as Cache from "effect/Cache"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { lookup as lookupIn } from "../contenders/effectful.ts"
import * as product from "../contenders/larder.ts"
import { maxEntries as mostEntries, type Source } from "../source.ts"

/** The clock and the random source of a larder. */
export interface Surroundings {
  readonly clock: Clock.Clock
  /** Default: the random source of the process. */
  readonly random?: Random.Random
  /** Moves time on. */
  readonly pass: (millis: number) => void
}

/** A clock of these functions; each property reads the time when it is used. */
export const clockOf = (read: {
  readonly millis: () => number
  readonly nanos: () => bigint
  readonly monotonic: () => bigint
  readonly sleep: Clock.Clock["sleep"]
}): Clock.Clock => ({
  currentTimeMillisUnsafe: read.millis,
  currentTimeMillis: Effect.sync(read.millis),
  currentTimeNanosUnsafe: read.nanos,
  currentTimeNanos: Effect.sync(read.nanos),
  monotonicTimeNanosUnsafe: read.monotonic,
  monotonicTimeNanos: Effect.sync(read.monotonic),
  sleep: read.sleep,
})

/** Real time that can be moved on. */
export const surroundings = (): Surroundings => {
  const real = Clock.Clock.defaultValue()
  let passed = 0
  const millis = () => real.currentTimeMillisUnsafe() + passed
  const nanosPassed = () => BigInt(passed) * 1_000_000n
  const nanos = () => real.currentTimeNanosUnsafe() + nanosPassed()
  const monotonic = () => real.monotonicTimeNanosUnsafe() + nanosPassed()
  return {
    clock: clockOf({ millis, nanos, monotonic, sleep: (duration) => real.sleep(duration) }),
    pass: (millis) => {
      passed += millis
    },
  }
}

export interface How {
  readonly within?: Surroundings
  readonly maxEntries?: number
  /** The tag of every product. Default: those of the benchmarks. */
  readonly tag?: string
  /** Default: a lookup in the source, with its latency. */
  readonly lookup?: ReturnType<typeof lookupIn>
}

export const openLarder = (
  source: Source,
  { lookup = lookupIn(source), maxEntries = mostEntries, tag, within }: How = {},
) => {
  const opened = product
    .openLarder({
      lookup,
      stack: TierStack.layer(MemoryTier.layer({ maxEntries })),
      tag,
    })
    .pipe(
      Effect.orDie,
      Effect.map(({ larder }) => larder),
    )
  if (within === undefined) return Effect.runPromise(opened)
  const { clock, random = Random.Random.defaultValue() } = within
  return opened.pipe(
    Effect.provideService(Clock.Clock, clock),
    Effect.provideService(Random.Random, random),
    Effect.runPromise,
  )
}

export type OpenLarder = Awaited<ReturnType<typeof openLarder>>

export const openCache = (source: Source) =>
  Effect.runPromise(
    Effect.map(
      Cache.make({ lookup: lookupIn(source), capacity: mostEntries, timeToLive: "1 hour" }),
      (cache) => (key: string) => Cache.get(cache, key),
    ),
  )
