/**
 * The span of a lookup. A tracer gets the end of the span, and exports the texts of its failures: those
 * of upstream often quote the key, and the value is in the exit itself. So the span ends with the kind
 * of the failure alone, and the lookup with its own exit.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Tracer from "effect/Tracer"
import { errorKind } from "../runtime/errorKind.ts"

type Attributes = Readonly<Record<string, string>>

/** What a span tells besides the larder's name and the type of a failure. */
interface Described {
  /** Called as the span begins. */
  readonly begun: (span: Tracer.Span) => void
  /** The attributes of how the lookup ended; also where it was interrupted. */
  readonly ended?: (exit: Exit.Exit<unknown, unknown>) => Attributes
}

/** Not `withSpan`, which adds a stack trace for each call to causes of failures. */
export const inSpan = (
  larder: string,
  lookup: Effect.Effect<unknown, unknown>,
  { begun, ended = () => ({}) }: Described,
): Effect.Effect<unknown, unknown> =>
  Effect.suspend(() => {
    let own: Exit.Exit<unknown, unknown> | undefined
    const run = (span: Tracer.Span) => {
      begun(span)
      const within = Effect.onExit(
        Effect.provideService(lookup, Tracer.ParentSpan, span),
        (exit) => {
          const attributes = { ...errorOf(exit), ...ended(exit) }
          for (const [name, value] of Object.entries(attributes)) span.attribute(name, value)
          return Effect.void
        },
      )
      return Effect.flatMap(Effect.exit(within), (exit) => {
        own = exit
        return Exit.isSuccess(exit) ? Effect.void : bare(exit.cause)
      })
    }
    const options = { attributes: { "larder.name": larder } }
    const spanned = Effect.useSpan("larder.lookup", options, run)
    // Race: an interruption of the lookup ends the span with itself, before there is an exit.
    return Effect.flatMap(Effect.exit(spanned), (ended) => own ?? ended)
  })

const errorOf = (exit: Exit.Exit<unknown, unknown>): Attributes => {
  const type = Exit.isSuccess(exit) ? undefined : errorKind(exit.cause)
  return type === undefined ? {} : { "error.type": type }
}

const bare = (cause: Cause.Cause<unknown>): Exit.Exit<never, unknown> => {
  const type = errorKind(cause)
  if (type === undefined) return Exit.interrupt()
  const error = new Error(type)
  error.name = type
  // The frames of this function would tell nothing of the lookup.
  error.stack = type
  return Cause.hasDies(cause) ? Exit.die(error) : Exit.fail(error)
}
