import type { Flight } from "../state/flight.ts"

/** What flights do together is given up when no caller waits for any of them that has no outcome. */
export const cancelTogether = (flights: ReadonlyArray<Flight>, cancel: () => void): void => {
  const wanted = new Set(flights)
  for (const flight of flights) {
    flight.cancel = () => {
      wanted.delete(flight)
      // A flight that a tier has answered has no caller left to leave it.
      for (const other of wanted) {
        if (other.outcome === undefined) return
        wanted.delete(other)
      }
      cancel()
    }
  }
}
