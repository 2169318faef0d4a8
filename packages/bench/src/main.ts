/** `pnpm bench`: see options.ts for its command line. */
import type { Case } from "./Case.ts"
import { now } from "./clock.ts"
import * as command from "./command.ts"
import { packagesOf } from "./contenders/registry.ts"
import { type Environment, environment } from "./environment.ts"
import { given, options, type Options, usage } from "./options.ts"
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

/** The cases whose needs are met; of the others it says so. */
const possible = async (cases: Options["cases"]): Promise<Options["cases"]> => {
  if (await redis.hasRedis()) return cases
  for (const { name } of cases.filter(({ needs }) => needs === "redis")) {
    console.error(`${name} is left out: found no redis-server (LARDER_REDIS_SERVER, or on PATH)`)
  }
  return cases.filter(({ needs }) => needs === undefined)
}

const main = async (chosen: Options): Promise<void> => {
  const { folder, rounds, seconds } = chosen
  const cases = await possible(chosen.cases)
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

await command.run(usage, options, main)
