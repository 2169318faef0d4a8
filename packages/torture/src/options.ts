/** The command line. */
import { parseArgs } from "node:util"
import { faults } from "./faults/plan.ts"
import { type StackName, stacks } from "./run/backend.ts"

/** Bad input, with a remedy. */
export class UsageError extends Error {}

export interface Options {
  readonly seconds: number
  readonly seed: number
  readonly nodes: number
  readonly stacks: ReadonlyArray<StackName>
  /** Kinds of faults; all when empty. */
  readonly faults: ReadonlyArray<string>
  /** The first round: the same seed and round make the same draws. */
  readonly round: number
  /** Keeps the lines of all rounds. */
  readonly keep: boolean
}

const kinds = faults.map(({ kind }) => kind)

export const usage = `Usage: pnpm torture [--seconds N] [--seed N] [--nodes N] [--only NAME,...] [--round N] [--keep]

Runs larders in real processes over real Redis servers, injects faults into processes, servers and
the connections between them, and checks what callers saw. Exits with 1 after a violation.

Options:
  --seconds N     begins rounds for this long; a round takes about 20 s (default 60)
  --seed N        the seed of all choices (default: drawn, and shown)
  --nodes N       processes that share a Redis, 2 to 8 (default 3)
  --only NAME,... only these stacks and faults, such as memory+cluster,away
                  stacks: ${stacks.join(", ")}
                  faults: ${kinds.join(", ")}
  --round N       begins with this round of the seed (default 1)
  --keep          keeps the logs of the processes, also of rounds without a violation
  --help          shows this`

const number = (name: string, text: string, least: number, most: number): number => {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`${name} ${text}: give a whole number from ${least} to ${most}`)
}

const isStack = (name: string): name is StackName =>
  (stacks as ReadonlyArray<string>).includes(name)

const checkedNames = (only: string): ReadonlyArray<string> => {
  const names = only.split(",").filter((name) => name !== "")
  const unknown = names.find((name) => !isStack(name) && !kinds.includes(name))
  if (unknown === undefined) return names
  throw new UsageError(
    `--only ${unknown}: give one of ${[...stacks, ...kinds].join(", ")}, or several with commas`,
  )
}

const parsed = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seconds: { type: "string", default: "60" },
        seed: { type: "string" },
        nodes: { type: "string", default: "3" },
        only: { type: "string", default: "" },
        round: { type: "string", default: "1" },
        keep: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** The options, or `"help"`. `drawSeed` supplies a missing seed. Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>, drawSeed: () => number): Options | "help" => {
  const values = parsed(args)
  if (values.help) return "help"
  const only = checkedNames(values.only)
  const chosen = only.filter(isStack)
  return {
    seconds: number("--seconds", values.seconds, 1, 1_000_000),
    seed: values.seed === undefined ? drawSeed() : number("--seed", values.seed, 0, 2 ** 32 - 1),
    nodes: number("--nodes", values.nodes, 2, 8),
    stacks: chosen.length === 0 ? stacks : chosen,
    faults: only.filter((name) => !isStack(name)),
    round: number("--round", values.round, 1, 1_000_000),
    keep: values.keep,
  }
}
