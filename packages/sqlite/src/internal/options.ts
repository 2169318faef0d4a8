/** The options of the tier and their validation. */
import { InvalidOptions, Tier, Wire } from "@larder/core"
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as limits from "./limits.ts"
import { modes, type Synchronous } from "./synchronous.ts"

export type { Synchronous } from "./synchronous.ts"

/**
 * Options of {@link layer}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends Tier.LimitOptions {
  /** The path of the file, in a folder that exists. `:memory:` keeps everything in this process, for tests. */
  readonly filename: string
  /**
   * The most entries in the file, of all larders together: an integer of at least 1, or `Infinity`.
   * Default 100,000.
   */
  readonly maxEntries?: number | undefined
  /**
   * The most bytes of keys and envelopes, of all larders together: an integer of at least 1, or
   * `Infinity`. Default 256 MiB.
   */
  readonly maxBytes?: number | undefined
  /** The encoding of values. Default `Wire.json`. */
  readonly wire?: Wire.Wire | undefined
  /**
   * How long an operation waits for other writing processes, without blocking this one. Default 50
   * ms.
   */
  readonly busyTimeout?: Duration.Input | undefined
  /**
   * How much a power cut may lose. With `"normal"`, the default, it may lose the last changes. With
   * `"full"` it loses nothing, and each write costs an fsync. With `"off"` it may damage the file;
   * the tier then moves the file aside and begins a new one. With every setting, a killed process
   * loses no change that it has acknowledged.
   */
  readonly synchronous?: Synchronous | undefined
  /** The tier's name in events, statistics and `getWithMeta`. Default `"sqlite"`. */
  readonly name?: string | undefined
}

const ownNames: Record<Exclude<keyof Options, keyof Tier.LimitOptions>, true> = {
  filename: true,
  maxEntries: true,
  maxBytes: true,
  wire: true,
  busyTimeout: true,
  synchronous: true,
  name: true,
}

export interface Settings {
  readonly filename: string
  readonly maxEntries: number
  readonly maxBytes: number
  readonly wire: Wire.Wire | undefined
  readonly busyMillis: number
  readonly synchronous: Synchronous
  readonly name: string
  readonly limits: Tier.Limits
}

const isBound = (value: number): boolean =>
  value === Infinity || (Number.isSafeInteger(value) && value >= 1)

type Field = keyof Options | "options"

const unless = (isValid: boolean, field: Field, must: string, got: unknown) =>
  isValid ? Result.void : Result.fail(InvalidOptions.of({ module: "SqliteTier", field, must, got }))

/** The validated options. JavaScript bypasses the types, so they may be anything. */
export const settings = (options: Options): Result.Result<Settings, InvalidOptions> =>
  Result.gen(function* () {
    const isObject = typeof options === "object" && options !== null
    yield* unless(isObject, "options", "be an object with a filename", options)
    const tierLimits = yield* Tier.checkLimits("SqliteTier", options, ownNames)
    const { filename, maxBytes = limits.maxBytes, maxEntries = limits.maxEntries, wire } = options
    const {
      busyTimeout = limits.busyTimeoutMillis,
      name = "sqlite",
      synchronous = "normal",
    } = options
    const isPath = typeof filename === "string" && filename !== "" && !filename.includes("\0")
    yield* unless(isPath, "filename", 'be a path, such as "./larder.db"', filename)
    const bound = "be an integer of at least 1 or Infinity"
    yield* unless(isBound(maxEntries), "maxEntries", bound, maxEntries)
    yield* unless(isBound(maxBytes), "maxBytes", bound, maxBytes)
    const isName = typeof name === "string" && name.trim() !== ""
    yield* unless(isName, "name", 'be a non-blank string, such as "sqlite"', name)
    yield* unless(
      modes.has(synchronous),
      "synchronous",
      'be "off", "normal" or "full"',
      synchronous,
    )
    yield* unless(
      wire === undefined || Wire.isWire(wire),
      "wire",
      "be a wire, such as Wire.json",
      wire,
    )
    const busyMillis = InvalidOptions.millisOf(busyTimeout) ?? Infinity
    yield* unless(
      busyMillis < Infinity,
      "busyTimeout",
      'be a finite duration of at least 0, such as "50 millis"',
      busyTimeout,
    )
    return {
      filename,
      maxEntries,
      maxBytes,
      wire,
      busyMillis,
      synchronous,
      name,
      limits: tierLimits,
    }
  })
