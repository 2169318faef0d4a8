/** The command line of `pnpm bench`. */
import { type Case, cases, findCase } from "./cases.ts"
import { known, parse, UsageError, wholeNumber } from "./command.ts"
import { folder } from "./results.ts"

export interface CaseOptions {
  readonly _tag: "Cases"
  readonly cases: ReadonlyArray<Case>
  readonly rounds: number
  /** How long a round takes samples. Default: as in the case. */
  readonly seconds: number | undefined
  /** The folder for the figures. */
  readonly folder: string
}

export type Options =
  | CaseOptions
  | { readonly _tag: "Frozen"; readonly folder: string }
  | { readonly _tag: "Memory"; readonly rounds: number }
  | { readonly _tag: "Readme" }

const defaultRounds = 5

export const usage = `Usage: pnpm bench [case ...] [--rounds N] [--seconds S] [--to FOLDER]
       pnpm bench --frozen [--to FOLDER] | --memory [--rounds N] | --readme

Measures Larder and its peers side by side: one process per library and round, rounds interleaved.

Cases (all of them by default):
${cases.map(({ name, title }) => `  ${name.padEnd(12)}${title}`).join("\n")}

Instead of cases:
  --frozen     what callers see while Redis is frozen or unreachable
  --memory     what an entry takes, and the time per hit and per new key, beside lru-cache
  --readme     writes the figures of README.md and results/README.md from the folder of results

Options:
  --rounds N   rounds per library and variant (default ${defaultRounds})
  --seconds S  for which a round takes samples (default: 1 to 3, by the case)
  --to FOLDER  where <case>.json or frozen.json is written (default packages/bench/results)
  --help       shows this`

const secondsFrom = (text: string): number => {
  const seconds = Number(text)
  if (seconds > 0 && seconds <= 3_600) return seconds
  throw new UsageError(`--seconds ${text}: give a number above 0, at most 3600, such as 0.2`)
}

const caseFrom = known(
  "case",
  cases.map(({ name }) => name),
  findCase,
)

const modes = ["frozen", "memory", "readme"] as const

/** The options, or `"help"`. Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): Options | "help" => {
  const { positionals, values } = parse(args, {
    frozen: { type: "boolean", default: false },
    memory: { type: "boolean", default: false },
    readme: { type: "boolean", default: false },
    rounds: { type: "string" },
    seconds: { type: "string" },
    to: { type: "string" },
    help: { type: "boolean", default: false },
  })
  if (values.help) return "help"
  const [mode, another] = modes.filter((name) => values[name])
  if (another !== undefined) throw new UsageError(`--${mode} --${another}: give one of them`)
  /** Rejects options that the mode does not use. */
  const without = (...useless: ReadonlyArray<"rounds" | "seconds" | "to">): void => {
    const given = [
      ...positionals,
      ...useless.filter((name) => values[name] !== undefined).map((name) => `--${name}`),
    ]
    if (given.length > 0) throw new UsageError(`--${mode} takes no ${given.join(", ")}`)
  }
  const rounds = wholeNumber("--rounds", values.rounds ?? String(defaultRounds), 1, 9_999)
  const to = values.to ?? folder
  switch (mode) {
    case "frozen":
      without("rounds", "seconds")
      return { _tag: "Frozen", folder: to }
    case "memory":
      without("seconds", "to")
      return { _tag: "Memory", rounds }
    case "readme":
      without("rounds", "seconds", "to")
      return { _tag: "Readme" }
    case undefined:
      return {
        _tag: "Cases",
        cases: positionals.length === 0 ? cases : [...new Set(positionals)].map(caseFrom),
        rounds,
        seconds: values.seconds === undefined ? undefined : secondsFrom(values.seconds),
        folder: to,
      }
  }
}

/** The options, beside the cases, that repeat the measurement. */
export const given = ({ rounds, seconds }: CaseOptions): string =>
  [
    ...(rounds === defaultRounds ? [] : [`--rounds ${rounds}`]),
    ...(seconds === undefined ? [] : [`--seconds ${seconds}`]),
  ].join(" ")
