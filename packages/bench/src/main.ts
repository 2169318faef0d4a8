/** `pnpm bench`: see options.ts for its command line. */
import type { Case } from "./Case.ts"
import { now } from "./clock.ts"
import * as command from "./command.ts"
import { packagesOf } from "./contenders/registry.ts"
import { layeredNames } from "./contenders/layered.ts"
import { type Environment, environment } from "./environment.ts"
import { measured } from "./faults/measured.ts"
import { text } from "./faults/report.ts"
import { scenarios } from "./faults/Scenario.ts"
import { frozen, given, options, type Options, usage } from "./options.ts"
import { reporter } from "./output/progress.ts"
import * as results from "./output/results.ts"
import { stepsOf } from "./output/steps.ts"
import * as redis from "./redis.ts"
import { type Result, result } from "./result.ts"
import { runRounds } from "./rounds.ts"
import { heading, legend, table } from "./table.ts"

const runCase = async (
  bench: Case,
  { rounds, seconds }: Options,
  onRound: () => void,
): Promise<ReadonlyArray<Result>> => {
  const own: Array<Result> = []
  for (const variant of bench.variants) {
    const place = { bench, variant, seconds: seconds ?? bench.seconds }
    own.push(result(bench, variant, await runRounds(place, rounds, onRound)))
  }
  return own
}

const placeOf = (cases: Options["cases"]): Environment =>
  environment(
    cases.flatMap(({ entrants }) => entrants).flatMap(({ contender }) => packagesOf(contender)),
  )

/** What can be measured here; of the rest it says so. */
const possible = async (chosen: Options): Promise<Options> => {
  if (await redis.hasRedis()) return chosen
  const needing = chosen.cases.filter(({ needs }) => needs === "redis").map(({ name }) => name)
  for (const name of [...needing, ...(chosen.frozen ? [frozen] : [])]) {
    console.error(`${name} is left out: found no redis-server (LARDER_REDIS_SERVER, or on PATH)`)
  }
  const cases = chosen.cases.filter(({ needs }) => needs === undefined)
  return { ...chosen, cases, frozen: false }
}

const runFrozen = async ({ folder }: Options): Promise<void> => {
  const report = await measured(layeredNames, scenarios)
  results.writeFrozen(report, folder)
  console.log(`\n${text(report)}`)
}

const runCases = async (chosen: Options): Promise<void> => {
  const { cases, folder, rounds, seconds } = chosen
  const progress = reporter(stepsOf(cases, rounds, seconds), process.stderr, now)
  const all: Array<Result> = []
  try {
    for (const bench of cases) {
      const own = await runCase(bench, chosen, progress.next)
      const environment = placeOf([bench])
      results.write({ environment, options: given(chosen), rounds, results: own }, folder)
      all.push(...own)
    }
  } finally {
    progress.end()
  }
  console.log([heading(placeOf(cases)), legend(rounds), "", table(all)].join("\n"))
  console.error(`\nwritten to ${folder}: ${cases.map(({ name }) => name).join(", ")}`)
}

const main = async (wanted: Options): Promise<void> => {
  const chosen = await possible(wanted)
  if (chosen.cases.length > 0) await runCases(chosen)
  if (chosen.frozen) await runFrozen(chosen)
}

await command.run(usage, options, main)
