/** The options of the SQL client and their validation. */
import { InvalidOptions } from "@larder/core"
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { clientBusyTimeoutMillis, preparedStatements } from "../limits.ts"
import { modes, type Synchronous } from "../synchronous.ts"

/**
 * Options of {@link layer}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** The path of the file, in a folder that exists. `:memory:` keeps everything in this process. */
  readonly filename: string
  /** Refuses writes. The file must exist. Default `false`. */
  readonly readonly?: boolean | undefined
  /**
   * How long a statement or a transaction waits for another connection that writes, without blocking
   * this process. Default 5 seconds.
   */
  readonly busyTimeout?: Duration.Input | undefined
  /**
   * How much a power cut may lose. With `"full"`, the default, no committed transaction, and each costs
   * an fsync. With `"normal"` it may lose the last ones, with `"off"` it may damage the file. With every
   * setting, a killed process loses nothing that was committed.
   */
  readonly synchronous?: Synchronous | undefined
  /**
   * Keeps the journal as the file has it. By default the client switches it to a write-ahead log, with
   * which readers and one writer do not wait for each other. Default `false`.
   */
  readonly disableWAL?: boolean | undefined
  /** How many prepared statements are kept: an integer of at least 1. Default 200. */
  readonly prepareCacheSize?: number | undefined
  /** Attributes of each span, beside `db.system.name`. */
  readonly spanAttributes?: Readonly<Record<string, unknown>> | undefined
  /** Renames columns in rows, such as `String.snakeToCamel` of effect. */
  readonly transformResultNames?: ((name: string) => string) | undefined
  /** Renames identifiers in statements, such as `String.camelToSnake` of effect. */
  readonly transformQueryNames?: ((name: string) => string) | undefined
}

const names: Record<keyof Options, true> = {
  filename: true,
  readonly: true,
  busyTimeout: true,
  synchronous: true,
  disableWAL: true,
  prepareCacheSize: true,
  spanAttributes: true,
  transformResultNames: true,
  transformQueryNames: true,
}

export interface Settings extends Pick<
  Options,
  "spanAttributes" | "transformQueryNames" | "transformResultNames"
> {
  readonly filename: string
  readonly isReadOnly: boolean
  readonly busyMillis: number
  readonly synchronous: Synchronous
  readonly isLogged: boolean
  readonly prepared: number
}

const unless = (isValid: boolean, field: keyof Options, must: string, got: unknown) =>
  isValid
    ? Result.void
    : Result.fail(InvalidOptions.of({ module: "NodeSqliteClient", field, must, got }))

const isFunctionOrLeftOut = (value: unknown): boolean =>
  value === undefined || typeof value === "function"

/** The validated options. JavaScript bypasses the types, so they may be anything. */
export const settings = (options: Options): Result.Result<Settings, InvalidOptions> =>
  Result.gen(function* () {
    const mistake = InvalidOptions.ofNames({ module: "NodeSqliteClient", names, got: options })
    if (mistake !== undefined) return yield* Result.fail(mistake)
    const { disableWAL = false, filename, readonly = false, spanAttributes } = options
    const { prepareCacheSize = preparedStatements, synchronous = "full" } = options
    const { busyTimeout = clientBusyTimeoutMillis } = options
    const isPath = typeof filename === "string" && filename !== "" && !filename.includes("\0")
    yield* unless(isPath, "filename", 'be a path, such as "./app.db"', filename)
    yield* unless(typeof readonly === "boolean", "readonly", "be a boolean", readonly)
    yield* unless(typeof disableWAL === "boolean", "disableWAL", "be a boolean", disableWAL)
    const mode = 'be "off", "normal" or "full"'
    yield* unless(modes.has(synchronous), "synchronous", mode, synchronous)
    const isCount = Number.isSafeInteger(prepareCacheSize) && prepareCacheSize >= 1
    const count = "be an integer of at least 1"
    yield* unless(isCount, "prepareCacheSize", count, prepareCacheSize)
    const busyMillis = InvalidOptions.millisOf(busyTimeout) ?? Infinity
    const time = 'be a finite duration of at least 0, such as "5 seconds"'
    yield* unless(busyMillis < Infinity, "busyTimeout", time, busyTimeout)
    for (const field of ["transformResultNames", "transformQueryNames"] as const) {
      const must = "be a function, or be left out"
      yield* unless(isFunctionOrLeftOut(options[field]), field, must, options[field])
    }
    const areAttributes =
      spanAttributes === undefined ||
      (typeof spanAttributes === "object" && spanAttributes !== null)
    const attributes = "be an object of attributes, or be left out"
    yield* unless(areAttributes, "spanAttributes", attributes, spanAttributes)
    return {
      filename,
      isReadOnly: readonly,
      busyMillis,
      synchronous,
      isLogged: !disableWAL,
      prepared: prepareCacheSize,
      spanAttributes,
      transformResultNames: options.transformResultNames,
      transformQueryNames: options.transformQueryNames,
    }
  })
