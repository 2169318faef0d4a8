/** Writes one log line through the loggers of a context. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"

export type Annotations = Readonly<Record<string, string | number>>

export const writeLine = (
  context: Context.Context<never>,
  level: LogLevel.Severity,
  message: string,
  annotations: Annotations,
): void => {
  const line = Effect.annotateLogs(Effect.logWithLevel(level)(message), annotations)
  Effect.runForkWith(context)(line)
}
