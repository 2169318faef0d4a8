/** `pnpm bench:traces`: see options.ts for its command line. */
import { InvalidTrace } from "@larder/traces"
import * as Effect from "effect/Effect"
import * as command from "../command.ts"
import { environment } from "../environment.ts"
import { heading } from "../table.ts"
import { judged, legend, ratiosOf, table } from "./figures.ts"
import { options, usage } from "./options.ts"
import type { Loaded, Source } from "./sources.ts"

const load = async ({ load }: Source): Promise<Loaded> => {
  try {
    return await Effect.runPromise(load)
  } catch (error) {
    throw error instanceof InvalidTrace ? new command.UsageError(error.message) : error
  }
}

await command.run(usage, async (args) => {
  const { sizes, sources } = options(args)
  console.log([heading(environment(["@larder/core", "lru-cache"])), legend].join("\n"))
  for (const source of sources) {
    process.stderr.write(`${source.name}\n`)
    const loaded = await load(source)
    const ratios = ratiosOf(loaded.trace)
    const figures = (sizes ?? loaded.sizes).map((size) => judged(size, ratios(size), loaded))
    console.log(`\n${table(source.name, loaded.title, figures)}`)
  }
})
