/** The command line of `pnpm mutate`. */
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { UsageError } from "./command.ts"
import { core, groups } from "./run/groups.ts"

export const usage = `Usage: pnpm mutate [PATH ...] [options]

Changes the source in small ways, one at a time and only in memory, and reports the changes that no test notices.
PATH is a file or folder below the src of a package; ${core} by default.

Options:
  --group NAME        the files of a group, as well; may be given again:
${groups.map(({ name, title }) => `                        ${name.padEnd(11)}${title}`).join("\n")}
  --sample N          N mutants of each group or folder, drawn at random, instead of all
  --seed S            the seed of the sample, a whole number; 1 by default
  --runs N            random sequences per stack in packages/core/test/sequences.test.ts; 40 by default, pnpm test
                      runs 250 to 500
  --tests PATH        a test file or folder in addition to the tests of the mutated packages; may be given again
  --workers N         processes that run tests; as many as there are cores by default
  --at-least PERCENT  exit with 1 if a smaller share of the mutants is caught
  --json FILE         where the results are written; .mutate/report.json by default
  --quiet             shows no progress
  --help              shows this

Survivors that cannot be noticed are explained in packages/mutate/explained.json; packages/mutate/README.md says how.`

export interface Options {
  readonly paths: ReadonlyArray<string>
  readonly groups: ReadonlyArray<string>
  readonly sample: number | undefined
  readonly seed: number
  /** Random sequences per stack. */
  readonly runs: number
  readonly tests: ReadonlyArray<string>
  readonly workers: number
  readonly atLeast: number | undefined
  readonly json: string
  readonly quiet: boolean
}

const parsed = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        group: { type: "string", multiple: true, default: [] },
        sample: { type: "string" },
        seed: { type: "string", default: "1" },
        runs: { type: "string", default: "40" },
        tests: { type: "string", multiple: true, default: [] },
        workers: { type: "string", default: String(availableParallelism()) },
        "at-least": { type: "string" },
        json: { type: "string", default: ".mutate/report.json" },
        quiet: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

const wholeNumber = (name: string, text: string, least: number, most: number): number => {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw new UsageError(`${name} ${text}: give a whole number from ${least} to ${most}`)
}

const percent = (text: string): number => {
  const number = /^\d+(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN
  if (number >= 0 && number <= 100) return number
  throw new UsageError(`--at-least ${text}: give a number from 0 to 100, such as 90`)
}

/** The options, or `"help"`. Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): Options | "help" => {
  const { positionals, values } = parsed(args)
  if (values.help) return "help"
  const { sample } = values
  const atLeast = values["at-least"]
  return {
    paths: positionals.length === 0 && values.group.length === 0 ? [core] : positionals,
    groups: values.group,
    sample: sample === undefined ? undefined : wholeNumber("--sample", sample, 1, 1_000_000),
    seed: wholeNumber("--seed", values.seed, 0, 2 ** 32 - 1),
    runs: wholeNumber("--runs", values.runs, 1, 100_000),
    tests: values.tests,
    workers: wholeNumber("--workers", values.workers, 1, 64),
    atLeast: atLeast === undefined ? undefined : percent(atLeast),
    json: values.json,
    quiet: values.quiet,
  }
}
