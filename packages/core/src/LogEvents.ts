/**
 * Log lines about larders, through Effect's logger: circuit breakers, stale answers, stampedes, and calls
 * that memory could not answer.
 *
 * @module
 * @category cache
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import { InvalidOptions } from "./InvalidOptions.ts"
import { namesOf } from "./internal/observe/chosenLarders.ts"
import type { Message } from "./internal/observe/logLines.ts"
import { openSink, type SinkOptions } from "./internal/observe/logSinks.ts"
import { mistakeIn, type NamesOf } from "./internal/runtime/optionNames.ts"
import type { TypeId } from "./Larder.ts"

export type { Message } from "./internal/observe/logLines.ts"

/**
 * A larder whose events are logged: its name, or the larder. Larders of one name are logged alike.
 *
 * @category models
 * @since 0.1.0
 */
export type Logged = string | { readonly [TypeId]: typeof TypeId; readonly name: string }

/**
 * Options of {@link layer}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * Other levels for all lines of a message; `"None"` for no lines. By default the level depends on the
   * event: see {@link layer}.
   */
  readonly levels?: Readonly<Partial<Record<Message, LogLevel.LogLevel>>> | undefined
}

const optionNames: NamesOf<Options> = { levels: true }

const messages: NamesOf<Record<Message, true>> = {
  "breaker changed": true,
  "tiers missed": true,
  stampede: true,
  "serving stale": true,
}

const misnamed = (got: unknown, names: Readonly<Record<string, true>>, within?: string): void => {
  const mistake = mistakeIn(got, names, within)
  if (mistake !== undefined) throw new InvalidOptions({ module: "LogEvents", ...mistake })
}

const invalid = (field: string, must: string, got: unknown): InvalidOptions =>
  InvalidOptions.of({ module: "LogEvents", field, must, got })

/** Throws `InvalidOptions`. */
const checked = (larders: ReadonlyArray<Logged> | undefined, options: Options): SinkOptions => {
  misnamed(options, optionNames)
  const { levels = {} } = options
  misnamed(levels, messages, "levels")
  for (const [message, level] of Object.entries(levels)) {
    if (level === undefined || LogLevel.values.includes(level)) continue
    throw invalid(`levels.${message}`, `be one of ${LogLevel.values.join(", ")}`, level)
  }
  return { names: namesOf("LogEvents", larders), levels }
}

/**
 * Logs what larders do, through the loggers of the place where the layer is provided. Without it, a larder
 * logs its warnings alone, through its own loggers.
 *
 * **When to use**
 *
 * Provide it once, where an application composes its layers. It logs all larders of the process, unless
 * some are given.
 *
 * **Details**
 *
 * The messages never change, so that they can be searched for; the rest is in annotations: `larder`, and
 * what the table says. Keys appear as `KeyDisplay` says, values never.
 *
 * | message | level | when, and the annotations |
 * | --- | --- | --- |
 * | `breaker changed` | warning; info when it closes, debug when it is half open | every change: `breaker`, `from`, `to` |
 * | `tiers missed` | debug | a call went past memory: `key`, `tiers` that had nothing for it, `source` of the answer, `millis` |
 * | `stampede` | warning | the event `StampedeDetected`, once a key in 30 seconds: `key`, `callers`, `lookups` |
 * | `serving stale` | info; warning for another `reason` than `revalidating` | the first answer of a larder and `reason`, with `key`, `tier` and `age` in ms; then once a minute their number, `count` |
 *
 * Of each message and larder at most 5 lines come at once, and then 1 a second; `suppressed` is the number
 * of those left out since the last one. The warnings of larders go through this layer as well, and those of
 * tiers about their servers and files, which `TierLog` writes, unless larders are given: each is logged once.
 *
 * **Gotchas**
 *
 * - The layer dies with `InvalidOptions` for options that it cannot use.
 * - Log at level debug, `References.MinimumLogLevel`, to see `tiers missed`.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, LogEvents, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect, Layer, Logger, References } from "effect"
 * import * as assert from "node:assert"
 *
 * const lines: Array<unknown> = []
 * const logger = Logger.make(({ fiber, message }) => {
 *   lines.push([message, fiber.getRef(References.CurrentLogAnnotations)])
 * })
 * const program = Effect.gen(function* () {
 *   const lengths = yield* Larder.make({
 *     name: "lengths",
 *     upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
 *     policy: Policy.make({ freshFor: "0 seconds", staleWhileRevalidate: "1 minute" }),
 *   })
 *   yield* lengths.get("milk")
 *   yield* lengths.get("milk")
 * })
 * const logs = LogEvents.layer(["lengths"]).pipe(Layer.provide(Logger.layer([logger])))
 * await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide([TierStack.layer(MemoryTier.layer()), logs])),
 * )
 * assert.match(JSON.stringify(lines[0]), /serving stale.*"reason":"revalidating"/)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  larders?: ReadonlyArray<Logged> | undefined,
  options: Options = {},
): Layer.Layer<never> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const accepted = checked(larders, options)
      const context = yield* Effect.context<never>()
      yield* Effect.acquireRelease(
        Effect.sync(() => openSink(context, accepted)),
        (close) => Effect.sync(close),
      )
    }),
  )
