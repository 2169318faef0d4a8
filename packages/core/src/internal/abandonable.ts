import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * The effect in a fiber of its own, which its caller's interruption interrupts
 * without waiting for it to end.
 */
export const abandonable = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.callback<A, E>((resume) => {
      const running = Effect.runForkWith(context)(effect)
      running.addObserver(resume)
      return Effect.sync(() => running.interruptUnsafe())
    }),
  )
