/** The command line. */
import { type Case, cases, findCase } from "./Case.ts"
import { known, parse, UsageError, wholeNumber } from "./command.ts"
import { folder } from "./output/results.ts"

/** What is done to Redis while calls are made; no case, being no comparison of times in rounds. */
export const frozen = "frozen" as const

export interface Options {
  readonly cases: ReadonlyArray<Case>
  readonly frozen: boolean
  readonly rounds: number
  /** For which a round takes samples. Default: what the case says. */
  readonly seconds: number | undefined
  /** Where figures and charts are written. */
  readonly folder: string
}

const defaultRounds = 5

export const usage = `Usage: pnpm bench [case ...] [--rounds N] [--seconds S] [--to FOLDER]

Measures Larder and its peers side by side: one process per library and round, rounds interleaved.

Cases (all of them by default):
${cases.map(({ name, title }) => `  ${name.padEnd(12)}${title}`).join("\n")}
  ${frozen.padEnd(12)}what callers see while Redis is frozen or unreachable; alone: pnpm bench:frozen

Options:
  --rounds N   rounds per library and variant (default ${defaultRounds})
  --seconds S  for which a round takes samples (default: 1 to 3, by the case)
  --to FOLDER  where <case>.json, <case>.svg and frozen.json are written (default packages/bench/results)
  --help       shows this`

const secondsFrom = (text: string): number => {
  const seconds = Number(text)
  if (seconds > 0 && seconds <= 3_600) return seconds
  throw new UsageError(`--seconds ${text}: give a number above 0, at most 3600, such as 0.2`)
}

const caseFrom = known("case", [...cases.map(({ name }) => name), frozen], (name) =>
  name === frozen ? frozen : findCase(name),
)

const isCase = (chosen: Case | typeof frozen): chosen is Case => chosen !== frozen

/** The options, or `"help"`. Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): Options | "help" => {
  const { positionals, values } = parse(args, {
    rounds: { type: "string", default: String(defaultRounds) },
    seconds: { type: "string" },
    to: { type: "string", default: folder },
    help: { type: "boolean", default: false },
  })
  if (values.help) return "help"
  const named = [...new Set(positionals)].map(caseFrom)
  const chosen = named.length === 0 ? [...cases, frozen] : named
  return {
    cases: chosen.filter(isCase),
    frozen: chosen.includes(frozen),
    rounds: wholeNumber("--rounds", values.rounds, 1, 9_999),
    seconds: values.seconds === undefined ? undefined : secondsFrom(values.seconds),
    folder: values.to,
  }
}

/** What the command line was given, beside the cases, for measuring the same again. */
export const given = ({ rounds, seconds }: Options): string =>
  [
    ...(rounds === defaultRounds ? [] : [`--rounds ${rounds}`]),
    ...(seconds === undefined ? [] : [`--seconds ${seconds}`]),
  ].join(" ")
