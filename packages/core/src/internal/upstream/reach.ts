/** Whether a lookup has reached upstream: what stood in a line, or was turned away, says nothing about upstream. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { keepOrigin } from "./capturedServices.ts"

/** One call, as a circuit around it sees it. */
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

/** A captured context must not have it: what is run in that belongs to other calls. */
export const tag = Current

/** What is called in this context goes on to upstream. */
const enter = (context: Context.Context<never>): void => {
  for (let call = Context.get(context, Current); call !== undefined; call = call.outer) {
    call.reached = true
  }
}

/** Upstream itself: runs what `ask` gives, and notes for all the circuits around it that it was reached. */
export const entering = <A, E, R>(ask: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber(({ context }) => {
    enter(context)
    return ask()
  })

/** The context with a call of its own. */
export const beginIn = (
  context: Context.Context<never>,
): { readonly call: Reach; readonly context: Context.Context<never> } => {
  const call = new Reach(Context.get(context, Current))
  return { call, context: keepOrigin(context, Context.add(context, Current, call)) }
}
