/** One round of one contender: fill, check, warm up, take samples. */
import { deepStrictEqual, strictEqual } from "node:assert"
import { type Case, keyCount, type Variant } from "./Case.ts"
import { now } from "./clock.ts"
import type { Contender, Sample } from "./Contender.ts"
import { lists } from "./draw.ts"
import * as Source from "./source.ts"

const warmUpMillis = 1_000

const perCall = { ns: 1e6, us: 1e3 }

const inUnit = (unit: Case["unit"], millis: number, calls: number): number =>
  unit === "ms" ? millis : (millis * perCall[unit]) / calls

/** One sample at a time; rejects where an answer is wrong or a lookup is one too many or too few. */
type Checked = (keys: ReadonlyArray<string>, lookups: number) => Promise<Sample>

const checked = (
  run: (keys: ReadonlyArray<string>) => Promise<Sample>,
  source: Source.Source,
): Checked => {
  const sums = new WeakMap<ReadonlyArray<string>, number>()
  const sumOf = (keys: ReadonlyArray<string>): number => {
    const known = sums.get(keys)
    if (known !== undefined) return known
    const sum = keys.reduce((total, key) => total + source.expected(key).number, 0)
    sums.set(keys, sum)
    return sum
  }
  return async (keys, lookups) => {
    const expectedSum = sumOf(keys)
    const before = source.lookups()
    const sample = await run(keys)
    strictEqual(sample.sum, expectedSum, "the products are not those of the source")
    deepStrictEqual(sample.last, source.expected(keys.at(-1)!))
    strictEqual(source.lookups() - before, lookups, "lookups in one sample")
    return sample
  }
}

/** The samples of one round, in the case's unit. */
export const measure = async (
  contender: Contender,
  bench: Case,
  variant: Variant,
): Promise<ReadonlyArray<number>> => {
  const source = Source.make(keyCount, variant.latency)
  const listOf = lists(variant.draw, source.keys, { size: bench.calls, seed: 1 })
  const cold = variant.draw === "cold"
  const subject = await contender.setup(source)
  const run = subject.run[bench.shape]
  // One by one, since many can be had at once only where they are.
  const fill = subject.run.promise
  if (run === undefined || fill === undefined) {
    throw new Error(`${contender.title} cannot run as ${bench.shape}`)
  }
  if (!cold) {
    const fillOne = checked(fill, source)
    for (const key of source.keys) await fillOne([key], 1)
  }
  const take = checked(run, source)
  let next = 0
  const samplesFor = async (millis: number): Promise<ReadonlyArray<number>> => {
    const samples: Array<number> = []
    const end = now() + millis
    do {
      const sample = await take(listOf(next++), cold ? 1 : 0)
      samples.push(inUnit(bench.unit, sample.millis, bench.calls))
    } while (now() < end)
    return samples
  }
  await samplesFor(warmUpMillis)
  const samples = await samplesFor(bench.seconds * 1_000)
  await subject.close()
  return samples
}
