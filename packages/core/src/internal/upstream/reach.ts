/** Tracks whether a call has reached upstream: a call that was queued or shed says nothing about upstream. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Resolved } from "../../Upstream.ts"
import { setGates } from "./concurrencyLimiter.ts"
import { keepOrigin } from "./capturedServices.ts"

/** One call within a circuit, or a whole lookup of a larder. */
export class Reach {
  reached = false
  /** Called when the call reaches upstream for the first time. */
  onReached: (() => void) | undefined = undefined
  readonly outer: Reach | undefined
  constructor(outer: Reach | undefined) {
    this.outer = outer
  }
}

const Current = Context.Reference<Reach | undefined>("@larder/core/internal/Reach", {
  defaultValue: () => undefined,
})

/** A captured context must not have this reference, since other calls run in it. */
export const tag = Current

/** Marks all calls of this context as having reached upstream. */
const enter = (context: Context.Context<never>): void => {
  for (let call = Context.get(context, Current); call !== undefined; call = call.outer) {
    if (call.reached) continue
    call.reached = true
    call.onReached?.()
  }
}

/** Calls upstream, and marks it as reached for all circuits around it. */
export const entering = <A, E, R>(ask: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber(({ context }) => {
    enter(context)
    return ask()
  })

/** The context with a new call. */
export const beginIn = (
  context: Context.Context<never>,
): { readonly call: Reach; readonly context: Context.Context<never> } => {
  const call = new Reach(Context.get(context, Current))
  return { call, context: keepOrigin(context, Context.add(context, Current, call)) }
}

/** The resolved upstreams that record in `Reach` that a call has reached them. */
const noting = new WeakSet<object>()

export const noted = <T extends object>(resolved: T): T => {
  noting.add(resolved)
  return resolved
}

/** Makes an upstream of another origin record its calls: each call counts as reached when it is made. */
export const ensureNoted = <K, A, E>(resolved: Resolved<K, A, E>): Resolved<K, A, E> => {
  if (noting.has(resolved)) return resolved
  const { breakers, lookup, lookupMany } = resolved
  const recording = noted<Resolved<K, A, E>>({
    lookup: (key, previous) => entering(() => lookup(key, previous)),
    lookupMany: lookupMany && ((keys) => entering(() => lookupMany(keys))),
    breakers,
  })
  setGates(recording, resolved)
  return recording
}
