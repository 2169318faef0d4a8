/**
 * Lines of one larder in the log, its warnings above all, rate-limited by topic: see `LineLimit`. No line
 * shows a key, a value or a secret. They go through `LogEvents` where it is provided, else to the loggers
 * of the larder.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import { LineLimit } from "./lineLimit.ts"
import type { Level } from "./logLines.ts"
import { writeThroughSinks } from "./logSinks.ts"
import { writeLine } from "./writeLine.ts"

/** What else a line is about, as an annotation: its name. */
type About = { readonly tier: string } | { readonly backplane: string }

/** A text, or one that names what it is about where no annotation does. */
type Text = string | ((name?: string) => string)

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
   * Logs a warning unless its topic had too many recently. Topics must be bounded by the code. Lines of
   * `LogEvents` have the names of tiers and backplanes as annotations; in other lines the text has them.
   */
  warn(topic: string, text: Text, about?: About): void {
    this.#write("Warn", topic, text, about)
  }

  /** As `warn`, for a line that most operators need not see. */
  debug(topic: string, text: string): void {
    this.#write("Debug", topic, text)
  }

  #write(level: Level, topic: string, text: Text, about?: About): void {
    const suppressed = this.#limit.take(topic)
    if (suppressed === undefined) return
    const larder = this.#larder
    const annotations = { larder, ...about, ...(suppressed > 0 ? { suppressed } : undefined) }
    const textOf = (name?: string) => (typeof text === "string" ? text : text(name))
    if (writeThroughSinks(larder, level, textOf(), annotations)) return
    const [name] = Object.values(about ?? {})
    writeLine(this.#context, level, `${larder}: ${textOf(name)}`, annotations)
  }
}
