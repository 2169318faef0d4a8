/**
 * The flights of one larder. A flight begins, completes, is abandoned and is detached here
 * and nowhere else, so that the order of the steps of each is the same for all.
 */
import type * as Latch from "effect/Latch"
import type { Marks } from "../invalidation/marks.ts"
import { Chain } from "../runtime/linkedSet.ts"
import type { Flight, Outcome, Waiter } from "./flight.ts"

export class FlightTable {
  readonly #marks: Marks
  /** The flights that callers may join, by key. */
  readonly #joinable = new Map<string, Flight>()
  /**
   * Flights that callers cannot join any more, because a newer one of their key runs,
   * and that have not completed. Race: a clear comes while a flight reads tiers, a newer
   * flight begins, and a change of the key must reach the older one as well, whose
   * lookup begins after the clear.
   */
  readonly #displaced = new Map<string, Set<Flight>>()
  /** Every flight whose callers have not all been answered, detached ones too. */
  readonly #active = new Chain<Flight>()

  constructor(marks: Marks) {
    this.#marks = marks
  }

  /** The flight that callers of a key join; its outcome may be there already, while it settles. */
  at(k: string): Flight | undefined {
    return this.#joinable.get(k)
  }

  /** Every flight whose callers have not all been answered, detached ones too. */
  active(): ReadonlyArray<Flight> {
    return this.#active.all()
  }

  /** Flights without an outcome. */
  get inFlight(): number {
    return this.active().filter(({ outcome }) => outcome === undefined).length
  }

  /** Makes a flight the one that callers of its key join. */
  begin(flight: Flight): void {
    const { k } = flight
    const before = this.#joinable.get(k)
    if (before !== undefined) {
      const displaced = this.#displaced.get(k) ?? new Set()
      this.#displaced.set(k, displaced.add(before))
    }
    this.#joinable.set(k, flight)
    this.#active.add(flight)
  }

  /**
   * Gives a flight its outcome, and each of its callers an answer. The first outcome
   * counts; a late one is harmless. With `settling` callers can join the flight until
   * {@link settled} is called: its value is on its way to the tiers.
   */
  complete(
    flight: Flight,
    outcome: Outcome,
    answer: (waiter: Waiter) => void,
    settling?: Latch.Latch,
  ): void {
    // Race: a caller that is answered asks again at once, and must begin anew.
    if (settling === undefined) this.settled(flight)
    if (flight.outcome !== undefined) return
    flight.settling = settling
    flight.outcome = outcome
    try {
      flight.waiters.drain(answer)
    } finally {
      this.#rest(flight)
    }
  }

  /** Callers do not join the flight any more: the next one begins anew. */
  settled(flight: Flight): void {
    const { k } = flight
    if (this.#joinable.get(k) === flight) this.#joinable.delete(k)
    const displaced = this.#displaced.get(k)
    if (displaced?.delete(flight) === true && displaced.size === 0) this.#displaced.delete(k)
    this.#forgetMarks()
  }

  /** Gives up a flight that no caller waits for. */
  abandon(flight: Flight): void {
    flight.isAbandoned = true
    // Race: a caller that comes while the flight is cancelled must not join it.
    this.settled(flight)
    this.#rest(flight)
    flight.cancel()
  }

  /** Callers that wait get the outcome of what is running; callers that come later begin anew. */
  detach(k: string): void {
    const flight = this.#joinable.get(k)
    if (flight !== undefined) {
      flight.detached = true
      this.#joinable.delete(k)
    }
    for (const older of this.#displaced.get(k) ?? []) older.detached = true
  }

  /** Whether the outcome is for those who wait alone. A clear is a mark that covers everything, whatever the tags. */
  isDetached(flight: Flight): boolean {
    return flight.detached || flight.isAbandoned || this.#marks.everything > flight.asOf
  }

  /** The larder closes: what has no outcome yet gets this one, and all are cancelled. */
  close(outcome: Outcome, answer: (waiter: Waiter) => void): void {
    this.#active.drain((flight) => {
      // Race: a caller that is just being answered closes the larder. Its flight settles, and needs its lease for that.
      flight.outcome ??= outcome
      flight.waiters.drain(answer)
      flight.cancel()
    })
    this.#joinable.clear()
  }

  #rest(flight: Flight): void {
    this.#active.delete(flight)
    this.#forgetMarks()
  }

  /** One that has an outcome can still be joined while it settles: by those who came after no mark of its tags. */
  #forgetMarks(): void {
    if (this.#active.size === 0 && this.#joinable.size === 0) this.#marks.forgetLog()
  }
}
