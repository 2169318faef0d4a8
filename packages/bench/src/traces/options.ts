/** The command line of `pnpm bench:traces`. */
import { parse, UsageError, wholeNumber } from "../command.ts"
import { generated } from "./generated.ts"
import { bundledSources, fileSource, generatedSources, type Source } from "./sources.ts"

export interface Options {
  readonly sources: ReadonlyArray<Source>
  /** In place of those of each trace. */
  readonly sizes: ReadonlyArray<number> | undefined
  readonly seed: number
  readonly json: string | undefined
}

export const usage = `Usage: pnpm bench:traces [FILE ...] [--generated] [--sizes A,B,C] [--seed N] [--json FILE]

Replays traces and prints hit ratios of Belady's limit (OPT), LRU (lru-cache) and Larder's memory:
each key is asked for and stored if it was not there, beginning with an empty cache.

FILE: a trace, one key per line in the order of the requests; one that ends in .gz is unpacked.
Empty lines are left out. Without FILE these traces are replayed:
${[...bundledSources, ...generated].map(({ name, title }) => `  ${name.padEnd(21)}${title}`).join("\n")}

Options:
  --generated    the generated ones of these: only them, or beside each FILE
  --sizes A,B,C  sizes of the cache in entries (default: a choice for each trace)
  --seed N       of the generated traces and of Larder's memory (default 1)
  --json FILE    writes the figures as JSON too
  --help         shows this`

const sizesFrom = (text: string): ReadonlyArray<number> => {
  const parts = text.split(",").map((part) => part.trim())
  const wrong = parts.find((part) => !/^[1-9]\d{0,7}$/.test(part))
  if (wrong !== undefined) {
    throw new UsageError(
      `--sizes ${text}: ${JSON.stringify(wrong)} is no size; give whole numbers from 1 to 99999999 with commas between them`,
    )
  }
  return [...new Set(parts.map(Number))]
}

const sourcesFrom = (
  files: ReadonlyArray<string>,
  withGenerated: boolean,
  seed: number,
): ReadonlyArray<Source> => {
  if (files.length === 0 && !withGenerated) return [...bundledSources, ...generatedSources(seed)]
  return [...[...new Set(files)].map(fileSource), ...(withGenerated ? generatedSources(seed) : [])]
}

/** The options, or `"help"`. Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): Options | "help" => {
  const { positionals, values } = parse(args, {
    generated: { type: "boolean", default: false },
    sizes: { type: "string" },
    seed: { type: "string", default: "1" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  })
  if (values.help) return "help"
  const seed = wholeNumber("--seed", values.seed, 0, 999_999_999)
  return {
    sources: sourcesFrom(positionals, values.generated, seed),
    sizes: values.sizes === undefined ? undefined : sizesFrom(values.sizes),
    seed,
    json: values.json,
  }
}
