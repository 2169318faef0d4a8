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
  /** For which it takes samples, and warms up for as long, but no longer than a second. */
  readonly seconds: number
}

/** What is done with the entries of an entrant. */
interface Play {
  readonly shape: Shape
  readonly isStale: boolean
  /** What happens behind the callers is waited for, between the samples. */
  readonly settled: (lookups: number) => Promise<void>
}

const warmUpMillis = 1_000
const tag = "pantry"

/** Short enough to wait for, long enough to fill a cache in. */
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

/** How many lookups a sample has to make. */
const lookupsOf = ({ isStale, shape }: Play, asked: Asked, calls: number): number => {
  if (asked === "burst") return 1
  return asked === "cold" || shape === "tags" || isStale ? calls : 0
}

/** Until it has been looked up; and then a moment, for it to be stored. */
const refreshed =
  (source: Source.Source) =>
  async (lookups: number): Promise<void> => {
    const end = now() + 5_000
    while (source.lookups() < lookups && now() < end) await sleep(1)
    await sleep(5)
  }

/** One by one, since many can be had at once only where they are. */
const fill = async ({ run }: Subject, source: Source.Source): Promise<void> => {
  if (run.promise === undefined) throw new Error("nothing to fill it with")
  const fillOne = checked(run.promise, source, async () => {})
  for (const key of source.keys) await fillOne([key], 1)
}

/** Takes one sample after the other, in the case's unit, for so many milliseconds and at least once. */
const sampler = (
  { bench, variant: { asked } }: Chosen,
  play: Play,
  source: Source.Source,
  take: Checked,
) => {
  const keysFor = keysOf(asked, source, bench.calls)
  const lookups = lookupsOf(play, asked, bench.calls)
  // Each key is refreshed once in a pass over all of them, and then has to grow stale again.
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
    // Of the whole case, so that fresh entries are read in the same rhythm.
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
