/** Ends flights whose loading dies of a defect of the larder or of a tier. */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import { failed } from "./lookupResult.ts"
import { complete } from "./waiters.ts"

/** The effect, a defect of which completes the flights, so that no caller waits for ever. */
export const guarded = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  effect: Effect.Effect<void>,
): Effect.Effect<void> =>
  Effect.catchCause(effect, (cause) => Effect.sync(() => brokenBy(engine, flights, cause)))

export const brokenBy = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  cause: Cause.Cause<never>,
): void => {
  for (const flight of flights) {
    complete(engine, flight, failed(engine, flight, cause, false).outcome)
  }
}
