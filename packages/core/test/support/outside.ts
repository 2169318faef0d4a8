/** All that leaves the process: log lines of every level, spans, and the page of the metrics. */
import { Cause, Effect, Exit, type Layer, Logger, Metric, References, Tracer } from "effect"
import { format } from "effect/Formatter"
import { PrometheusMetrics } from "effect/observability"

export interface LogLine {
  readonly message: string
  readonly level: string
  readonly annotations: Readonly<Record<string, unknown>>
  readonly text: string
}

export class Outside {
  readonly lines: Array<LogLine> = []
  readonly spans: Array<Tracer.NativeSpan> = []
  page = ""

  readonly logger = Logger.make<unknown, void>(({ cause, fiber, logLevel, message }) => {
    const annotations = fiber.getRef(References.CurrentLogAnnotations)
    const said = Array.isArray(message) ? message.map(String).join(" ") : String(message)
    const failed = cause.reasons.length === 0 ? "" : Cause.pretty(cause)
    const text = [said, format(annotations), failed].join(" ")
    this.lines.push({ message: said, level: logLevel, annotations, text })
  })

  readonly tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      this.spans.push(span)
      return span
    },
  })

  /** Runs an effect with a logger, a tracer and a registry of its own. */
  readonly around = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.gen({ self: this }, function* () {
      const answer = yield* effect
      this.page = yield* PrometheusMetrics.format()
      return answer
    }).pipe(
      Effect.provide(Logger.layer([this.logger]) as Layer.Layer<never>),
      Effect.provideService(References.MinimumLogLevel, "All"),
      Effect.provideService(Metric.MetricRegistry, new Map()),
      Effect.withTracer(this.tracer),
    )

  /** Everything, as text. */
  get texts(): ReadonlyArray<string> {
    return [...this.lines.map(({ text }) => text), ...this.spans.map(textOf), this.page]
  }
}

/** A span with its end, as an exporter could read it. */
const textOf = ({ attributes, events, name, status }: Tracer.NativeSpan): string => {
  const exit = status._tag === "Ended" ? status.exit : undefined
  const ended =
    exit === undefined ? [] : [format(exit), Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""]
  return [name, format([...attributes]), format(events), ...ended].join(" ")
}
