/** Turns the samples of all rounds into summaries, ratios and verdicts. */
import { compare, type Comparison, type Summary, summary } from "./statistics.ts"

/** The highest ratio of medians that meets the goal. */
export interface Goal {
  readonly entrant: string
  readonly than: string
  readonly ratio: number
}

/** A comparison of entrants, with its goals. */
export interface Compared {
  readonly name: string
  readonly title: string
  readonly entrants: ReadonlyArray<{ readonly name: string }>
  /** The entrant that the others are compared with. */
  readonly baseline: string
  readonly goals: ReadonlyArray<Goal>
  /**
   * `us`: microseconds per call. `ns`: nanoseconds per call. `ms`: milliseconds for all calls of a
   * sample together. `B`: bytes.
   */
  readonly unit: "ns" | "us" | "ms" | "B"
}

/** The samples of each round, by the names of the entrants. */
export type Rounds = ReadonlyMap<string, ReadonlyArray<ReadonlyArray<number>>>

export interface Line {
  /** The name of the entrant. */
  readonly contender: string
  readonly summary: Summary
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
  readonly unit: Compared["unit"]
  readonly lines: ReadonlyArray<Line>
  readonly verdicts: ReadonlyArray<Verdict>
}

export const result = (compared: Compared, variant: string, rounds: Rounds): Result => {
  const { baseline, entrants, goals, name: own, title, unit } = compared
  const of = (name: string): ReadonlyArray<ReadonlyArray<number>> => {
    const found = rounds.get(name)
    if (found === undefined) throw new Error(`${name} has no samples in ${own}`)
    return found
  }
  const line = ({ name }: { readonly name: string }): Line => ({
    contender: name,
    summary: summary(of(name).flat()),
    ...(name !== baseline && { comparison: compare(of(name), of(baseline)) }),
  })
  const verdict = ({ entrant, ratio: goal, than }: Goal): Verdict => {
    const { ratio } = compare(of(entrant), of(than))
    return { contender: entrant, than, goal, ratio, met: ratio <= goal }
  }
  return {
    case: own,
    title,
    variant,
    unit,
    lines: entrants.map(line),
    verdicts: goals.map(verdict),
  }
}
