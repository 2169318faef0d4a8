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

  /** Forgets the lease of a flight, unless another flight of the key holds one by now. */
  end(flight: Flight): void {
    if (this.#holders.get(flight.k) === flight) this.#holders.delete(flight.k)
  }
}
