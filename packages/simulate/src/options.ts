/** The command line. */
import { parseArgs } from "node:util"
import { type FaultKind, faultNames } from "./plan/faults.ts"
import type { Size } from "./plan/generate.ts"

/** Bad input, with a remedy. */
export class UsageError extends Error {}

export interface Options extends Size {
  readonly from: number
  readonly seeds: number
  readonly json: boolean
  /** Histories at once; undefined for one on each core. */
  readonly threads: number | undefined
  /** Ends at the first violation. */
  readonly first: boolean
}

export const usage = `Usage: pnpm simulate [--seeds N] [--nodes N] [--steps N] [--seed N] [--faults NAME,...] [--threads N] [--first] [--json]

Runs larders on simulated nodes in virtual time, with random traffic and faults, and checks what
callers saw. Exits with 1 after a violation, and prints a small plan that shows it, as a test.

Options:
  --seeds N         histories (default 500)
  --nodes N         nodes that share an arbiter, 1 to 16 (default 3)
  --steps N         steps of each history (default 200)
  --seed N          the first seed (default 1); alone, the only one
  --faults NAME,... only these kinds of faults, or none (default all)
                    ${faultNames.slice(0, 8).join(", ")},
                    ${faultNames.slice(8).join(", ")}
  --threads N       histories at once, 1 to 64 (default one on each core)
  --first           ends at the first violation
  --json            prints one line of JSON
  --help            shows this`

const number = (name: string, text: string, least: number, most: number): number => {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`${name} ${text}: give a whole number from ${least} to ${most}`)
}

const isFault = (name: string): name is FaultKind =>
  (faultNames as ReadonlyArray<string>).includes(name)

const faultsOf = (text: string | undefined): ReadonlyArray<FaultKind> => {
  if (text === undefined) return faultNames
  if (text === "none") return []
  return text.split(",").map((name) => {
    if (isFault(name)) return name
    throw new UsageError(`--faults ${name}: give some of ${faultNames.join(", ")}, or none`)
  })
}

const parsed = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seeds: { type: "string" },
        seed: { type: "string" },
        nodes: { type: "string", default: "3" },
        steps: { type: "string", default: "200" },
        faults: { type: "string" },
        threads: { type: "string" },
        first: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** The options, or `"help"`. Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): Options | "help" => {
  const values = parsed(args)
  if (values.help) return "help"
  const { seed, threads } = values
  return {
    from: seed === undefined ? 1 : number("--seed", seed, 0, 2 ** 32 - 1),
    seeds: number("--seeds", values.seeds ?? (seed === undefined ? "500" : "1"), 1, 1_000_000_000),
    nodes: number("--nodes", values.nodes, 1, 16),
    steps: number("--steps", values.steps, 1, 1_000_000),
    faults: faultsOf(values.faults),
    threads: threads === undefined ? undefined : number("--threads", threads, 1, 64),
    first: values.first,
    json: values.json,
  }
}
