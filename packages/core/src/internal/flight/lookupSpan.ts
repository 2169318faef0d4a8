/**
 * The span of a lookup. A tracer gets the end of the span, and exports the texts of its failures: those
 * of upstream often quote the key, and the value is in the exit itself. So the span ends with the kind
 * of the failure alone, and the lookup with its own exit.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { hasProperty } from "effect/Predicate"
import * as Tracer from "effect/Tracer"

/** Not `withSpan`, which adds a stack trace for each call to causes of failures. */
export const inSpan = (
  larder: string,
  lookup: Effect.Effect<unknown, unknown>,
  describe: (span: Tracer.Span) => void,
): Effect.Effect<unknown, unknown> =>
  Effect.suspend(() => {
    let own: Exit.Exit<unknown, unknown> | undefined
    const run = (span: Tracer.Span) => {
      describe(span)
      const within = Effect.provideService(lookup, Tracer.ParentSpan, span)
      return Effect.flatMap(Effect.exit(within), (exit) => {
        own = exit
        if (Exit.isSuccess(exit)) return Effect.void
        return bare(exit.cause, kindOf(exit.cause))
      })
    }
    const options = { attributes: { "larder.name": larder } }
    const spanned = Effect.useSpan("larder.lookup", options, run)
    // Race: an interruption of the lookup ends the span with itself, before there is an exit.
    return Effect.flatMap(Effect.exit(spanned), (ended) => own ?? ended)
  })

/** The tag or the name of an error, which tells no key; undefined for an interruption. */
const kindOf = ({ reasons }: Cause.Cause<unknown>): string | undefined => {
  for (const reason of reasons) {
    if (reason._tag === "Interrupt") continue
    const error: unknown = reason._tag === "Die" ? reason.defect : reason.error
    if (hasProperty(error, "_tag") && typeof error._tag === "string") return error._tag
    return error instanceof Error ? error.name : typeof error
  }
  return undefined
}

const bare = (cause: Cause.Cause<unknown>, kind: string | undefined): Exit.Exit<never, unknown> => {
  if (kind === undefined) return Exit.interrupt()
  const error = new Error(kind)
  error.name = kind
  // The frames of this function would tell nothing of the lookup.
  error.stack = kind
  return Cause.hasDies(cause) ? Exit.die(error) : Exit.fail(error)
}
