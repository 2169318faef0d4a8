/**
 * Log lines of one write-behind, each in one line and rate-limited by topic as those of larders. They have
 * no stack, no value, and keys only as `KeyDisplay` says.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import { LineLimit } from "../observe/lineLimit.ts"
import type { Level } from "../observe/logLines.ts"
import { writeThroughSinks } from "../observe/logSinks.ts"
import { writeLine } from "../observe/writeLine.ts"

export class Lines {
  readonly #name: string
  readonly #larder: string
  readonly #limit: LineLimit
  readonly #context: Context.Context<never>

  constructor(name: string, larder: string, clock: Clock.Clock, context: Context.Context<never>) {
    this.#name = name
    this.#larder = larder
    this.#limit = new LineLimit(clock)
    this.#context = context
  }

  /** Writes a line unless its topic had too many recently. Topics must be bounded by the code. */
  write(level: Level, topic: string, text: string, error?: unknown): void {
    const suppressed = this.#limit.take(topic)
    if (suppressed === undefined) return
    const line = `${this.#name}: ${text}`
    const annotations = {
      ...(error === undefined ? undefined : { error: oneLine(error) }),
      ...(suppressed > 0 ? { suppressed } : undefined),
    }
    if (writeThroughSinks(this.#larder, level, line, { larder: this.#larder, ...annotations })) {
      return
    }
    writeLine(this.#context, level, line, annotations)
  }
}

const oneLine = (error: unknown): string =>
  (error instanceof Error ? error.message || error.name : String(error)).replaceAll(/\s+/g, " ")
