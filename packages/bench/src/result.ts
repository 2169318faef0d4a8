/** Samples of all rounds to what is shown and written: summaries, ratios, verdicts. */
import type { Case, Variant } from "./Case.ts"
import type { Measured } from "./measure.ts"
import { compare, type Comparison, type Summary, summary } from "./statistics.ts"

export interface Round extends Measured {
  /** Asked of the Redis server for the samples, where there is one. */
  readonly commands?: number
}

/** By the names of the entrants. */
export type Rounds = ReadonlyMap<string, ReadonlyArray<Round>>

export interface Line {
  /** The name of the entrant. */
  readonly contender: string
  readonly summary: Summary
  readonly rounds: ReadonlyArray<Summary>
  /** Absent for the baseline itself. */
  readonly comparison?: Comparison
  /** Lookups that a call causes on the average. */
  readonly lookups: number
  /** Redis commands for a call on the average, where there is Redis. */
  readonly commands?: number
}

export interface Verdict {
  readonly contender: string
  readonly than: string
  /** The most it may be. */
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

const total = (numbers: ReadonlyArray<number>): number =>
  numbers.reduce((sum, each) => sum + each, 0)

export const result = (bench: Case, variant: Variant, rounds: Rounds): Result => {
  const of = (name: string): ReadonlyArray<Round> => {
    const own = rounds.get(name)
    if (own === undefined) throw new Error(`${name} has no samples in ${bench.name}`)
    return own
  }
  const samplesOf = (name: string) => of(name).map(({ samples }) => samples)
  const line = ({ name }: Case["entrants"][number]): Line => {
    const own = of(name)
    const calls = total(own.map((round) => round.calls))
    const commands = own.flatMap((round) => round.commands ?? [])
    return {
      contender: name,
      summary: summary(samplesOf(name).flat()),
      rounds: samplesOf(name).map(summary),
      lookups: total(own.map(({ lookups }) => lookups)) / calls,
      ...(name !== bench.baseline && {
        comparison: compare(samplesOf(name), samplesOf(bench.baseline)),
      }),
      ...(commands.length > 0 && { commands: total(commands) / calls }),
    }
  }
  const verdict = ({
    entrant,
    ratio: goal,
    than = bench.baseline,
  }: Case["goals"][number]): Verdict => {
    const { ratio } = compare(samplesOf(entrant), samplesOf(than))
    return { contender: entrant, than, goal, ratio, met: ratio <= goal }
  }
  return {
    case: bench.name,
    title: bench.title,
    variant: variant.name,
    unit: bench.unit,
    lines: bench.entrants.map(line),
    verdicts: bench.goals.map(verdict),
  }
}
