/**
 * Asks upstream for the keys that no tier has, one by one or in one bulk lookup, under a lease
 * where there is an arbiter.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { Entry } from "../../Entry.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { TierTime } from "../tier/tierClock.ts"
import { Budget } from "../tier/budget.ts"
import { completeAbsent } from "./absent.ts"
import { arrived } from "./commit.ts"
import { giveBack, leaseAll, leaseFor } from "./lease.ts"
import * as lookup from "./lookup.ts"
import { brokenBy, guarded } from "./guarded.ts"
import { approachCircuits, areCircuitsClosed } from "./circuits.ts"
import { completeWithOpenCircuit, onceAdmitted } from "./openCircuit.ts"
import { completeWithOwnFailure } from "./recentFailure.ts"
import { alsoCancel, cancelTogether } from "./sharedCancel.ts"

/** Starts the lookups. The returned effect waits for leases; undefined where all lookups have begun. */
export const lookUpMissing = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  budget: Budget,
  span: CallerSpan,
): Effect.Effect<void> | undefined => {
  const isLeft = (flight: Flight) => flight.isWanted && !completeWithOwnFailure(engine, flight)
  const left = flights.every(isLeft) ? flights : flights.filter(isLeft)
  if (engine.settings.follows) {
    for (const flight of left) if (flight.isWanted) completeAbsent(engine, flight)
    return undefined
  }
  if (flights[0].many && engine.settings.upstream.lookupMany !== undefined) {
    return lookUpTogether(engine, left, budget, span)
  }
  const { arbiter } = engine.stack
  // With a circuit half open, only the lookup that is the probe needs a lease.
  if (left.length > 1 && arbiter?.leases.leasesMany === true && areCircuitsClosed(engine)) {
    return leaseTogether(engine, arbiter, left, budget, span)
  }
  lookUpEach(engine, left, budget, span)
  return undefined
}

const lookUpEach = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  budget: Budget,
  span: CallerSpan,
): void => {
  for (const flight of flights) {
    // Race: the lookup of one closes the larder, or makes the callers of another leave.
    if (flight.isWanted) lookUpAlone(engine, flight, budget, span)
  }
}

/** Whether an open circuit of upstream refuses a flight, which is completed then. */
const isRefused = (engine: Engine, flight: Flight): boolean => {
  if (!completeWithOpenCircuit(engine, flight)) return false
  // Race: the circuit opened after the lease was granted.
  giveBack(engine, flight)
  return true
}

/** Whether the arbiter, where there is one, can grant a lease for the flight. */
const isLeased = ({ arbiterAnswers, isForeign }: Flight): boolean => arbiterAnswers && !isForeign

/** Looks one key up, under a lease of its own where the arbiter can grant one. */
const lookUpAlone = (engine: Engine, flight: Flight, budget: Budget, span: CallerSpan): void => {
  if (isRefused(engine, flight)) return
  const { arbiter } = engine.stack
  if (arbiter === undefined || !isLeased(flight)) return ask(engine, flight, span)
  const leased = leaseFor(engine, arbiter, flight, new Budget(budget.whole, budget.left), span)
  const asked = onceAdmitted(engine, [flight], (leave) => {
    const giveUp = Effect.sync(() => {
      leave()
      giveBack(engine, flight)
    })
    // Race: the larder closed, or the last caller left, while the lease was granted.
    const goOn = Effect.suspend(() =>
      flight.isWanted ? Effect.sync(() => ask(engine, flight, span, leave)) : giveUp,
    )
    return Effect.onInterrupt(Effect.andThen(leased, goOn), () => giveUp)
  })
  // A fiber of its own, so that a slow one does not delay the others.
  const fiber = engine.fibers.fork(guarded(engine, [flight], asked))
  alsoCancel(flight, () => fiber.interruptUnsafe())
}

/** Asks upstream for one key. `leave` gives up the place of a circuit's probe. */
const ask = (engine: Engine, flight: Flight, span: CallerSpan, leave = nothing): void => {
  // The tiers may have told of marks for the first time: the lookup begins after these marks.
  beginsNow(engine, flight)
  const asking = new Asking(engine, flight, leave)
  asking.begin(span)
  if (flight.outcome === undefined) alsoCancel(flight, () => asking.cancel())
}

/** The lookup covers the marks known now. */
const beginsNow = (engine: Engine, flight: Flight): void => {
  flight.asOf = engine.versions.asOf()
  flight.isLookingUp = true
  flight.lookedUpAt = engine.moment()
  const time = engine.stack.arbiter?.time
  if (time === undefined) return
  flight.begunAfter = surelyBefore(engine, time)
  flight.knownBefore = Math.max(flight.known, engine.versions.known(flight.k))
}

/** The highest place in the arbiter's order that is surely before now. */
const surelyBefore = (engine: Engine, time: TierTime): number =>
  Math.max(time.given, time.placeOf(engine.stopwatch(), "least") ?? 0)

const nothing = () => {}

class Asking extends lookup.LookupOfOne {
  readonly #leave: () => void

  constructor(engine: Engine, flight: Flight, leave: () => void) {
    super(engine, flight, flight.stale?.entry)
    this.#leave = leave
  }

  protected arrived(answer: lookup.Answer): void {
    this.#leave()
    arrive(this.engine, this.flight, answer, this.previous)
  }

  override cancel(): void {
    super.cancel()
    this.#leave()
    giveBack(this.engine, this.flight)
  }
}

/** Settles one flight. A memory tier of the user may throw when the value is stored. */
const arrive = (
  engine: Engine,
  flight: Flight,
  answer: lookup.Answer,
  previous: Entry<unknown> | undefined,
): void => {
  try {
    arrived(engine, flight, answer, previous)
  } catch (defect) {
    brokenBy(engine, [flight], Cause.die(defect))
  }
}

/** Acquires the leases of the keys on one part of the arbiter in one trip; then one lookup for each key. */
const leaseTogether = (
  engine: Engine,
  arbiter: FartherTier,
  flights: ReadonlyArray<Flight>,
  budget: Budget,
  span: CallerSpan,
): Effect.Effect<void> | undefined => {
  const waiting = new Set(flights.filter(isLeased))
  const others = flights.filter((flight) => !waiting.has(flight))
  lookUpEach(engine, others, budget, span)
  if (waiting.size === 0) return undefined
  const ofPart = Map.groupBy(waiting, ({ k }) => arbiter.partOf(k))
  const parts = Array.from(ofPart.values(), (theirs) =>
    Effect.gen(function* () {
      const busy = new Set(yield* leaseAll(engine, arbiter, theirs, budget, span))
      yield* engine.turns.each(theirs, (flight) => {
        waiting.delete(flight)
        if (!flight.isWanted) giveBack(engine, flight)
        else if (busy.has(flight)) lookUpAlone(engine, flight, budget, span)
        else if (!isRefused(engine, flight)) ask(engine, flight, span)
      })
    }),
  )
  return Effect.onInterrupt(Effect.all(parts, { concurrency: "unbounded", discard: true }), () =>
    Effect.sync(() => giveBackAll(engine, waiting)),
  )
}

const giveBackAll = (engine: Engine, flights: Iterable<Flight>): void => {
  for (const flight of flights) giveBack(engine, flight)
}

const lookUpTogether = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  budget: Budget,
  span: CallerSpan,
): Effect.Effect<void> | undefined => {
  // A key without a stale value waits for a circuit's next probe. The others must not wait with it.
  const asking = flights.filter((flight) => !isRefused(engine, flight))
  const { arbiter } = engine.stack
  const leasing = asking.filter(isLeased)
  if (arbiter === undefined || leasing.length === 0) {
    askTogether(engine, asking, span, approachCircuits(engine))
    return undefined
  }
  return onceAdmitted(engine, asking, (leave) =>
    leaseThenAsk(engine, arbiter, asking, leasing, budget, span, leave),
  )
}

/** Acquires the leases of a bulk lookup, and begins it. `leave` gives up the place of a circuit's probe. */
const leaseThenAsk = (
  engine: Engine,
  arbiter: FartherTier,
  asking: ReadonlyArray<Flight>,
  leasing: ReadonlyArray<Flight>,
  budget: Budget,
  span: CallerSpan,
  leave: () => void,
): Effect.Effect<void> => {
  const together = new Set(asking)
  const leased = Effect.gen(function* () {
    const busy = yield* leaseAll(engine, arbiter, leasing, budget, span)
    yield* engine.turns.each(busy, (flight) => {
      // A flight that waits for another node's lease leaves the bulk lookup.
      together.delete(flight)
      lookUpAlone(engine, flight, budget, span)
    })
    yield* engine.turns.forMany(asking)
    const ready: Array<Flight> = []
    for (const flight of together) {
      if (flight.isWanted) ready.push(flight)
      else giveBack(engine, flight)
    }
    askTogether(engine, ready, span, leave)
  })
  return Effect.onInterrupt(leased, () =>
    Effect.sync(() => {
      leave()
      giveBackAll(engine, together)
    }),
  )
}

/** Asks upstream for many keys in one bulk lookup. */
const askTogether = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  span: CallerSpan,
  leave: () => void,
): void => {
  if (!Arr.isReadonlyArrayNonEmpty(flights)) return leave()
  for (const flight of flights) beginsNow(engine, flight)
  const asking = new AskingTogether(engine, flights, leave)
  asking.begin(span)
  cancelTogether(flights, () => asking.cancel())
}

class AskingTogether extends lookup.LookupOfMany {
  readonly #leave: () => void

  constructor(engine: Engine, flights: Arr.NonEmptyReadonlyArray<Flight>, leave: () => void) {
    super(engine, flights)
    this.#leave = leave
  }

  protected arrived(answerOf: (flight: Flight) => lookup.Answer): void {
    const { engine, flights } = this
    this.#leave()
    const arriving = engine.turns.each(
      flights,
      (flight) => arrive(engine, flight, answerOf(flight), undefined),
      // Law 9: the deadline is that of the callers, not of upstream alone.
      { by: this.deadline },
    )
    engine.fibers.fork(arriving)
  }

  override cancel(): void {
    super.cancel()
    this.#leave()
    giveBackAll(this.engine, this.flights)
  }
}
