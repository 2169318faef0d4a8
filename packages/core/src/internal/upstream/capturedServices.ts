/** The context in which a larder was made, by the context of its lookups, which has the same services. */
import type * as Context from "effect/Context"

const origins = new WeakMap<Context.Context<never>, Context.Context<never>>()

/** Records that `context` has all services of `origin`, unchanged. */
export const setOrigin = (
  context: Context.Context<never>,
  origin: Context.Context<never>,
): void => {
  origins.set(context, origin)
}

/** Copies the origin to a context derived by adding services that no upstream captures. */
export const keepOrigin = (
  from: Context.Context<never>,
  to: Context.Context<never>,
): Context.Context<never> => {
  const origin = origins.get(from)
  if (origin !== undefined) origins.set(to, origin)
  return to
}

export const isFrom = (context: Context.Context<never>, origin: Context.Context<never>): boolean =>
  origins.get(context) === origin
