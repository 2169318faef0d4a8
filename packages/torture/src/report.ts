/** The result of a run, as text. */
import type { Line } from "./history/Line.ts"
import type { RuleName, Violation } from "./check/Violation.ts"
import type { RoundPlan } from "./run/plan.ts"
import type { RoundResult } from "./run/round.ts"

export interface Found {
  readonly round: number
  readonly stack: string
  readonly wire: string
  readonly violation: Violation
  /** The folder with the lines of the round. */
  readonly folder: string
}

/** A finished round. */
export interface Judged extends RoundResult {
  readonly millis: number
  readonly found: ReadonlyArray<Found>
}

const mostLines = 12

const counted = (all: ReadonlyArray<string>): string =>
  [...Map.groupBy(all, (name) => name)]
    .map(([name, { length }]) => `${name} ${length}`)
    .toSorted()
    .join(", ")

/** Shows times relative to the first line: absolute ones mean nothing to a reader. */
const shown = (lines: ReadonlyArray<Line>, at: number): ReadonlyArray<string> =>
  lines
    .slice(-mostLines)
    .map((line) =>
      JSON.stringify(line, (_, value: unknown) =>
        typeof value === "number" && !Number.isInteger(value)
          ? Math.round((value - at) * 10) / 10
          : value,
      ),
    )

const example = ({ folder, round, stack, violation, wire }: Found): ReadonlyArray<string> => [
  `  round ${round}, ${stack}, ${wire}, larder ${violation.larder}, key ${violation.key ?? "-"}: ${violation.text}`,
  ...shown(violation.lines, violation.at).map((line) => `    ${line}`),
  `    all lines: ${folder}`,
]

const ruleText = (rule: RuleName, found: ReadonlyArray<Found>): ReadonlyArray<string> => {
  const rounds = [...new Set(found.map(({ round }) => round))]
  return [
    `${rule}: ${found.length} in round${rounds.length === 1 ? "" : "s"} ${rounds.join(", ")}; times below are ms from the offence`,
    ...example(found[0]!),
  ]
}

export const titleOf = (
  { faults, maxFreshFor, policy, round, stack, wire }: RoundPlan,
  server: string,
): string => {
  const lives = policy.freshFor < 30_000 ? "short" : "long"
  const kinds = faults.map(({ fault }) => fault.kind).join(", ")
  const ended = maxFreshFor === undefined ? "messages alone" : `maxFreshFor ${maxFreshFor} ms`
  return `round ${round}: ${stack} on ${server}, ${wire}, ${lives} lives, ${ended}; faults: ${kinds}`
}

const outcome = (found: ReadonlyArray<Found>): string =>
  found.length === 0
    ? "no violation"
    : `${found.length} violations: ${counted(found.map(({ violation }) => violation.rule))}`

export const progressText = ({ found, millis, operations }: Judged): string =>
  `  ${operations} operations in ${(millis / 1_000).toFixed(0)} s, ${outcome(found)}`

export const summaryText = (seed: number, rounds: ReadonlyArray<Judged>): string => {
  const faults = rounds.flatMap((round) => round.faults)
  const operations = rounds.reduce((sum, round) => sum + round.operations, 0)
  const found = rounds.flatMap((round) => round.found)
  const byRule = Map.groupBy(found, ({ violation }) => violation.rule)
  return [
    `${rounds.length} rounds, ${operations} operations, ${faults.length} faults (${counted(faults)}), seed ${seed}`,
    ...rounds.flatMap(({ troubles }) =>
      troubles.map((text) => `error of the tool itself: ${text}`),
    ),
    ...[...byRule].flatMap(([rule, of]) => ruleText(rule, of)),
    outcome(found),
  ].join("\n")
}
