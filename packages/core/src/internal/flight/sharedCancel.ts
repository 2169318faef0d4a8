/** The steps that run when a flight is cancelled. */
import { type Flight, noCancel } from "../state/flight.ts"

/** Adds a step to the cancellation of a flight. */
export const alsoCancel = (flight: Flight, step: () => void): void => {
  const before = flight.cancel
  flight.cancel =
    before === noCancel
      ? step
      : () => {
          before()
          step()
        }
}

/** Cancels the shared work of flights once each of them is cancelled or has an outcome. */
export const cancelTogether = (flights: ReadonlyArray<Flight>, cancel: () => void): void => {
  const wanted = new Set(flights)
  for (const flight of flights) {
    alsoCancel(flight, () => {
      wanted.delete(flight)
      // A flight with an outcome has no callers, so nothing will cancel it.
      for (const other of wanted) {
        if (other.outcome === undefined) return
        wanted.delete(other)
      }
      cancel()
    })
  }
}
