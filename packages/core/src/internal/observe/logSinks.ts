/** Where the lines of larders go: the `LogEvents` layers of this process. */
import * as Context from "effect/Context"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import type { LarderEvent } from "../../LarderEvent.ts"
import { LineLimit } from "./lineLimit.ts"
import { type Level, type Line, lineOf, type Message, StaleAnswers } from "./logLines.ts"
import { type OpenLarder, watchAll } from "./openLarders.ts"
import { everyWindow } from "./windows.ts"
import { type Annotations, writeLine } from "./writeLine.ts"

export interface SinkOptions {
  /** The names of the larders; undefined for all. */
  readonly names: ReadonlySet<string> | undefined
  /** Other levels of messages. */
  readonly levels: Readonly<Partial<Record<Message, LogLevel.LogLevel>>>
}

/** Writes the lines of larders through the loggers of one context. */
class Sink {
  readonly #context: Context.Context<never>
  readonly #options: SinkOptions
  readonly #least: LogLevel.LogLevel

  constructor(context: Context.Context<never>, options: SinkOptions) {
    this.#context = context
    this.#options = options
    this.#least = Context.get(context, References.MinimumLogLevel)
  }

  /** `larder`: undefined for a line that is about no single larder. */
  accepts(larder: string | undefined): boolean {
    const { names } = this.#options
    return names === undefined || (larder !== undefined && names.has(larder))
  }

  /** The level of a line; undefined where no logger gets it. */
  levelOf({ level, message }: Line): Level | undefined {
    const own = this.#options.levels[message] ?? level
    if (own === "None" || own === "All") return own === "All" ? level : undefined
    return LogLevel.isGreaterThanOrEqualTo(own, this.#least) ? own : undefined
  }

  write(level: Level, message: string, annotations: Annotations): void {
    writeLine(this.#context, level, message, annotations)
  }

  readonly watch = (larder: OpenLarder): (() => void) => {
    if (!this.accepts(larder.observer.larder)) return () => {}
    return new LoggedLarder(this, larder).begin()
  }
}

/** The lines of one larder in one sink. */
class LoggedLarder {
  readonly #sink: Sink
  readonly #larder: OpenLarder
  readonly #limit: LineLimit
  readonly #stale = new StaleAnswers()
  /** The keys whose stampede has a line in this window: as many as the limit lets through. */
  readonly #stampedes = new Set<string>()

  constructor(sink: Sink, larder: OpenLarder) {
    this.#sink = sink
    this.#larder = larder
    this.#limit = new LineLimit(larder.observer.clock)
  }

  begin(): () => void {
    const { observer } = this.#larder
    const stopListening = observer.listen((event) => this.#heard(event), "none")
    const stopTimer = everyWindow(observer.clock, () => this.#windowEnded())
    return () => {
      stopListening()
      stopTimer()
      this.#writeAll(this.#stale.rest())
    }
  }

  #heard(event: LarderEvent): void {
    if (event._tag === "StampedeDetected" && this.#stampedes.has(event.key)) return
    const line = lineOf(event, this.#larder.tiers)
    const isWritten = line !== undefined && this.#write(line)
    if (event._tag === "StampedeDetected" && isWritten) this.#stampedes.add(event.key)
    if (event._tag !== "StaleServed") return
    const stale = this.#stale.heard(event)
    if (stale !== undefined) this.#write(stale)
  }

  #windowEnded(): void {
    this.#stampedes.clear()
    this.#writeAll(this.#stale.windowEnded())
  }

  #writeAll(lines: ReadonlyArray<Line>): void {
    for (const line of lines) this.#write(line)
  }

  /** Writes a line unless its message had too many recently; returns whether it did. */
  #write(line: Line): boolean {
    const level = this.#sink.levelOf(line)
    if (level === undefined) return false
    const suppressed = this.#limit.take(line.message)
    if (suppressed === undefined) return false
    const { larder, showKey } = this.#larder.observer
    const key = line.key === undefined ? undefined : showKey(line.key)
    this.#sink.write(level, line.message, {
      larder,
      ...(key === undefined ? undefined : { key }),
      ...line.annotations,
      ...(suppressed > 0 ? { suppressed } : undefined),
    })
    return true
  }
}

const sinks = new Set<Sink>()

/** Opens a sink; returns a function that closes it. */
export const openSink = (context: Context.Context<never>, options: SinkOptions): (() => void) => {
  const sink = new Sink(context, options)
  sinks.add(sink)
  const stop = watchAll(sink.watch)
  return () => {
    sinks.delete(sink)
    stop()
  }
}

/** Writes a line to the sinks that accept its larder; false where there are none. */
export const writeThroughSinks = (
  larder: string | undefined,
  level: Level,
  message: string,
  annotations: Annotations,
): boolean => {
  let isWritten = false
  for (const sink of sinks) {
    if (!sink.accepts(larder)) continue
    isWritten = true
    sink.write(level, message, annotations)
  }
  return isWritten
}
