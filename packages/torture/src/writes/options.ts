/** The command line of a run of writes. */
import { namesIn, number, parse, seedOf } from "../command.ts"
import { type ComboName, combos } from "./Config.ts"

export interface Options {
  readonly seconds: number
  readonly seed: number
  readonly combos: ReadonlyArray<ComboName>
  /** Keeps the lines. */
  readonly keep: boolean
}

export const usage = `Usage: pnpm torture:writes [--seconds N] [--seed N] [--only NAME,...] [--keep]

Four processes write SQLite, Postgres and Redis through larders and behind them, while processes and
servers are killed and paused. At the end the sources are compared with what was acknowledged.
Exits with 1 after a violation.

Options:
  --seconds N     injects faults for this long; a run takes about 20 s more (default 60)
  --seed N        the seed of all choices (default: drawn, and shown)
  --only NAME,... only these sources: ${combos.join(", ")}
                  memory: an outbox in memory, before SQLite
  --keep          keeps the logs of the processes, also without a violation
  --help          shows this`

const isCombo = (name: string): name is ComboName =>
  (combos as ReadonlyArray<string>).includes(name)

/** The options, or `"help"`. `drawSeed` supplies a missing seed. Throws `UsageError`. */
export const options = (args: ReadonlyArray<string>, drawSeed: () => number): Options | "help" => {
  const values = parse(args, {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    only: { type: "string", default: "" },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  })
  if (values.help) return "help"
  const chosen = namesIn(values.only, combos).filter(isCombo)
  return {
    seconds: number("--seconds", values.seconds, 1, 1_000_000),
    seed: seedOf(values.seed, drawSeed),
    combos: chosen.length === 0 ? combos : chosen,
    keep: values.keep,
  }
}
