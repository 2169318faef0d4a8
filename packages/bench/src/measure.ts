/** One round of one entrant: fill, check, warm up, take samples. */
import { type Case, cases, type Entrant, type Variant } from "./cases.ts"
import { checked } from "./checked.ts"
import { now, sleep } from "./clock.ts"
import { named } from "./command.ts"
import type { Contender, Lifetimes, Sample, Subject } from "./Contender.ts"
import { load } from "./contenders/registry.ts"
import { lists } from "./draw.ts"
import * as Source from "./source.ts"

interface Chosen {
  readonly bench: Case
  readonly variant: Variant
  readonly entrant: Entrant
  /** How long to take samples; the warm-up takes as long, but at most a second. */
  readonly seconds: number
  /** The URL of the Redis server; empty in a case without one. */
  readonly redis: string
}

const warmUpMillis = 1_000

/** Short enough to wait for, long enough to fill a cache. */
const soonStale: Lifetimes = { freshMillis: 1_000, graceMillis: 3_600_000 }

const perCall = { ns: 1e6, us: 1e3 }

const inUnit = ({ calls, unit }: Case, millis: number): number =>
  unit === "ms" ? millis : (millis * perCall[unit]) / calls

/** The keys of the next sample. */
const keysOf = ({ bench: { calls }, variant: { asked } }: Chosen, source: Source.Source) => {
  if (asked === "cold") return () => source.unasked(calls)
  if (asked === "burst") return () => new Array<string>(calls).fill(source.unasked(1)[0]!)
  return lists(asked, source.keys, calls)
}

/** Waits until the lookups have run, and a moment longer, until their results are stored. */
const refreshed =
  (source: Source.Source) =>
  async (lookups: number): Promise<void> => {
    const end = now() + 5_000
    while (source.lookups() < lookups && now() < end) await sleep(1)
    await sleep(5)
  }

/** Fills one by one: some libraries return many keys at once only when all are cached. */
const fill = async (subject: Subject, source: Source.Source): Promise<void> => {
  const fillOne = checked(subject.promise!, source)
  for (const key of source.keys) await fillOne([key], 1)
}

/** Takes samples in the case's unit for this many milliseconds, and at least one. */
const sampler = ({ bench }: Chosen, isStale: boolean, take: () => Promise<Sample>) => {
  // A pass over all keys refreshes each once; then all must become stale again.
  const pass = Math.floor(Source.keyCount / bench.calls)
  let taken = 0
  return async (millis: number): Promise<ReadonlyArray<number>> => {
    const samples: Array<number> = []
    const end = now() + millis
    do {
      if (isStale && taken++ % pass === 0) await sleep(soonStale.freshMillis * 1.1)
      samples.push(inUnit(bench, (await take()).millis))
    } while (now() < end)
    return samples
  }
}

/** The samples of a round, in the case's unit. */
const measure = async (contender: Contender, chosen: Chosen): Promise<ReadonlyArray<number>> => {
  const { bench, entrant, redis, seconds, variant } = chosen
  const shape = entrant.shape ?? bench.shape
  const isStale = (entrant.age ?? bench.age) === "stale"
  const isCold = variant.asked === "cold" || variant.asked === "burst"
  const source = Source.make(Source.keyCount, variant.latency)
  const subject = await contender({
    source,
    inFlight: bench.inFlight ?? Infinity,
    redis,
    lifetimes: isStale ? soonStale : undefined,
    tag: shape === "tags" ? "pantry" : undefined,
  })
  const run = subject[shape]
  if (run === undefined) throw new Error(`${entrant.name} cannot run as ${shape}`)
  if (!isCold) await fill(subject, source)
  // Fresh entrants of a stale case wait as well, so that all entrants run in the same rhythm.
  const take = checked(run, source, bench.age === "stale" ? refreshed(source) : undefined)
  const keys = keysOf(chosen, source)
  const missing = isCold || isStale || shape === "tags" ? bench.calls : 0
  const lookups = variant.asked === "burst" ? 1 : missing
  const samplesFor = sampler(chosen, isStale, () => take(keys(), lookups))
  await samplesFor(Math.min(warmUpMillis, seconds * 1_000))
  return samplesFor(seconds * 1_000)
}

/** Measures one round; it runs in a separate process. */
export const figures = async (
  caseName: string,
  variantName: string,
  entrantName: string,
  seconds: string,
  redis = "",
): Promise<ReadonlyArray<number>> => {
  const bench = named("case", cases, caseName)
  const variant = named("variant", bench.variants, variantName)
  const entrant = named("entrant", bench.entrants, entrantName)
  const contender = await load(entrant.contender)
  return measure(contender, { bench, variant, entrant, seconds: Number(seconds), redis })
}
