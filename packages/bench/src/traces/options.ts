/** The command line of `pnpm bench:traces`. */
import { formats } from "@larder/traces"
import { parse, UsageError, wholeNumber } from "../command.ts"
import { generated, recording, type Source } from "./sources.ts"

export interface Options {
  /** Alarms of the detectors instead of hit ratios. */
  readonly alarms: boolean
  readonly sources: ReadonlyArray<Source>
  /** Replace the sizes of each trace. */
  readonly sizes: ReadonlyArray<number> | undefined
}

export const usage = `Usage: pnpm bench:traces [FILE ...] [--field NAME] [--sizes A,B,C] [--alarms]

Replays traces and prints hit ratios of Belady's limit (OPT), LRU (lru-cache) and Larder's memory:
each key is asked for and stored if it was not there, beginning with an empty cache.

FILE: ${formats}.
Without FILE three generated traces are replayed: the traffic of a shop, a loop, and recency alone.

With --alarms it prints the alarms of the detectors instead, over callers who make no mistake.

Options:
  --alarms       the alarms of the detectors instead of hit ratios
  --field NAME   of JSON lines: the field that holds the key, or a path such as request.uri
  --sizes A,B,C  sizes of the cache in entries (default: a choice for each trace)
  --help         shows this`

/** Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): Options => {
  const { positionals, values } = parse(args, {
    alarms: { type: "boolean" },
    field: { type: "string" },
    sizes: { type: "string" },
  })
  const { alarms = false, field, sizes } = values
  if (field !== undefined && positionals.length === 0) {
    throw new UsageError(`--field ${field}: name the FILE whose field it is`)
  }
  const files = [...new Set(positionals)]
  return {
    alarms,
    sources: files.length === 0 ? generated(500_000) : files.map((file) => recording(file, field)),
    sizes: sizes?.split(",").map((size) => wholeNumber("--sizes", size.trim(), 99_999_999)),
  }
}
