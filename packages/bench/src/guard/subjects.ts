/** What is guarded, and what it is compared with: as in the benchmarks, with a clock and chance that are counted. */
import { MemoryTier, TierStack } from "@larder/core"
import * as Cache from "effect/Cache"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { lookup as lookupIn } from "../contenders/effectful.ts"
import * as product from "../contenders/product.ts"
import type { Source } from "../source.ts"

export interface Surroundings {
  readonly clock: Clock.Clock
  readonly random: Random.Random
  /** `readings` of the time of day; those of monotonic time are counted apart. */
  readonly counts: { readings: number; monotonic: number; sleeps: number; draws: number }
  /** Moves time on. */
  readonly pass: (millis: number) => void
}

/** Real time, moved on at will; all uses of time and chance are counted. */
export const surroundings = (): Surroundings => {
  const real = Clock.Clock.defaultValue()
  const chance = Random.Random.defaultValue()
  const counts = { readings: 0, monotonic: 0, sleeps: 0, draws: 0 }
  let passed = 0
  const counted =
    <A>(count: keyof typeof counts, use: () => A) =>
    (): A => {
      counts[count] += 1
      return use()
    }
  const millis = counted("readings", () => real.currentTimeMillisUnsafe() + passed)
  const nanosPassed = () => BigInt(passed) * 1_000_000n
  const nanos = counted("readings", () => real.currentTimeNanosUnsafe() + nanosPassed())
  const monotonic = counted("monotonic", () => real.monotonicTimeNanosUnsafe() + nanosPassed())
  return {
    clock: {
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: monotonic,
      monotonicTimeNanos: Effect.sync(monotonic),
      sleep: (duration) => counted("sleeps", () => real.sleep(duration))(),
    },
    random: {
      nextIntUnsafe: counted("draws", () => chance.nextIntUnsafe()),
      nextDoubleUnsafe: counted("draws", () => chance.nextDoubleUnsafe()),
    },
    counts,
    pass: (millis) => {
      passed += millis
    },
  }
}

export interface How {
  readonly within?: Surroundings
  readonly maxEntries?: number
  /** Of every product. Default: those of the benchmarks. */
  readonly tag?: string
  /** Default: in the source, with its latency. */
  readonly lookup?: ReturnType<typeof lookupIn>
}

export const openLarder = (
  source: Source,
  { lookup = lookupIn(source), maxEntries = 50_000, tag, within }: How = {},
) => {
  const opened = product
    .openLarder({
      lookup,
      stack: TierStack.layer(MemoryTier.layer({ maxEntries })),
      ...(tag !== undefined && { tags: () => [tag] }),
    })
    .pipe(
      Effect.orDie,
      Effect.map(({ larder }) => larder),
    )
  return Effect.runPromise(
    within === undefined
      ? opened
      : opened.pipe(
          Effect.provideService(Clock.Clock, within.clock),
          Effect.provideService(Random.Random, within.random),
        ),
  )
}

export type OpenLarder = Awaited<ReturnType<typeof openLarder>>

export const openCache = (source: Source) =>
  Effect.runPromise(
    Effect.map(
      Cache.make({ lookup: lookupIn(source), capacity: 50_000, timeToLive: "1 hour" }),
      (cache) => (key: string) => Cache.get(cache, key),
    ),
  )
