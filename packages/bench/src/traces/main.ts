/** `pnpm bench:traces`: see options.ts for its command line. */
import * as command from "../command.ts"
import { environment } from "../environment.ts"
import { heading } from "../table.ts"
import { writeJson } from "../writeJson.ts"
import { figures, type Replayed } from "./figures.ts"
import { limit, nextRequests } from "./limit.ts"
import { options, type Options, usage } from "./options.ts"
import { larder } from "./larder.ts"
import { lru } from "./lru.ts"
import { replay } from "./replay.ts"
import { legend, summary, table } from "./report.ts"
import type { Source } from "./sources.ts"

const replayed = async (source: Source, { seed, sizes }: Options): Promise<Replayed> => {
  const tell = (doing: string): void => void process.stderr.write(`${source.name}: ${doing}\n`)
  tell("reading")
  const trace = await source.load()
  const keys = trace.keys.length
  const requests = trace.requests.length
  const next = nextRequests(trace.requests)
  const percent = (hits: number): number => (100 * hits) / requests
  const atSize = (size: number) => {
    tell(`${size} entries`)
    const room = Math.min(size, keys)
    const ratios = {
      opt: percent(limit({ keys, next, requests: trace.requests }, room)),
      lru: percent(replay(trace, lru(room))),
      larder: percent(replay(trace, larder({ eviction: "w-tinylfu", seed })(size))),
    }
    const { reference, shareOfOpt } = source
    return figures(size, ratios, { reference: reference.get(size), shareOfOpt })
  }
  return {
    trace: source.name,
    title: source.title,
    requests,
    keys,
    sizes: (sizes ?? source.sizes(keys)).map(atSize),
  }
}

const main = async (chosen: Options): Promise<void> => {
  const place = environment(["@larder/core", "lru-cache"])
  console.log([heading(place), legend].join("\n"))
  const all: Array<Replayed> = []
  for (const source of chosen.sources) {
    const figures = await replayed(source, chosen)
    all.push(figures)
    console.log(`\n${table(figures)}`)
  }
  console.log(`\n${summary(all)}`)
  if (chosen.json !== undefined) {
    const report = { environment: place, seed: chosen.seed, traces: all }
    writeJson(chosen.json, report)
  }
}

await command.run(usage, options, main)
