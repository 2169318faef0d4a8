/** Where a larder was made: what its lookups run in already has the services that were captured there. */
import type * as Context from "effect/Context"

const origins = new WeakMap<Context.Context<never>, Context.Context<never>>()

/** Tells that `context` has all that `origin` has, and nothing else in its place. */
export const setOrigin = (
  context: Context.Context<never>,
  origin: Context.Context<never>,
): void => {
  origins.set(context, origin)
}

/** For a context made of another by adding what no lookup captures. */
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
