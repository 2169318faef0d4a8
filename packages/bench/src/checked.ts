/** Runs one sample at a time and compares the answers with the source. */
import { deepStrictEqual, strictEqual } from "node:assert"
import type { Run, Sample } from "./Contender.ts"
import type { Source } from "./source.ts"

/** Rejects when an answer is wrong, or when there is a lookup too many or too few. */
type Checked = (keys: ReadonlyArray<string>, lookups: number) => Promise<Sample>

/** `settled` waits until there are this many lookups in all, and their results are stored. */
export const checked = (
  run: Run,
  source: Source,
  settled?: (lookups: number) => Promise<void>,
): Checked => {
  /** The sums of lists that samples use again. */
  const sums = new WeakMap<ReadonlyArray<string>, number>()
  const sumOf = (keys: ReadonlyArray<string>): number => {
    const sum =
      sums.get(keys) ?? keys.reduce((total, key) => total + source.expected(key).number, 0)
    sums.set(keys, sum)
    return sum
  }
  return async (keys, lookups) => {
    const before = source.lookups()
    const sample = await run(keys)
    strictEqual(sample.sum, sumOf(keys), "the products are not those of the source")
    deepStrictEqual(sample.last, source.expected(keys.at(-1)!))
    await settled?.(before + lookups)
    strictEqual(source.lookups() - before, lookups, "lookups in one sample")
    return sample
  }
}
