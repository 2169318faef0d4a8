/** The mutants of a piece of source, as they are read in a report. */
import { firstNumbers, instrument } from "../../src/source/instrument.ts"

export const mutantsOf = (source: string) => instrument("a.ts", source, firstNumbers).mutants

export const mutated = (source: string): ReadonlyArray<string> =>
  mutantsOf(source).map(({ mutated, original }) => `${original} -> ${mutated}`)
