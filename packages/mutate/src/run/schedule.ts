/** Selects and orders the tests of a mutant, and limits their time. */
import type { Mutant } from "../source/mutant.ts"
import type { Measured, Planned } from "../worker/protocol.ts"

/** The result of one run of all tests without a mutant. */
export interface Coverage {
  readonly tests: ReadonlyArray<Measured>
  /** The tests that evaluate a placement. */
  readonly byPlacement: ReadonlyMap<number, ReadonlyArray<Measured>>
  /** The placements evaluated when files load. */
  readonly loaded: ReadonlySet<number>
}

export const coverageOf = (
  tests: ReadonlyArray<Measured>,
  loaded: ReadonlyArray<number>,
): Coverage => {
  const byPlacement = new Map<number, Array<Measured>>()
  for (const test of tests) {
    for (const placement of test.covered) {
      const known = byPlacement.get(placement)
      if (known === undefined) byPlacement.set(placement, [test])
      else known.push(test)
    }
  }
  return { tests, byPlacement, loaded: new Set(loaded) }
}

/** Tests with many random sequences go last: another test says more about the mutant. */
export const isRandom = (key: string): boolean => /\/sequences\.test\.ts > /.test(key)

/** Ten times the time without a mutant, plus 2,000 ms for a busy machine, ms. */
const limitOf = ({ millis }: Measured): number => Math.ceil(2_000 + 10 * millis)

const planned = (test: Measured): Planned => ({ key: test.key, limit: limitOf(test) })

/** How many mutants of a file each test has noticed. */
export type Noticed = ReadonlyMap<string, number>

/** Tests that noticed mutants of the same file first, then fast ones, random sequences last. */
export const ordered = (
  tests: ReadonlyArray<Measured>,
  noticed: Noticed = new Map(),
): ReadonlyArray<Measured> => {
  /** The cost of running the test, per mutant that it is likely to notice. */
  const cost = ({ key, millis }: Measured) => (millis + 0.5) / (1 + 5 * (noticed.get(key) ?? 0))
  return tests.toSorted(
    (a, b) => Number(isRandom(a.key)) - Number(isRandom(b.key)) || cost(a) - cost(b),
  )
}

export const testsFor = (
  { placement }: Mutant,
  { byPlacement }: Coverage,
  noticed?: Noticed,
): ReadonlyArray<Planned> => ordered(byPlacement.get(placement) ?? [], noticed).map(planned)

/**
 * The tests for a mutant in code that runs once, when its file loads: all tests, since any may
 * depend on it. Tests that evaluate code of the file run first.
 */
export const testsForLoaded = (
  placementsOfFile: ReadonlySet<number>,
  { tests }: Coverage,
): ReadonlyArray<Planned> => {
  const near = ({ covered }: Measured) => covered.some((number) => placementsOfFile.has(number))
  const covering = tests.filter(({ covered }) => covered.length > 0)
  return [
    ...ordered(covering.filter(near)),
    ...ordered(covering.filter((test) => !near(test) && !isRandom(test.key))),
  ].map(planned)
}
