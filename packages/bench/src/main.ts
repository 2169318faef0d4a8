/** `pnpm bench`: see options.ts for its command line. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Case } from "./cases.ts"
import * as command from "./command.ts"
import { layeredNames } from "./contenders/layered.ts"
import { packagesOf } from "./contenders/registry.ts"
import { type Environment, environment } from "./environment.ts"
import { measured } from "./faults/measured.ts"
import { text } from "./faults/report.ts"
import * as memory from "./memory/measured.ts"
import { type CaseOptions, given, options, type Options, usage } from "./options.ts"
import { frozenSection, page, replaced, section } from "./output/readme.ts"
import * as results from "./output/results.ts"
import * as redis from "./redis.ts"
import { type Result, result } from "./result.ts"
import { runRounds } from "./rounds.ts"
import { heading, legend, table } from "./table.ts"

const leftOut = (name: string): void =>
  console.error(`${name} is left out: found no redis-server (LARDER_REDIS_SERVER, or on PATH)`)

const placeOf = (cases: ReadonlyArray<Case>): Environment =>
  environment(
    cases.flatMap(({ entrants }) => entrants).flatMap(({ contender }) => packagesOf(contender)),
  )

const runCase = async (bench: Case, chosen: CaseOptions): Promise<ReadonlyArray<Result>> => {
  const { folder, rounds } = chosen
  const own: Array<Result> = []
  for (const variant of bench.variants) {
    const place = { bench, variant, seconds: chosen.seconds ?? bench.seconds }
    own.push(result(bench, variant, await runRounds(place, rounds)))
  }
  const environment = placeOf([bench])
  results.write({ environment, options: given(chosen), rounds, results: own }, folder)
  return own
}

const runCases = async (chosen: CaseOptions): Promise<void> => {
  const hasRedis = await redis.hasRedis()
  const possible = chosen.cases.filter(({ needs }) => needs === undefined || hasRedis)
  for (const bench of chosen.cases) if (!possible.includes(bench)) leftOut(bench.name)
  if (possible.length === 0) return
  const all: Array<Result> = []
  for (const bench of possible) all.push(...(await runCase(bench, chosen)))
  console.log([heading(placeOf(possible)), legend(chosen.rounds), "", table(all)].join("\n"))
  console.error(`\nwritten to ${chosen.folder}: ${possible.map(({ name }) => name).join(", ")}`)
}

const runFrozen = async (folder: string): Promise<void> => {
  if (!(await redis.hasRedis())) return leftOut("--frozen")
  const report = await measured(layeredNames)
  results.writeFrozen(report, folder)
  console.log(text(report))
}

const writeReadme = (): void => {
  const file = fileURLToPath(new URL("../../../README.md", import.meta.url))
  const reports = results.read()
  const frozen = results.readFrozen()
  const readme = replaced(readFileSync(file, "utf8"), "performance", section(reports))
  writeFileSync(
    file,
    frozen === undefined ? readme : replaced(readme, "frozen", frozenSection(frozen)),
  )
  writeFileSync(join(results.folder, "README.md"), page(reports))
}

const main = async (chosen: Options): Promise<void> => {
  switch (chosen._tag) {
    case "Cases":
      return runCases(chosen)
    case "Frozen":
      return runFrozen(chosen.folder)
    case "Memory":
      return memory.run(chosen.rounds)
    case "Readme":
      return writeReadme()
  }
}

await command.run(usage, options, main)
