/** Samples of all rounds to what is shown and written: summaries, ratios, verdicts. */
import type { Case, Variant } from "./Case.ts"
import type { ContenderName } from "./contenders/registry.ts"
import { compare, type Comparison, type Summary, summary } from "./statistics.ts"

/** Samples per contender, one list for each round. */
export type Rounds = Readonly<Partial<Record<ContenderName, ReadonlyArray<ReadonlyArray<number>>>>>

export interface Line {
  readonly contender: ContenderName
  readonly summary: Summary
  readonly rounds: ReadonlyArray<Summary>
  /** Absent for the baseline itself. */
  readonly comparison?: Comparison
  /** Only for the contender that the case has a goal for. */
  readonly goal?: { readonly ratio: number; readonly met: boolean }
}

export interface Result {
  readonly case: string
  readonly title: string
  readonly variant: string
  readonly unit: Case["unit"]
  readonly lines: ReadonlyArray<Line>
}

export const result = (bench: Case, variant: Variant, rounds: Rounds): Result => {
  const of = (contender: ContenderName) => {
    const samples = rounds[contender]
    if (samples === undefined) throw new Error(`${contender} has no samples in ${bench.name}`)
    return samples
  }
  const line = (contender: ContenderName): Line => {
    const own = of(contender)
    const figures = { contender, summary: summary(own.flat()), rounds: own.map(summary) }
    if (contender === bench.baseline) return figures
    const comparison = compare(own, of(bench.baseline))
    if (contender !== bench.goal.contender) return { ...figures, comparison }
    const { ratio } = bench.goal
    return { ...figures, comparison, goal: { ratio, met: comparison.ratio <= ratio } }
  }
  return {
    case: bench.name,
    title: bench.title,
    variant: variant.name,
    unit: bench.unit,
    lines: bench.contenders.map(line),
  }
}
