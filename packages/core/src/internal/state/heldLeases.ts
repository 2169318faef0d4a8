/** The leases that this node holds, by key. */
import type { Flight } from "./flight.ts"

export class HeldLeases {
  readonly #holders = new Map<string, Flight>()

  /** The flight that holds the lease of a key. */
  holder(k: string): Flight | undefined {
    return this.#holders.get(k)
  }

  hold(flight: Flight): void {
    this.#holders.set(flight.k, flight)
  }

  /** Of a flight whose lease has ended; one that another flight of the key has since is left. */
  end(flight: Flight): void {
    if (this.#holders.get(flight.k) === flight) this.#holders.delete(flight.k)
  }
}
