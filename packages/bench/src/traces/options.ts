/** The command line of `pnpm bench:traces`. */
import { formats } from "@larder/traces"
import { parse, UsageError, wholeNumber } from "../command.ts"
import { generated, recording, type Source } from "./sources.ts"

export interface Options {
  readonly sources: ReadonlyArray<Source>
  /** Replace the sizes of each trace. */
  readonly sizes: ReadonlyArray<number> | undefined
  readonly seed: number
}

export const usage = `Usage: pnpm bench:traces [FILE ...] [--field NAME] [--sizes A,B,C] [--seed N]

Replays traces and prints hit ratios of Belady's limit (OPT), LRU (lru-cache) and Larder's memory:
each key is asked for and stored if it was not there, beginning with an empty cache.

FILE: ${formats}.
Without FILE three generated traces are replayed: the traffic of a shop, a loop, and recency alone.

Options:
  --field NAME   of JSON lines: the field that holds the key, or a path such as request.uri
  --sizes A,B,C  sizes of the cache in entries (default: a choice for each trace)
  --seed N       of the generated traces and of Larder's memory (default 1)
  --help         shows this`

/** The length of each generated trace. */
const requests = 500_000

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

/** The options, or `"help"`. Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): Options | "help" => {
  const { positionals, values } = parse(args, {
    field: { type: "string" },
    sizes: { type: "string" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", default: false },
  })
  if (values.help) return "help"
  if (values.field !== undefined && positionals.length === 0) {
    throw new UsageError(`--field ${values.field}: name the FILE whose field it is`)
  }
  const seed = wholeNumber("--seed", values.seed, 0, 999_999_999)
  const files = [...new Set(positionals)]
  return {
    sources:
      files.length === 0
        ? generated(seed, requests)
        : files.map((file) => recording(file, values.field)),
    sizes: values.sizes === undefined ? undefined : sizesFrom(values.sizes),
    seed,
  }
}
