/** `pnpm bench:traces`: see options.ts for its command line. */
import { InvalidTrace } from "@larder/traces"
import * as Effect from "effect/Effect"
import * as command from "../command.ts"
import { environment } from "../environment.ts"
import { heading } from "../table.ts"
import * as alarms from "./alarms.ts"
import { judged, legend, ratiosOf, table } from "./figures.ts"
import { options, type Options, usage } from "./options.ts"
import type { Loaded, Source } from "./sources.ts"

const load = async ({ load }: Source): Promise<Loaded> => {
  try {
    return await Effect.runPromise(load)
  } catch (error) {
    throw error instanceof InvalidTrace ? new command.UsageError(error.message) : error
  }
}

const printHitRatios = async ({ sizes, sources }: Options): Promise<void> => {
  console.log([heading(environment(["@larder/core", "lru-cache"])), legend].join("\n"))
  for (const source of sources) {
    process.stderr.write(`${source.name}\n`)
    const loaded = await load(source)
    const ratios = ratiosOf(loaded.trace)
    const figures = (sizes ?? loaded.sizes).map((size) => judged(size, ratios(size), loaded))
    console.log(`\n${table(source.name, loaded.title, figures)}`)
  }
}

/** Requests of each trace: 200 windows. */
const replayedRequests = 60_000

const printAlarms = async ({ sizes, sources }: Options): Promise<void> => {
  console.log([heading(environment(["@larder/core"])), alarms.legend].join("\n"))
  const all: Array<alarms.Replayed> = []
  for (const source of sources) {
    const loaded = await load(source)
    for (const usage of alarms.usages) {
      for (const size of sizes ?? loaded.sizes) {
        process.stderr.write(`${source.name}, ${usage.name}, ${size}\n`)
        const raised = alarms.alarms(loaded.trace, size, usage, replayedRequests)
        const found = await Effect.runPromise(raised)
        all.push({ trace: source.name, size, usage: usage.name, alarms: found })
      }
    }
  }
  console.log(`\n${alarms.table(all)}`)
}

await command.run(usage, (args) => {
  const chosen = options(args)
  return chosen.alarms ? printAlarms(chosen) : printHitRatios(chosen)
})
