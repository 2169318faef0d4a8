import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** The exit that an effect is, if it is one: an exit is an effect that has ended. */
export const atOnce = <A, E, R>(effect: Effect.Effect<A, E, R>): Exit.Exit<A, E> | undefined =>
  Exit.isExit(effect) ? (effect as Exit.Exit<A, E>) : undefined

/** As `Effect.map`; of an exit it makes an exit, at once. */
export const mapAtOnce = <A, E, R, B>(
  effect: Effect.Effect<A, E, R>,
  f: (value: A) => B,
): Effect.Effect<B, E, R> => {
  const done = atOnce(effect)
  return done === undefined ? Effect.map(effect, f) : Exit.map(done, f)
}
