/**
 * Warnings of one larder, rate-limited by topic: see `LineLimit`. No line shows a key, a value or a secret.
 * They go through `LogEvents` where it is provided, else to the loggers of the larder.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import { LineLimit } from "./lineLimit.ts"
import { warnThroughSinks } from "./logSinks.ts"
import { writeLine } from "./writeLine.ts"

export class Warnings {
  readonly #larder: string
  readonly #context: Context.Context<never>
  readonly #limit: LineLimit

  constructor(larder: string, clock: Clock.Clock, context: Context.Context<never>) {
    this.#larder = larder
    this.#context = context
    this.#limit = new LineLimit(clock)
  }

  /**
   * Logs a warning unless its topic had too many recently. Topics must be bounded by the code. `about`:
   * further annotations.
   */
  warn(topic: string, text: string, about: Readonly<Record<string, string>> = {}): void {
    const suppressed = this.#limit.take(topic)
    if (suppressed === undefined) return
    const larder = this.#larder
    const annotations = { larder, ...about, ...(suppressed > 0 ? { suppressed } : undefined) }
    const message = `${larder}: ${text}`
    if (warnThroughSinks(larder, message, annotations)) return
    writeLine(this.#context, "Warn", message, annotations)
  }
}
