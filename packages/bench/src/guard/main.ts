/** `pnpm bench:guard`: every check in a process of its own. */
import { figuresOf } from "../child.ts"
import { chosen, parse, run } from "../command.ts"
import { checks } from "./checks.ts"
import { type Bound, isMet, told } from "./judge.ts"

const usage = `Usage: pnpm bench:guard [check ...]

Fails if Larder has become slower than what it is compared with in the same run, or allocates more per operation,
than the bounds in packages/bench/src/guard (ratios.ts, allocation.ts) allow.

Checks (all of them by default):
${checks.map(({ name, title }) => `  ${name.padEnd(23)}${title}`).join("\n")}

Options:
  --help    shows this`

/**
 * A young generation, in MB, that no sample fills. Compiler and collector run on the measured
 * thread: another one may have no core.
 */
const flags = [
  "--expose-gc",
  "--min-semi-space-size=64",
  "--max-semi-space-size=64",
  "--single-threaded",
]

/** A check repeats up to this many times while its figure is above the bound. */
const mostAttempts = 3

const attemptsOf = async (name: string, bound: Bound): Promise<ReadonlyArray<number>> => {
  const attempts: Array<number> = []
  do attempts.push(await figuresOf<number>("./guard/checks.ts", [name], flags))
  while (attempts.length < mostAttempts && !isMet(bound, attempts))
  return attempts
}

await run(usage, async (args) => {
  const exceeded: Array<string> = []
  for (const check of chosen("check", checks, parse(args, {}).positionals)) {
    const attempts = await attemptsOf(check.name, check)
    console.log(told(check.name, check, attempts))
    if (!isMet(check, attempts)) exceeded.push(check.name)
  }
  if (exceeded.length === 0) return
  console.error(
    `\n${exceeded.join(", ")}: above the bound in packages/bench/src/guard. Measure again by\n` +
      `pnpm bench:guard ${exceeded.join(" ")}; if the cost is intended, change the bound and say why.`,
  )
  process.exitCode = 1
})
