/**
 * The flights of one larder. Only this module begins, completes, abandons and detaches a flight, so
 * that the order of steps is the same everywhere.
 */
import type * as Latch from "effect/Latch"
import type { Marks } from "../invalidation/marks.ts"
import { Chain } from "../runtime/linkedSet.ts"
import { SharedRuns } from "../runtime/sharedRuns.ts"
import type { Flight, Outcome, Waiter } from "./flight.ts"

export class FlightTable {
  readonly #marks: Marks
  /** The flights that callers may join, by key. */
  readonly #joinable = new SharedRuns<string, Waiter, Flight>()
  /**
   * Active flights that callers cannot join, because a newer flight of their key is active. Race: a
   * clear comes while a flight reads tiers, and a newer flight begins. A change of the key must
   * detach the older flight as well, whose lookup begins after the clear.
   */
  readonly #displaced = new Map<string, Set<Flight>>()
  /** Every flight whose callers have not all been answered, detached ones too. */
  readonly #active = new Chain<Flight>()

  constructor(marks: Marks) {
    this.#marks = marks
  }

  /** The flight that callers of a key join; while it settles, it has its outcome already. */
  at(k: string): Flight | undefined {
    return this.#joinable.at(k)
  }

  /** Whether a looked-up value of the key, which callers have got, is on its way to the tiers. */
  isSettling(k: string): boolean {
    if (this.#joinable.at(k)?.settling !== undefined) return true
    if (this.#displaced.size === 0) return false
    return [...(this.#displaced.get(k) ?? [])].some(({ settling }) => settling !== undefined)
  }

  /** Every flight whose callers have not all been answered, detached ones too. */
  active(): ReadonlyArray<Flight> {
    return this.#active.all()
  }

  /** Flights without an outcome. */
  get inFlight(): number {
    return this.active().filter(({ outcome }) => outcome === undefined).length
  }

  /** Calls that wait for a flight. */
  get waiting(): number {
    return this.active().reduce((sum, { waiters }) => sum + waiters.size, 0)
  }

  /** Makes a flight the one that callers of its key join. */
  begin(flight: Flight): void {
    const { k } = flight
    const before = this.#joinable.at(k)
    if (before !== undefined) {
      const displaced = this.#displaced.get(k) ?? new Set()
      this.#displaced.set(k, displaced.add(before))
    }
    this.#joinable.begin(flight)
    this.#active.add(flight)
  }

  /**
   * Sets the outcome of a flight and answers each waiter. Ignores all but the first outcome. With
   * `settling`, the value is on the way to the tiers, and callers can join the flight until
   * {@link settled} is called.
   */
  complete(
    flight: Flight,
    outcome: Outcome,
    answer: (waiter: Waiter) => void,
    settling?: Latch.Latch,
  ): void {
    // Race: an answered caller gets the key again at once, and must begin a new flight.
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

  /** Removes the flight from those that callers can join: the next caller begins a new one. */
  settled(flight: Flight): void {
    const { k } = flight
    this.#joinable.free(flight)
    const displaced = this.#displaced.get(k)
    if (displaced?.delete(flight) === true && displaced.size === 0) this.#displaced.delete(k)
    this.#forgetMarks()
  }

  /** Cancels a flight without waiters. */
  abandon(flight: Flight): void {
    flight.isAbandoned = true
    // Race: a caller that arrives while the flight is cancelled must not join it.
    this.settled(flight)
    this.#rest(flight)
    flight.cancel()
  }

  /** Current waiters get the outcome of the active flight; later callers begin a new one. */
  detach(k: string): void {
    const flight = this.#joinable.at(k)
    if (flight !== undefined) {
      flight.detached = true
      this.#joinable.free(flight)
    }
    for (const older of this.#displaced.get(k) ?? []) older.detached = true
  }

  /** Tells the flights of a key of a change by another node, or of a commit of this one. */
  hear(k: string, version: number, isRemoval: boolean): void {
    const flight = this.#joinable.at(k)
    for (const older of this.#displaced.get(k) ?? [])
      older.detached ||= older.hears(version, isRemoval)
    if (flight?.hears(version, isRemoval) !== true) return
    flight.detached = true
    this.#joinable.free(flight)
  }

  /** Whether only the waiters get the outcome, and nothing is stored. Also after a clear, which covers every key. */
  isDetached(flight: Flight): boolean {
    return flight.detached || flight.isAbandoned || this.#marks.everything > flight.asOf
  }

  /** Closes: gives `outcome` to flights without one, and cancels all flights. */
  close(outcome: Outcome, answer: (waiter: Waiter, flight: Flight) => void): void {
    this.#active.drain((flight) => {
      // Race: a caller that is being answered closes the larder. Its flight has an outcome and settles.
      flight.outcome ??= outcome
      flight.waiters.drain((waiter) => answer(waiter, flight))
      flight.cancel()
    })
    this.#joinable.clear()
  }

  #rest(flight: Flight): void {
    this.#active.delete(flight)
    this.#forgetMarks()
  }

  /** Forgets the log of marks unless a flight needs it: an active one, or a settling one that callers can join. */
  #forgetMarks(): void {
    if (this.#active.size === 0 && this.#joinable.size === 0) this.#marks.forgetLog()
  }
}
