/** `pnpm bench:guard`: every check in a process of its own, so that none is compiled for what another did. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as command from "../command.ts"
import { bounds, type CheckName } from "./bounds.ts"
import { judge, told } from "./judge.ts"
import { options, usage } from "./options.ts"

const round = fileURLToPath(new URL("./round.ts", import.meta.url))

/**
 * A young generation, in MB, that no sample fills; compiler and collector on the thread that is measured, not on
 * one for which there may be no core.
 */
const flags = [
  "--expose-gc",
  "--min-semi-space-size=64",
  "--max-semi-space-size=64",
  "--single-threaded",
]

const measured = (names: ReadonlyArray<CheckName>): Promise<ReadonlyArray<number>> =>
  new Promise((resolve, reject) => {
    const child = fork(round, names, { execArgv: flags })
    child.once("message", (figures: ReadonlyArray<number>) => resolve(figures))
    child.once("error", reject)
    child.once("exit", (code) =>
      reject(
        new Error(`the process of ${names.join(", ")} ended with ${code} before it had figures`),
      ),
    )
  })

/** One more attempt, as long as what was measured is above its bound. */
const mostAttempts = 3

const attemptsOf = async (name: CheckName): Promise<ReadonlyArray<number>> => {
  const attempts: Array<number> = []
  const bound = bounds[name]
  do attempts.push(...(await measured([name])))
  while (bound.unit !== "count" && attempts.length < mostAttempts && !judge(bound, attempts).met)
  return attempts
}

/** Counts need no process each: nothing that runs before them changes them. */
const counts = async (names: ReadonlyArray<CheckName>) => {
  const all = names.length === 0 ? [] : await measured(names)
  return names.map((name, index) => [name, [all[index] ?? Number.NaN]] as const)
}

const main = async (chosen: ReadonlyArray<CheckName>): Promise<void> => {
  const exceeded: Array<CheckName> = []
  const tell = (name: CheckName, attempts: ReadonlyArray<number>) => {
    console.log(told(name, bounds[name], attempts))
    if (!judge(bounds[name], attempts).met) exceeded.push(name)
  }
  const isCount = (name: CheckName) => bounds[name].unit === "count"
  for (const [name, attempts] of await counts(chosen.filter(isCount))) tell(name, attempts)
  for (const name of chosen.filter((name) => !isCount(name))) tell(name, await attemptsOf(name))
  if (exceeded.length === 0) return
  console.error(
    `\n${exceeded.join(", ")}: above what packages/bench/src/guard/bounds.ts allows. Measure again by\n` +
      `pnpm bench:guard ${exceeded.join(" ")}; where the cost is meant, change the bound and say why.`,
  )
  process.exitCode = 1
}

await command.run(usage, options, main)
