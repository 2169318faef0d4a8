import type { Flight } from "./flight.ts"

/** What flights do together is given up when nobody waits for any of them. */
export const cancelTogether = (flights: ReadonlyArray<Flight>, cancel: () => void): void => {
  let wanted = flights.length
  for (const flight of flights) {
    flight.cancel = () => {
      wanted -= 1
      if (wanted === 0) cancel()
    }
  }
}
