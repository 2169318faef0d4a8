import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * The effect in a fiber of its own and in the given context. Its caller's
 * interruption interrupts it without waiting for it to end.
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
