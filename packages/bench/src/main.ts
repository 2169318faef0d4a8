/** `pnpm bench`: see options.ts for its command line. */
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Case, Variant } from "./Case.ts"
import * as command from "./command.ts"
import { type ContenderName, packagesOf } from "./contenders/registry.ts"
import { environment } from "./environment.ts"
import { options, type Options, usage } from "./options.ts"
import * as redis from "./redis.ts"
import { type Result, result } from "./result.ts"
import { heading, legend, table } from "./table.ts"

const roundScript = fileURLToPath(new URL("./round.ts", import.meta.url))

/** One round in a process of its own; its standard error is part of the rejection. */
const samplesOf = async (
  bench: Case,
  variant: Variant,
  contender: ContenderName,
  settings: NodeJS.ProcessEnv,
): Promise<ReadonlyArray<number>> => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [roundScript, bench.name, variant.name, contender],
    { maxBuffer: 64 * 1024 * 1024, env: settings },
  )
  return JSON.parse(stdout)
}

/** A server of its own for each round that needs one: empty, and shared with nobody. */
const inItsPlace = async (
  bench: Case,
  variant: Variant,
  contender: ContenderName,
): Promise<ReadonlyArray<number>> => {
  if (bench.needs === undefined) return samplesOf(bench, variant, contender, process.env)
  const server = await redis.start()
  try {
    return await samplesOf(bench, variant, contender, { ...process.env, ...server.environment })
  } finally {
    await server.stop()
  }
}

const runVariant = async (bench: Case, variant: Variant, rounds: number): Promise<Result> => {
  const samples: Partial<Record<ContenderName, Array<ReadonlyArray<number>>>> = {}
  for (let round = 1; round <= rounds; round++) {
    for (const contender of bench.contenders) {
      process.stderr.write(
        `${bench.name} ${variant.name}, round ${round} of ${rounds}: ${contender}\n`,
      )
      const own = (samples[contender] ??= [])
      own.push(await inItsPlace(bench, variant, contender))
    }
  }
  return result(bench, variant, samples)
}

const main = async (chosen: Options): Promise<void> => {
  const hasRedis = await redis.hasRedis()
  const possible = chosen.cases.filter(({ needs }) => needs === undefined || hasRedis)
  for (const { name } of chosen.cases.filter((bench) => !possible.includes(bench))) {
    console.error(`${name} is left out: found no redis-server (LARDER_REDIS_SERVER, or on PATH)`)
  }
  const contenders = new Set(possible.flatMap((bench) => bench.contenders))
  const place = environment([...contenders].flatMap((name) => packagesOf(name)))
  const results: Array<Result> = []
  for (const bench of possible) {
    for (const variant of bench.variants) {
      results.push(await runVariant(bench, variant, chosen.rounds))
    }
  }
  console.log([heading(place), legend(chosen.rounds), "", table(results)].join("\n"))
  if (chosen.json !== undefined) {
    const report = { environment: place, rounds: chosen.rounds, results }
    writeFileSync(chosen.json, `${JSON.stringify(report, null, 2)}\n`)
  }
}

await command.run(usage, options, main)
