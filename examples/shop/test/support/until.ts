/** Waits for a condition of the real world; the time limit of the test bounds the wait. */
import { Effect } from "effect"

const lookEveryMillis = 100

/** Looks again and again until what is seen fits, and returns it. */
export const until = <A, E, R>(
  look: Effect.Effect<A, E, R>,
  fits: (seen: A) => boolean,
): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    let seen = yield* look
    while (!fits(seen)) {
      yield* Effect.sleep(lookEveryMillis)
      seen = yield* look
    }
    return seen
  })
