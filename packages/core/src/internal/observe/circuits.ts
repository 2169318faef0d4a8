/** How long the circuit breakers of one larder have been in each state, as this process sees them. */
import type * as Clock from "effect/Clock"
import type { State } from "effect/persistence/CircuitBreaker"
import { monotonicMillis } from "../runtime/monotonic.ts"

type StateName = State["_tag"]

/** One circuit. It begins closed, unless `begins` says otherwise. */
export class CircuitTimes {
  readonly name: string
  readonly #clock: Clock.Clock
  readonly #millis: Record<StateName, number> = { Closed: 0, Open: 0, HalfOpen: 0 }
  #state: StateName = "Closed"
  #since: number
  #notClosedSince: number | undefined
  #hasMoved = false

  constructor(name: string, clock: Clock.Clock) {
    this.name = name
    this.#clock = clock
    this.#since = this.#now()
  }

  get state(): StateName {
    return this.#state
  }

  /** The state that a store of several processes has when the larder is made. Ignored after a change. */
  begins(state: StateName): void {
    if (this.#hasMoved) return
    this.#state = state
    this.#notClosedSince = state === "Closed" ? undefined : this.#since
  }

  /** A change, or a state that was seen at the store. */
  moved(to: StateName): void {
    this.#hasMoved = true
    const now = this.#now()
    this.#millis[this.#state] += now - this.#since
    this.#since = now
    this.#state = to
    // A failed probe does not begin the time anew.
    this.#notClosedSince = to === "Closed" ? undefined : (this.#notClosedSince ?? now)
  }

  /** The time in a state so far, ms. */
  millisIn(state: StateName): number {
    const current = state === this.#state ? this.#now() - this.#since : 0
    return this.#millis[state] + current
  }

  /** The time since the circuit was last closed, ms; 0 while it is closed. */
  get notClosedMillis(): number {
    return this.#notClosedSince === undefined ? 0 : this.#now() - this.#notClosedSince
  }

  #now(): number {
    return monotonicMillis(this.#clock)
  }
}

/** The circuits of one larder, those of servers that a tier meets later among them. */
export class Circuits {
  readonly #clock: Clock.Clock
  readonly #all = new Map<string, CircuitTimes>()
  #onAdded: (circuit: CircuitTimes) => void = () => {}

  constructor(clock: Clock.Clock) {
    this.#clock = clock
  }

  get names(): ReadonlyArray<string> {
    return [...this.#all.keys()]
  }

  add(name: string): CircuitTimes {
    const circuit = new CircuitTimes(name, this.#clock)
    this.#all.set(name, circuit)
    this.#onAdded(circuit)
    return circuit
  }

  /** Calls `added` with each circuit, also with those that come later. */
  each(added: (circuit: CircuitTimes) => void): void {
    for (const circuit of this.#all.values()) added(circuit)
    this.#onAdded = added
  }
}
