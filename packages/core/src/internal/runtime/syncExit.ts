import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** The effect as an exit, if it is one. */
export const atOnce = <A, E, R>(effect: Effect.Effect<A, E, R>): Exit.Exit<A, E> | undefined =>
  Exit.isExit(effect) ? (effect as Exit.Exit<A, E>) : undefined

/** As `Effect.map`, but maps an exit to an exit at once. */
export const mapAtOnce = <A, E, R, B>(
  effect: Effect.Effect<A, E, R>,
  f: (value: A) => B,
): Effect.Effect<B, E, R> => {
  const done = atOnce(effect)
  return done === undefined ? Effect.map(effect, f) : Exit.map(done, f)
}
