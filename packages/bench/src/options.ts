/** The command line of `pnpm bench`. */
import { type Case, cases } from "./cases.ts"
import { chosen, parse, UsageError, wholeNumber } from "./command.ts"
import { folder } from "./results.ts"

/** The modes of the command, each with the options it takes. */
const modes = {
  cases: ["rounds", "seconds", "to"],
  frozen: ["to"],
  memory: ["rounds"],
  metrics: ["rounds"],
  readme: [],
} satisfies Record<string, ReadonlyArray<string>>

export interface Options {
  readonly mode: keyof typeof modes
  readonly cases: ReadonlyArray<Case>
  readonly rounds: number
  /** How long a round takes samples. Default: as in the case. */
  readonly seconds: number | undefined
  /** The folder for the figures. */
  readonly folder: string
}

const defaultRounds = 5

export const usage = `Usage: pnpm bench [case ...] [--rounds N] [--seconds S] [--to FOLDER]
       pnpm bench --frozen [--to FOLDER] | --memory [--rounds N]
       pnpm bench --metrics [--rounds N] | --readme

Measures Larder and its peers side by side: one process per library and round, rounds interleaved.

Cases (all of them by default):
${cases.map(({ name, title }) => `  ${name.padEnd(12)}${title}`).join("\n")}

Instead of cases:
  --frozen     what callers see while Redis is frozen or unreachable
  --memory     what an entry takes, and the time per hit and per new key, beside lru-cache
  --metrics    the series of a larder by its tiers, and what reading and scraping 20 larders takes
  --readme     writes the figures of README.md and results/README.md from the folder of results

Options:
  --rounds N   rounds per library and variant, or samples (default ${defaultRounds})
  --seconds S  for which a round takes samples (default: 1 to 3, by the case)
  --to FOLDER  where <case>.json or frozen.json is written (default packages/bench/results)
  --help       shows this`

const secondsFrom = (text: string): number => {
  const seconds = Number(text)
  if (seconds > 0 && seconds <= 3_600) return seconds
  throw new UsageError(`--seconds ${text}: give a number above 0, at most 3600, such as 0.2`)
}

/** Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): Options => {
  const { positionals, values } = parse(args, {
    frozen: { type: "boolean" },
    memory: { type: "boolean" },
    metrics: { type: "boolean" },
    readme: { type: "boolean" },
    rounds: { type: "string" },
    seconds: { type: "string" },
    to: { type: "string" },
  })
  const { rounds = String(defaultRounds), seconds, to = folder, ...flags } = values
  const [mode = "cases", another] = (["frozen", "memory", "metrics", "readme"] as const).filter(
    (name) => flags[name],
  )
  if (another !== undefined) throw new UsageError(`--${mode} --${another}: give one of them`)
  const taken: ReadonlyArray<string> = modes[mode]
  const useless = [
    ...(mode === "cases" ? [] : positionals),
    ...(["rounds", "seconds", "to"] as const)
      .filter((name) => values[name] !== undefined && !taken.includes(name))
      .map((name) => `--${name}`),
  ]
  if (useless.length > 0) throw new UsageError(`--${mode} takes no ${useless.join(", ")}`)
  return {
    mode,
    cases: chosen("case", cases, positionals),
    rounds: wholeNumber("--rounds", rounds, 9_999),
    seconds: seconds === undefined ? undefined : secondsFrom(seconds),
    folder: to,
  }
}

/** The options, beside the cases, that repeat the measurement. */
export const given = ({ rounds, seconds }: Options): string =>
  [
    ...(rounds === defaultRounds ? [] : [`--rounds ${rounds}`]),
    ...(seconds === undefined ? [] : [`--seconds ${seconds}`]),
  ].join(" ")
