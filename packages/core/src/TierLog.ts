/**
 * Log lines about a tier itself: its servers, files and connections. They go through `LogEvents` where
 * it is provided for all larders, so that the lines of tiers and of larders have one form and one place,
 * else to the loggers of the place where the tier is built.
 *
 * @module
 * @category tier authors
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import { InvalidOptions } from "./InvalidOptions.ts"
import { LineLimit } from "./internal/observe/lineLimit.ts"
import { writeThroughSinks } from "./internal/observe/logSinks.ts"
import { writeLine } from "./internal/observe/writeLine.ts"
import { millisOf, mustBeDuration } from "./internal/runtime/duration.ts"
import { warningRefillMillis, warningsAtOnce } from "./internal/runtime/limits.ts"
import { type NamesOf } from "./internal/runtime/optionNames.ts"
import { steadyClock } from "./internal/runtime/steadyClock.ts"

/**
 * Annotations of a line, such as the address of a server.
 *
 * @category models
 * @since 0.1.0
 */
export type Annotations = Readonly<Record<string, string | number>>

/**
 * Options of {@link make}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * What the lines are about, such as `"Redis at cache:6379"`. It begins each line where `LogEvents` is
   * not provided.
   */
  readonly subject: string
  /** What the lines are about, as annotations of the lines that go through `LogEvents`: `tier`, `server`. */
  readonly annotations: Annotations
  /** How many lines may come at once, at least 1. Those of `Debug` and `Trace` count apart. Default 5. */
  readonly atOnce?: number | undefined
  /** How long until one more line may come, above 0 and finite. Default 1 second. */
  readonly refill?: Duration.Input | undefined
}

const optionNames: NamesOf<Options> = {
  subject: true,
  annotations: true,
  atOnce: true,
  refill: true,
}

/**
 * A line of the log.
 *
 * @category models
 * @since 0.1.0
 */
export interface Line {
  readonly level: LogLevel.Severity
  /** What happened, and what to do about it. Never a key, a value or a password. */
  readonly message: string
  /** Annotations of this line, beside those of the log. */
  readonly annotations?: Annotations | undefined
}

/**
 * Writes the lines of a tier.
 *
 * @category models
 * @since 0.1.0
 */
export interface TierLog {
  /** Writes a line, unless too many came recently: the next one then says how many were left out. Never throws. */
  readonly write: (line: Line) => void
}

const invalid = (field: string, must: string, got: unknown): InvalidOptions =>
  InvalidOptions.of({ module: "TierLog", field, must, got })

/** Lines that hardly anybody reads must not use up the place of warnings. */
const isFine = (level: LogLevel.Severity): boolean => level === "Debug" || level === "Trace"

/** Throws `InvalidOptions`. */
const checked = (options: Options) => {
  const mistake = InvalidOptions.ofNames({ module: "TierLog", names: optionNames, got: options })
  if (mistake !== undefined) throw mistake
  const {
    annotations,
    atOnce = warningsAtOnce,
    refill = Duration.millis(warningRefillMillis),
    subject,
  } = options
  if (typeof subject !== "string" || subject.trim() === "") {
    throw invalid("subject", 'be a non-blank string, such as "Redis at cache:6379"', subject)
  }
  if (typeof annotations !== "object" || annotations === null) {
    throw invalid("annotations", "be an object of texts and numbers", annotations)
  }
  if (!Number.isSafeInteger(atOnce) || atOnce < 1) {
    throw invalid("atOnce", "be an integer of at least 1", atOnce)
  }
  const refillMillis = millisOf(refill)
  if (refillMillis === undefined) throw invalid("refill", mustBeDuration, refill)
  if (refillMillis === 0 || refillMillis === Infinity) {
    throw invalid("refill", "be above 0 and finite", refill)
  }
  return { subject, annotations, atOnce, refillMillis }
}

/**
 * The log of a tier.
 *
 * **When to use**
 *
 * In a tier or a client of your own, in place of `Effect.logWarning`, for what an operator should know of
 * its servers or files. Make it once, where the layer of the tier is built.
 *
 * **Details**
 *
 * Through `LogEvents`, a line is its message with annotations; else it is the subject, a colon and the
 * message, written by the loggers of the fiber that made the log. It is written once in either case. A
 * `LogEvents.layer` for some larders gets no lines of tiers, which belong to all.
 *
 * **Gotchas**
 *
 * - It dies with `InvalidOptions` for options that it cannot use.
 * - What one larder should know, and its subscribers, is `Tier.Notice`.
 *
 * **Example**
 *
 * ```ts
 * import { LogEvents, TierLog } from "@larder/core"
 * import { Effect, Layer, Logger, References } from "effect"
 * import * as assert from "node:assert"
 *
 * const lines: Array<unknown> = []
 * const logger = Logger.make(({ fiber, message }) => {
 *   lines.push([String(message), fiber.getRef(References.CurrentLogAnnotations)])
 * })
 * const program = Effect.gen(function* () {
 *   const log = yield* TierLog.make({ subject: "disk.db", annotations: { file: "disk.db" } })
 *   log.write({ level: "Warn", message: "the disk is full: free some space" })
 * })
 * await Effect.runPromise(Effect.provide(program, Logger.layer([logger])))
 * assert.deepStrictEqual(lines.pop(), ["disk.db: the disk is full: free some space", {}])
 *
 * const logs = LogEvents.layer().pipe(Layer.provide(Logger.layer([logger])))
 * await Effect.runPromise(Effect.provide(program, logs))
 * assert.deepStrictEqual(lines.pop(), ["the disk is full: free some space", { file: "disk.db" }])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<TierLog> =>
  Effect.gen(function* () {
    const { annotations, atOnce, refillMillis, subject } = checked(options)
    const context = yield* Effect.context<never>()
    const limit = new LineLimit(yield* steadyClock, { atOnce, refillMillis })
    return {
      write: ({ annotations: ofLine = {}, level, message }) => {
        const suppressed = limit.take(isFine(level) ? "fine" : "operator")
        if (suppressed === undefined) return
        const all = { ...annotations, ...ofLine }
        const counted = suppressed > 0 ? { ...all, suppressed } : all
        if (writeThroughSinks(undefined, level, message, counted)) return
        const left = suppressed > 0 ? ` (${suppressed} more lines were suppressed)` : ""
        writeLine(context, level, `${subject}: ${message}${left}`, ofLine)
      },
    }
  })
