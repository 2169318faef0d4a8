/** The command line of a run of writes. */
import { parseArgs } from "node:util"
import { UsageError } from "../options.ts"
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

const number = (name: string, text: string, least: number, most: number): number => {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`${name} ${text}: give a whole number from ${least} to ${most}`)
}

const isCombo = (name: string): name is ComboName =>
  (combos as ReadonlyArray<string>).includes(name)

const combosIn = (only: string): ReadonlyArray<ComboName> => {
  const names = only.split(",").filter((name) => name !== "")
  const unknown = names.find((name) => !isCombo(name))
  if (unknown !== undefined) {
    throw new UsageError(
      `--only ${unknown}: give one of ${combos.join(", ")}, or several with commas`,
    )
  }
  const chosen = names.filter(isCombo)
  return chosen.length === 0 ? combos : chosen
}

const parsed = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seconds: { type: "string", default: "60" },
        seed: { type: "string" },
        only: { type: "string", default: "" },
        keep: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** The options, or `"help"`. `drawSeed` supplies a missing seed. Throws `UsageError`. */
export const options = (args: ReadonlyArray<string>, drawSeed: () => number): Options | "help" => {
  const values = parsed(args)
  if (values.help) return "help"
  return {
    seconds: number("--seconds", values.seconds, 1, 1_000_000),
    seed: values.seed === undefined ? drawSeed() : number("--seed", values.seed, 0, 2 ** 32 - 1),
    combos: combosIn(values.only),
    keep: values.keep,
  }
}
