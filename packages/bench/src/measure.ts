/** One round of one entrant: fill, check, warm up, take samples. */
import type { Asked, Case, Entrant, Variant } from "./cases.ts"
import { type Checked, checked } from "./checked.ts"
import { now, sleep } from "./clock.ts"
import type { Contender, Lifetimes, Shape, Subject } from "./Contender.ts"
import { lists } from "./draw.ts"
import { keyCount } from "./sizes.ts"
import * as Source from "./source.ts"

export interface Chosen {
  readonly bench: Case
  readonly variant: Variant
  readonly entrant: Entrant
  /** How long to take samples; the warm-up takes as long, but at most a second. */
  readonly seconds: number
}

/** How an entrant's entries are used. */
interface Play {
  readonly shape: Shape
  readonly isStale: boolean
  /** Waits between samples for background work. */
  readonly settled: (lookups: number) => Promise<void>
}

const warmUpMillis = 1_000
const tag = "pantry"

/** Short enough to wait for, long enough to fill a cache. */
const soonStale: Lifetimes = { freshMillis: 1_000, graceMillis: 3_600_000 }

const perCall = { ns: 1e6, us: 1e3 }

const inUnit = ({ calls, unit }: Case, millis: number): number =>
  unit === "ms" ? millis : (millis * perCall[unit]) / calls

const isCold = (asked: Asked): boolean => asked === "cold" || asked === "burst"

/** The keys of each sample, by its number. */
const keysOf = (asked: Asked, source: Source.Source, size: number) => {
  if (asked === "cold") return () => source.unasked(size)
  if (asked === "burst") return () => new Array<string>(size).fill(source.unasked(1)[0]!)
  return lists(asked, source.keys, { size, seed: 1 })
}

/** The expected number of lookups in a sample. */
const lookupsOf = ({ isStale, shape }: Play, asked: Asked, calls: number): number => {
  if (asked === "burst") return 1
  return asked === "cold" || shape === "tags" || isStale ? calls : 0
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
const fill = async ({ run }: Subject, source: Source.Source): Promise<void> => {
  if (run.promise === undefined) throw new Error("nothing to fill it with")
  const fillOne = checked(run.promise, source, async () => {})
  for (const key of source.keys) await fillOne([key], 1)
}

/**
 * Takes samples one after the other, in the case's unit, for this many milliseconds and at least
 * one.
 */
const sampler = (
  { bench, variant: { asked } }: Chosen,
  play: Play,
  source: Source.Source,
  take: Checked,
) => {
  const keysFor = keysOf(asked, source, bench.calls)
  const lookups = lookupsOf(play, asked, bench.calls)
  // A pass over all keys refreshes each once; then all must become stale again.
  const pass = Math.floor(keyCount / bench.calls)
  let next = 0
  return async (millis: number): Promise<ReadonlyArray<number>> => {
    const samples: Array<number> = []
    const end = now() + millis
    do {
      if (play.isStale && next % pass === 0) await sleep(soonStale.freshMillis * 1.1)
      samples.push(inUnit(bench, (await take(keysFor(next++), lookups)).millis))
    } while (now() < end)
    return samples
  }
}

/** The samples of a round, in the case's unit. */
export const measure = async (
  contender: Contender,
  chosen: Chosen,
): Promise<ReadonlyArray<number>> => {
  const { bench, entrant, seconds, variant } = chosen
  const shape = entrant.shape ?? bench.shape
  const source = Source.make(keyCount, variant.latency)
  const play: Play = {
    shape,
    isStale: (entrant.age ?? bench.age) === "stale",
    // Fresh entrants of a stale case wait as well, so that all entrants run in the same rhythm.
    settled: bench.age === "stale" ? refreshed(source) : async () => {},
  }
  const subject = await contender({
    source,
    lifetimes: play.isStale ? soonStale : undefined,
    tag: shape === "tags" ? tag : undefined,
  })
  const run = subject.run[shape]
  if (run === undefined) throw new Error(`${entrant.name} cannot run as ${shape}`)
  if (!isCold(variant.asked)) await fill(subject, source)
  const samplesFor = sampler(chosen, play, source, checked(run, source, play.settled))
  await samplesFor(Math.min(warmUpMillis, seconds * 1_000))
  const samples = await samplesFor(seconds * 1_000)
  await subject.close()
  return samples
}
