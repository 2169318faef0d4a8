/** The command line. */
import { namesIn, number, parse, seedOf } from "./command.ts"
import { faults } from "./faults/plan.ts"
import { type StackName, stacks } from "./run/backend.ts"

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

const isStack = (name: string): name is StackName =>
  (stacks as ReadonlyArray<string>).includes(name)

/** The options, or `"help"`. `drawSeed` supplies a missing seed. Throws `UsageError`. */
export const options = (args: ReadonlyArray<string>, drawSeed: () => number): Options | "help" => {
  const values = parse(args, {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    nodes: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    round: { type: "string", default: "1" },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  })
  if (values.help) return "help"
  const only = namesIn(values.only, [...stacks, ...kinds])
  const chosen = only.filter(isStack)
  return {
    seconds: number("--seconds", values.seconds, 1, 1_000_000),
    seed: seedOf(values.seed, drawSeed),
    nodes: number("--nodes", values.nodes, 2, 8),
    stacks: chosen.length === 0 ? stacks : chosen,
    faults: only.filter((name) => !isStack(name)),
    round: number("--round", values.round, 1, 1_000_000),
    keep: values.keep,
  }
}
