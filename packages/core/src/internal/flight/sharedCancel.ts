import type { Flight } from "../state/flight.ts"

/** Cancels the shared work of flights once each of them is cancelled or has an outcome. */
export const cancelTogether = (flights: ReadonlyArray<Flight>, cancel: () => void): void => {
  const wanted = new Set(flights)
  for (const flight of flights) {
    flight.cancel = () => {
      wanted.delete(flight)
      // A flight with an outcome has no callers, so nothing will cancel it.
      for (const other of wanted) {
        if (other.outcome === undefined) return
        wanted.delete(other)
      }
      cancel()
    }
  }
}
