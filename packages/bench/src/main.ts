/** `pnpm bench`: see options.ts for its command line. */
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Case, Variant } from "./Case.ts"
import { type ContenderName, load } from "./contenders/registry.ts"
import { environment } from "./environment.ts"
import { options, type Options, usage, UsageError } from "./options.ts"
import { type Result, result } from "./result.ts"
import { heading, legend, table } from "./table.ts"

const roundScript = fileURLToPath(new URL("./round.ts", import.meta.url))

/** One round in a process of its own; its standard error is part of the rejection. */
const samplesOf = async (
  bench: Case,
  variant: Variant,
  contender: ContenderName,
): Promise<ReadonlyArray<number>> => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [roundScript, bench.name, variant.name, contender],
    { maxBuffer: 64 * 1024 * 1024 },
  )
  return JSON.parse(stdout)
}

const runVariant = async (bench: Case, variant: Variant, rounds: number): Promise<Result> => {
  const samples: Partial<Record<ContenderName, Array<ReadonlyArray<number>>>> = {}
  for (let round = 1; round <= rounds; round++) {
    for (const contender of bench.contenders) {
      process.stderr.write(
        `${bench.name} ${variant.name}, round ${round} of ${rounds}: ${contender}\n`,
      )
      const own = (samples[contender] ??= [])
      own.push(await samplesOf(bench, variant, contender))
    }
  }
  return result(bench, variant, samples)
}

const main = async (chosen: Options): Promise<void> => {
  const contenders = new Set(chosen.cases.flatMap((bench) => bench.contenders))
  const loaded = await Promise.all([...contenders].map(load))
  const place = environment(loaded.flatMap(({ packages }) => packages))
  const results: Array<Result> = []
  for (const bench of chosen.cases) {
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

try {
  const chosen = options(process.argv.slice(2))
  if (chosen === "help") console.log(usage)
  else await main(chosen)
} catch (error) {
  if (error instanceof UsageError) console.error(`${error.message}\n\n${usage}`)
  else console.error(error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
