/** The options of the tier and their validation. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Wire } from "@larder/core"

export type Synchronous = "off" | "normal" | "full"

/** An invalid option. */
export class InvalidSqliteTier extends Schema.TaggedError<InvalidSqliteTier>()(
  "InvalidSqliteTier",
  { field: Schema.String, reason: Schema.String },
) {
  override get message(): string {
    return `SqliteTier ${this.field}: ${this.reason}`
  }
}

export interface Options {
  /** The path of the file, in a folder that exists. `:memory:` keeps everything in this process, for tests. */
  readonly filename: string
  /** The most entries in the file, of all larders together. Default 100,000. */
  readonly maxEntries?: number | undefined
  /** The most bytes of keys and envelopes, of all larders together. Default 256 MiB. */
  readonly maxBytes?: number | undefined
  /** The encoding of values. Default `Wire.json`. */
  readonly wire?: Wire.Wire | undefined
  /**
   * How long an operation waits for other writing processes, without blocking this one. Default 50
   * ms.
   */
  readonly busyTimeout?: Duration.Input | undefined
  /**
   * What a power cut may lose. `"normal"`, the default: the last changes. `"full"`: nothing, at the
   * price of an fsync with each write. `"off"`: the file may be damaged; the tier then moves it
   * aside and begins a new one. With every setting, a killed process loses nothing it has
   * acknowledged.
   */
  readonly synchronous?: Synchronous | undefined
  /** The tier's name in events, statistics and `getWithMeta`. Default `"sqlite"`. */
  readonly name?: string | undefined
}

export interface Settings {
  readonly filename: string
  readonly maxEntries: number
  readonly maxBytes: number
  readonly wire: Wire.Wire | undefined
  readonly busyMillis: number
  readonly synchronous: Synchronous
  readonly name: string
}

const invalid = (field: keyof Options, reason: string) => new InvalidSqliteTier({ field, reason })

const modes: ReadonlyArray<Synchronous> = ["off", "normal", "full"]

/** Throws `InvalidSqliteTier`. */
export const settings = (options: Options): Settings => {
  const { filename, maxBytes = 256 * 1024 * 1024, maxEntries = 100_000 } = options
  const { busyTimeout = 50, name = "sqlite", synchronous = "normal" } = options
  if (typeof filename !== "string" || filename === "" || filename.includes("\0")) {
    throw invalid(
      "filename",
      `${JSON.stringify(filename)} is no path; give one, such as "./larder.db"`,
    )
  }
  for (const [field, value] of [
    ["maxEntries", maxEntries],
    ["maxBytes", maxBytes],
  ] as const) {
    if (!(value >= 1)) throw invalid(field, `${value} is no bound; give a number of at least 1`)
  }
  if (typeof name !== "string" || name.trim() === "") {
    throw invalid("name", `${JSON.stringify(name)} is no name; give a text such as "sqlite"`)
  }
  if (!modes.includes(synchronous)) {
    throw invalid("synchronous", `${synchronous} is none of ${modes.join(", ")}`)
  }
  const busyMillis = Option.map(Duration.fromInput(busyTimeout), Duration.toMillis)
  if (Option.isNone(busyMillis) || !(busyMillis.value >= 0 && busyMillis.value < Infinity)) {
    throw invalid("busyTimeout", `${String(busyTimeout)} is no time; give one, such as "50 millis"`)
  }
  return {
    filename,
    maxEntries,
    maxBytes,
    wire: options.wire,
    busyMillis: busyMillis.value,
    synchronous,
    name,
  }
}
