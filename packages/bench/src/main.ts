/** `pnpm bench`: see options.ts for its command line. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Case, Variant } from "./cases.ts"
import { figuresOf, runRounds } from "./child.ts"
import * as command from "./command.ts"
import { environment } from "./environment.ts"
import * as faults from "./faults/measured.ts"
import { text } from "./faults/report.ts"
import * as memory from "./memory/measured.ts"
import * as metrics from "./metrics/measured.ts"
import { given, options, type Options, usage } from "./options.ts"
import { frozenSection, page, replaced, section } from "./readme.ts"
import * as results from "./results.ts"
import * as redis from "./redis.ts"
import { type Result, result } from "./result.ts"
import { heading, legend, table } from "./table.ts"

const leftOut = (name: string): void =>
  console.error(`${name} is left out: found no redis-server (LARDER_REDIS_SERVER, or on PATH)`)

/** Every round has an empty server for itself, if the case needs one. */
const runVariant = async (bench: Case, { name }: Variant, options: Options): Promise<Result> => {
  const { rounds, seconds = bench.seconds } = options
  const round = (entrant: string): Promise<ReadonlyArray<number>> => {
    const args = [bench.name, name, entrant, String(seconds)]
    if (bench.needs === undefined) return figuresOf("./measure.ts", args)
    return redis.withServer(({ url }) => figuresOf("./measure.ts", [...args, url]))
  }
  const entrants = bench.entrants.map((entrant) => entrant.name)
  return result(bench, name, await runRounds(`${bench.name} ${name}`, entrants, rounds, round))
}

const runCases = async (chosen: Options): Promise<void> => {
  const { folder, rounds } = chosen
  const hasRedis = await redis.hasRedis()
  const possible = chosen.cases.filter(({ needs }) => needs === undefined || hasRedis)
  for (const bench of chosen.cases) if (!possible.includes(bench)) leftOut(bench.name)
  if (possible.length === 0) return
  const place = environment()
  const all: Array<Result> = []
  for (const bench of possible) {
    const own: Array<Result> = []
    for (const variant of bench.variants) own.push(await runVariant(bench, variant, chosen))
    const report = { environment: place, options: given(chosen), rounds, results: own }
    results.write(bench.name, report, folder)
    all.push(...own)
  }
  console.log([heading(place), legend(rounds), "", table(all)].join("\n"))
  console.error(`\nwritten to ${folder}: ${possible.map(({ name }) => name).join(", ")}`)
}

const runFrozen = async (folder: string): Promise<void> => {
  if (!(await redis.hasRedis())) return leftOut("--frozen")
  const report = await faults.measured()
  results.write("frozen", report, folder)
  console.log(text(report))
}

const writeReadme = (): void => {
  const file = fileURLToPath(new URL("../../../README.md", import.meta.url))
  const reports = results.readCases()
  const readme = replaced(readFileSync(file, "utf8"), "performance", section(reports))
  writeFileSync(file, replaced(readme, "frozen", frozenSection(results.readFrozen())))
  writeFileSync(join(results.folder, "README.md"), page(reports))
}

await command.run(usage, async (args) => {
  const chosen = options(args)
  switch (chosen.mode) {
    case "cases":
      return runCases(chosen)
    case "frozen":
      return runFrozen(chosen.folder)
    case "memory":
      return memory.run(chosen.rounds)
    case "metrics":
      return metrics.run(chosen.rounds)
    case "readme":
      return writeReadme()
  }
})
