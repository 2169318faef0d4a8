/** The context of a lookup, which holds its `Upstream.Demand`. */
import * as Context from "effect/Context"
import * as Upstream from "../../Upstream.ts"
import type { Engine } from "./engine.ts"
import type { Flight } from "./flight.ts"
import { LiveDemand } from "../upstream/liveDemand.ts"
import { setOrigin } from "../upstream/capturedServices.ts"
import * as Reach from "../upstream/reach.ts"
import { pooledDemands } from "../runtime/limits.ts"

/** Whether every waiter can get a stale value. */
export const allHaveStale = (engine: Engine, { stale, waiters }: Flight): boolean => {
  if (stale === undefined || engine.entries.judge(stale.entry, engine.now())._tag === "Missing")
    return false
  return !waiters.some(({ demand }) => !demand.allowStale)
}

const none: ReadonlyArray<Flight> = []

/** The demand of one lookup, and the context that holds it. Both are pooled. */
export class LookupDemand extends LiveDemand {
  readonly context: Context.Context<never>
  readonly #engine: Engine
  readonly #call = new Reach.Reach(undefined)
  #flights = none
  endsAt = 0

  constructor(engine: Engine, origin: Context.Context<never>) {
    super()
    this.#engine = engine
    this.context = Context.add(engine.context, Upstream.Demand, this).pipe(
      Context.add(Reach.tag, this.#call),
    )
    setOrigin(this.context, origin)
  }

  get background(): boolean {
    return this.#flights.every(({ waiters }) => waiters.size === 0)
  }

  get stale(): boolean {
    return this.#flights.every((flight) => allHaveStale(this.#engine, flight))
  }

  begin(flights: ReadonlyArray<Flight>, endsAt: number, onReached: () => void): void {
    this.#flights = flights
    this.endsAt = endsAt
    this.#call.reached = false
    this.#call.onReached = onReached
    for (const flight of flights) flight.demand = this
  }

  end(): void {
    this.#flights = none
    this.#call.onReached = undefined
  }
}

/** The demand of an audit: in the background, and only where a permit is free. */
class AuditDemand extends LiveDemand {
  readonly background = true
  readonly stale = true
  readonly endsAt: number

  constructor(endsAt: number) {
    super()
    this.endsAt = endsAt
  }

  override get onlyIfFree(): boolean {
    return true
  }
}

/** A pool of demands: a context takes as much memory as the rest of a lookup. */
export class LookupDemands {
  readonly #engine: Engine
  readonly #origin: Context.Context<never>
  readonly #idle: Array<LookupDemand> = []

  constructor(engine: Engine, origin: Context.Context<never>) {
    this.#engine = engine
    this.#origin = origin
  }

  /** `onReached` is called when the lookup reaches upstream. */
  take(flights: ReadonlyArray<Flight>, endsAt: number, onReached: () => void): LookupDemand {
    const demand = this.#idle.pop() ?? new LookupDemand(this.#engine, this.#origin)
    demand.begin(flights, endsAt, onReached)
    return demand
  }

  /** The context of an audit's lookup, which ends at a moment of monotonic time. */
  ofAudit(endsAt: number): Context.Context<never> {
    const context = Context.add(
      this.#engine.context,
      Upstream.Demand,
      new AuditDemand(endsAt),
    ).pipe(Context.add(Reach.tag, new Reach.Reach(undefined)))
    setOrigin(context, this.#origin)
    return context
  }

  /** Call only after the lookup's fiber has ended: until then the lookup may read its demand. */
  giveBack(demand: LookupDemand): void {
    demand.end()
    if (this.#idle.length < pooledDemands) this.#idle.push(demand)
  }
}
