/** The command line. */
import { type Case, cases, findCase } from "./Case.ts"
import { parse, UsageError } from "./command.ts"

export interface Options {
  readonly cases: ReadonlyArray<Case>
  readonly rounds: number
  readonly json: string | undefined
}

export const usage = `Usage: pnpm bench [case ...] [--rounds N] [--json FILE]

Measures Larder and its peers side by side: one process per library and round, rounds interleaved.

Cases (all of them by default):
${cases.map(({ name, title }) => `  ${name.padEnd(12)}${title}`).join("\n")}

Options:
  --rounds N   rounds per library and variant (default 5)
  --json FILE  writes figures of every round as JSON too
  --help       shows this`

const roundsFrom = (text: string): number => {
  if (!/^[1-9]\d{0,3}$/.test(text)) {
    throw new UsageError(`--rounds ${text}: give a whole number from 1 to 9999`)
  }
  return Number(text)
}

const caseFrom = (name: string): Case => {
  const found = findCase(name)
  if (found === undefined) {
    const names = cases.map((known) => known.name).join(", ")
    throw new UsageError(`there is no case ${JSON.stringify(name)}: give one of ${names}`)
  }
  return found
}

/** The options, or `"help"`. Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): Options | "help" => {
  const { positionals, values } = parse(args, {
    rounds: { type: "string", default: "5" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  })
  if (values.help) return "help"
  return {
    cases: positionals.length === 0 ? cases : [...new Set(positionals)].map(caseFrom),
    rounds: roundsFrom(values.rounds),
    json: values.json,
  }
}
