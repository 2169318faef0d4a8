/** `pnpm bench:guard`: every check in a process of its own. */
import { figuresOf } from "../child.ts"
import * as command from "../command.ts"
import { type CheckName, checks } from "./checks.ts"
import { judge, told } from "./judge.ts"
import { options, usage } from "./options.ts"

const script = new URL("./round.ts", import.meta.url)

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

const attemptsOf = async (name: CheckName): Promise<ReadonlyArray<number>> => {
  const attempts: Array<number> = []
  do attempts.push(await figuresOf<number>(script, [name], flags))
  while (attempts.length < mostAttempts && !judge(checks[name], attempts).met)
  return attempts
}

const main = async (chosen: ReadonlyArray<CheckName>): Promise<void> => {
  const exceeded: Array<CheckName> = []
  for (const name of chosen) {
    const attempts = await attemptsOf(name)
    console.log(told(name, checks[name], attempts))
    if (!judge(checks[name], attempts).met) exceeded.push(name)
  }
  if (exceeded.length === 0) return
  console.error(
    `\n${exceeded.join(", ")}: above what packages/bench/src/guard/checks.ts allows. Measure again by\n` +
      `pnpm bench:guard ${exceeded.join(" ")}; where the cost is meant, change the bound and say why.`,
  )
  process.exitCode = 1
}

await command.run(usage, options, main)
