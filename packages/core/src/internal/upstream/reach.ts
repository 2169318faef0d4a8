/** Tracks whether a call has reached upstream: a call that was queued or shed says nothing about upstream. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { keepOrigin } from "./capturedServices.ts"

/** One call within a circuit. */
export class Reach {
  reached = false
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
    call.reached = true
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
