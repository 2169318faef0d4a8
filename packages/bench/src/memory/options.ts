/** The command line of `pnpm bench:memory`. */
import { known, parse, wholeNumber } from "../command.ts"
import { contenderNames } from "./contenders.ts"

const titles = {
  bytes: "what an entry takes beyond its key and value, of a million",
  churn: "five million new keys into a full store of a million: time, collections, garbage",
  hits: "time per hit, of 100,000 and of a million entries, evenly and by Zipf's law",
}

export type CaseName = keyof typeof titles

const isCase = (name: string): name is CaseName => Object.hasOwn(titles, name)

const caseNames: ReadonlyArray<CaseName> = Object.keys(titles).filter(isCase)

export interface Options {
  readonly cases: ReadonlyArray<CaseName>
  readonly rounds: number
  readonly json: string | undefined
}

export const usage = `Usage: pnpm bench:memory [case ...] [--rounds N] [--json FILE]

Measures what Larder keeps its entries in, beside lru-cache and a bare Map: a process per round and
contender, contenders in turn.

Cases (all of them by default):
${caseNames.map((name) => `  ${name.padEnd(8)}${titles[name]}`).join("\n")}

Contenders: ${contenderNames.map((name) => JSON.stringify(name)).join(", ")}

Options:
  --rounds N   rounds of churn and hits (default 3); bytes are the same each time
  --json FILE  writes the figures as JSON too
  --help       shows this`

const caseFrom = known("case", caseNames, (name) => (isCase(name) ? name : undefined))

/** The options, or `"help"`. Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): Options | "help" => {
  const { positionals, values } = parse(args, {
    rounds: { type: "string", default: "3" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  })
  if (values.help) return "help"
  return {
    cases: positionals.length === 0 ? caseNames : [...new Set(positionals)].map(caseFrom),
    rounds: wholeNumber("--rounds", values.rounds, 1, 9_999),
    json: values.json,
  }
}
