import * as Schema from "effect/Schema"
import { millisOf } from "./internal/runtime/duration.ts"
import { mistakeIn } from "./internal/runtime/optionNames.ts"
import { reasonOf } from "./internal/runtime/shownValue.ts"

/**
 * An option that a module of Larder cannot use.
 *
 * **When to use**
 *
 * Read `module` (`"MemoryTier"`), `field` (`"maxEntries"`) and `reason` to tell an operator what to
 * change. In a tier of your own, make it with `InvalidOptions.of`.
 *
 * **Details**
 *
 * How it reaches the caller depends on what the options make:
 *
 * - A constructor of a value throws it: `Upstream.withConcurrency`, `Wire.compressed`,
 *   `BoundedMap.make`. Its twin returns it in a `Result`, for options from outside:
 *   `withConcurrencyResult`, `compressedResult`, `makeResult`. `Policy` and `EarlyRefresh` do the
 *   same with `InvalidPolicy`.
 * - A function that returns an Effect or a Layer makes it die with the error: `Larder.make`,
 *   `MemoryTier.layer`, `Deadline.hard`, `RedisTier.layer`, `SqliteTier.layer`. It is a defect, so
 *   it is not in the error type.
 * - Where the options come from `Config`, it is a typed error: `RedisClient.layerConfig`.
 *
 * An option of an unknown name is an error too, unless its value is undefined: `field` is the name as
 * given, and `reason` says which one may be meant.
 *
 * `reason` names the valid values and the value given: `must be an integer of at least 1 or
 * Infinity, got 0`. It never contains a secret, and a long text is cut.
 *
 * **Example**
 *
 * ```ts
 * import { InvalidOptions, Upstream } from "@larder/core"
 * import { Effect, Result } from "effect"
 * import * as assert from "node:assert"
 *
 * const guard = Upstream.withConcurrencyResult(0)
 * const products = Upstream.make({ lookup: (id: string) => Effect.succeed(id) }).pipe(guard)
 * assert.ok(Result.isFailure(products))
 * assert.ok(products.failure instanceof InvalidOptions)
 * assert.strictEqual(
 *   products.failure.message,
 *   "Upstream: withConcurrency foreground must be an integer of at least 1 or Infinity, got 0",
 * )
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidOptions extends Schema.TaggedError<InvalidOptions>()("InvalidOptions", {
  /** The public module, such as `"MemoryTier"`. */
  module: Schema.String,
  /** The option. */
  field: Schema.String,
  /** The valid values, and the value given. */
  reason: Schema.String,
}) {
  /**
   * The error for a value: `must` continues the sentence "the option must", `got` is the value as
   * given. The text of a `Redacted` and the members of an object are not shown.
   *
   * **Example**
   *
   * ```ts
   * import { InvalidOptions } from "@larder/core"
   * import * as assert from "node:assert"
   *
   * const error = InvalidOptions.of({
   *   module: "DiskTier",
   *   field: "folder",
   *   must: 'be a path, such as "./cache"',
   *   got: "",
   * })
   * assert.strictEqual(error.message, 'DiskTier: folder must be a path, such as "./cache", got ""')
   * ```
   */
  static of(options: {
    readonly module: string
    readonly field: string
    readonly must: string
    readonly got: unknown
  }): InvalidOptions {
    const { field, got, module, must } = options
    return new InvalidOptions({ module, field, reason: reasonOf(must, got) })
  }

  /**
   * The error for options that are not an object, or of which one has a name that is not in `names`:
   * the nearest known name is its remedy. Undefined for valid ones. An option whose value is undefined
   * counts as left out. `within` names the option whose value the object is; leave it out for the
   * options themselves.
   *
   * **Example**
   *
   * ```ts
   * import { InvalidOptions } from "@larder/core"
   * import * as assert from "node:assert"
   *
   * interface Options {
   *   readonly folder: string
   *   readonly maxBytes?: number | undefined
   * }
   * // The compiler keeps the names complete.
   * const names: Record<keyof Options, true> = { folder: true, maxBytes: true }
   *
   * const got = { folder: "./cache", maxbyte: 1_000 }
   * assert.strictEqual(
   *   InvalidOptions.ofNames({ module: "DiskTier", names, got })?.message,
   *   "DiskTier: maxbyte is an unknown option; did you mean `maxBytes`?",
   * )
   * ```
   */
  static ofNames(options: {
    readonly module: string
    readonly names: Readonly<Record<string, true>>
    readonly got: unknown
    readonly within?: string | undefined
  }): InvalidOptions | undefined {
    const { got, module, names, within } = options
    const mistake = mistakeIn(got, names, within)
    return mistake && new InvalidOptions({ module, ...mistake })
  }

  /**
   * The milliseconds of a duration that is given as an option; undefined for what is none, such as
   * `"5 parsecs"`, and for a negative one. `Duration.fromInput` takes NaN, `{ seconds: NaN }` and
   * `{ parsecs: 5 }` for 0.
   *
   * **Example**
   *
   * ```ts
   * import { InvalidOptions } from "@larder/core"
   * import * as assert from "node:assert"
   *
   * const timeout = (got: "50 millis" | { readonly parsecs: 5 }): number => {
   *   const millis = InvalidOptions.millisOf(got)
   *   if (millis !== undefined) return millis
   *   const must = 'be a duration of at least 0, such as "50 millis"'
   *   throw InvalidOptions.of({ module: "DiskTier", field: "timeout", must, got })
   * }
   * assert.strictEqual(timeout("50 millis"), 50)
   * assert.throws(() => timeout({ parsecs: 5 }), InvalidOptions)
   * ```
   */
  static millisOf(got: unknown): number | undefined {
    return millisOf(got)
  }

  override get message(): string {
    return `${this.module}: ${this.field} ${this.reason}`
  }
}
