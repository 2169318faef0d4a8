/** The guarded larder: as in the benchmarks, with a clock that can be moved on. */
import { MemoryTier, TierStack } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { lookup as lookupIn } from "../contenders/effectful.ts"
import * as larder from "../contenders/larder.ts"
import { maxEntries as mostEntries, type Source } from "../source.ts"

/** The surroundings of a larder. */
export interface Surroundings {
  /** The clock of the larder, and its random generator if that is not the one of the process. */
  readonly context: Context.Context<never>
  /** Advances the clock. */
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
export const surroundings = () => {
  const real = Clock.Clock.defaultValue()
  let passed = 0
  const nanosPassed = () => BigInt(passed) * 1_000_000n
  const clock = clockOf({
    millis: () => real.currentTimeMillisUnsafe() + passed,
    nanos: () => real.currentTimeNanosUnsafe() + nanosPassed(),
    monotonic: () => real.monotonicTimeNanosUnsafe() + nanosPassed(),
    sleep: (duration) => real.sleep(duration),
  })
  const pass = (millis: number): void => {
    passed += millis
  }
  return { clock, context: Context.make(Clock.Clock, clock), pass }
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
) =>
  larder
    .openLarder({ lookup, stack: TierStack.layer(MemoryTier.layer({ maxEntries })), tag })
    .pipe(Effect.provideContext(within?.context ?? Context.empty()), Effect.runPromise)

export type OpenLarder = Awaited<ReturnType<typeof openLarder>>
