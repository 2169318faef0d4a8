/** Turns the samples of all rounds into summaries, ratios and verdicts. */
import type { Case, Goal, Variant } from "./cases.ts"
import { compare, type Comparison, type Summary, summary } from "./statistics.ts"

/** The samples of each round, by the names of the entrants. */
export type Rounds = ReadonlyMap<string, ReadonlyArray<ReadonlyArray<number>>>

export interface Line {
  /** The name of the entrant. */
  readonly contender: string
  readonly summary: Summary
  readonly rounds: ReadonlyArray<Summary>
  /** Absent for the baseline itself. */
  readonly comparison?: Comparison
}

export interface Verdict {
  readonly contender: string
  readonly than: string
  /** The highest ratio that meets the goal. */
  readonly goal: number
  readonly ratio: number
  readonly met: boolean
}

export interface Result {
  readonly case: string
  readonly title: string
  readonly variant: string
  readonly unit: Case["unit"]
  readonly lines: ReadonlyArray<Line>
  readonly verdicts: ReadonlyArray<Verdict>
}

export const result = (bench: Case, variant: Variant, rounds: Rounds): Result => {
  const of = (name: string): ReadonlyArray<ReadonlyArray<number>> => {
    const own = rounds.get(name)
    if (own === undefined) throw new Error(`${name} has no samples in ${bench.name}`)
    return own
  }
  const verdict = ({ entrant, ratio: goal, than = bench.baseline }: Goal): Verdict => {
    const { ratio } = compare(of(entrant), of(than))
    return { contender: entrant, than, goal, ratio, met: ratio <= goal }
  }
  return {
    case: bench.name,
    title: bench.title,
    variant: variant.name,
    unit: bench.unit,
    lines: bench.entrants.map(({ name }) => ({
      contender: name,
      summary: summary(of(name).flat()),
      rounds: of(name).map(summary),
      ...(name !== bench.baseline && { comparison: compare(of(name), of(bench.baseline)) }),
    })),
    verdicts: bench.goals.map(verdict),
  }
}
