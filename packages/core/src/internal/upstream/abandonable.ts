import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * Runs the effect in a fiber of its own with the given context. An interruption of the caller
 * interrupts the fiber without waiting for its end.
 */
export const abandonable = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  context: Context.Context<R>,
): Effect.Effect<A, E> =>
  Effect.callback<A, E>((resume) => {
    const running = Effect.runForkWith(context)(effect)
    running.addObserver(resume)
    return Effect.sync(() => running.interruptUnsafe())
  })
