/**
 * Asks upstream for the keys that no tier has, one by one or in one bulk lookup, under a lease
 * where there is an arbiter.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { Budget } from "../tier/budget.ts"
import { arrived } from "./commit.ts"
import { giveBack, leaseAll, leaseFor } from "./lease.ts"
import * as lookup from "./lookup.ts"
import { approachCircuits, areCircuitsClosed, completeWithOpenCircuit } from "./openCircuit.ts"
import { completeWithOwnFailure } from "./recentFailure.ts"

export const lookUpMissing = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  budget: Budget,
  span: CallerSpan,
): Effect.Effect<void> => {
  const left = flights.filter(
    (flight) => flight.isWanted && !completeWithOwnFailure(engine, flight),
  )
  const [only] = left
  if (only === undefined) return Effect.void
  const bulk = flights[0].many && engine.settings.upstream.lookupMany !== undefined
  if (bulk)
    return unlessRefused(engine, left, (asking) => lookUpTogether(engine, asking, budget, span))
  if (left.length === 1) return lookUpAlone(engine, only, budget, span)
  return lookUpEach(engine, left, budget, span)
}

/** Completes flights that an open circuit of upstream would refuse, before a lease is requested for them. */
const unlessRefused = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  lookUp: (asking: ReadonlyArray<Flight>) => Effect.Effect<void>,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const asking: Array<Flight> = []
    for (const flight of flights) {
      if (!completeWithOpenCircuit(engine, flight)) asking.push(flight)
      // Race: the circuit opened after the lease was granted.
      else giveBack(engine, flight)
    }
    if (asking.length === 0) return Effect.void
    const leave = approachCircuits(engine)
    return Effect.ensuring(lookUp(asking), Effect.sync(leave))
  })

/** One lookup for each key. Acquires the leases of the keys on one part of the arbiter in one trip. */
const lookUpEach = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  budget: Budget,
  span: CallerSpan,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { arbiter } = engine.stack
    const apart = (flight: Flight) => lookUpApart(engine, flight, budget, span)
    // With a circuit half open, only the lookup that is the probe needs a lease.
    const leasing =
      arbiter?.leases.leasesMany === true && areCircuitsClosed(engine)
        ? flights.filter((flight) => arbiterFor(engine, flight) !== undefined)
        : []
    const waiting = new Set(leasing)
    for (const flight of flights) if (!waiting.has(flight)) apart(flight)
    if (arbiter === undefined || leasing.length === 0) return Effect.void
    const ofPart = Map.groupBy(leasing, ({ k }) => arbiter.partOf(k))
    const parts = Array.from(ofPart.values(), (theirs) =>
      Effect.gen(function* () {
        const busy = new Set(yield* leaseAll(engine, arbiter, theirs, budget))
        yield* engine.turns.each(theirs, (flight) => {
          waiting.delete(flight)
          if (!flight.isWanted) giveBack(engine, flight)
          else lookUpApart(engine, flight, budget, span, !busy.has(flight))
        })
      }),
    )
    return Effect.onInterrupt(Effect.all(parts, { concurrency: "unbounded", discard: true }), () =>
      Effect.sync(() => {
        for (const flight of waiting) giveBack(engine, flight)
      }),
    )
  })

/** Runs one flight's lookup in a fiber of its own, so that a slow one does not delay the others. */
const lookUpApart = (
  engine: Engine,
  flight: Flight,
  budget: Budget,
  span: CallerSpan,
  hasAsked = false,
): void => {
  const own = new Budget(budget.whole, budget.left)
  const fiber = engine.fibers.fork(lookUpAlone(engine, flight, own, span, hasAsked))
  const leaveCompanions = flight.cancel
  flight.cancel = () => {
    leaveCompanions()
    fiber.interruptUnsafe()
  }
}

/** The arbiter, where it can grant a lease for the flight. */
const arbiterFor = (
  { stack }: Engine,
  { arbiterAnswers, isForeign }: Flight,
): FartherTier | undefined => (arbiterAnswers && !isForeign ? stack.arbiter : undefined)

/** `hasAsked`: the lease was requested already, together with others. */
const lookUpAlone = (
  engine: Engine,
  flight: Flight,
  budget: Budget,
  span: CallerSpan,
  hasAsked = false,
): Effect.Effect<void> =>
  unlessRefused(engine, [flight], () => lookUpWithLease(engine, flight, budget, span, hasAsked))

const lookUpWithLease = (
  engine: Engine,
  flight: Flight,
  budget: Budget,
  span: CallerSpan,
  hasAsked: boolean,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const arbiter = hasAsked ? undefined : arbiterFor(engine, flight)
    if (arbiter !== undefined) yield* leaseFor(engine, arbiter, flight, budget)
    // Race: the larder closed, or the last caller left, while the lease was granted.
    if (!flight.isWanted) return giveBack(engine, flight)
    const previous = flight.stale?.entry
    // The tiers may have told of marks for the first time: the lookup begins after these marks.
    flight.asOf = engine.versions.asOf()
    yield* Effect.callback<void>((resume) => {
      const cancel = lookup.one(engine, flight, previous, span, (answer) => {
        arrived(engine, flight, answer, previous)
        resume(Effect.void)
      })
      return Effect.sync(cancel)
    })
  }).pipe(Effect.onInterrupt(() => Effect.sync(() => giveBack(engine, flight))))

const lookUpTogether = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  budget: Budget,
  span: CallerSpan,
): Effect.Effect<void> => {
  const together = new Set(flights)
  const loading = Effect.gen(function* () {
    const { arbiter } = engine.stack
    const leasing = flights.filter((flight) => arbiterFor(engine, flight) !== undefined)
    if (arbiter !== undefined) {
      const busy = yield* leaseAll(engine, arbiter, leasing, budget)
      yield* engine.turns.each(busy, (flight) => {
        // A flight that waits for another node's lease leaves the bulk lookup.
        together.delete(flight)
        lookUpApart(engine, flight, budget, span)
      })
    }
    yield* engine.turns.forMany(flights)
    const ready: Array<Flight> = []
    for (const flight of together) {
      if (flight.isWanted) ready.push(flight)
      else giveBack(engine, flight)
    }
    if (!Arr.isArrayNonEmpty(ready)) return
    for (const flight of ready) flight.asOf = engine.versions.asOf()
    const answerOf = yield* Effect.callback<(flight: Flight) => lookup.Answer>((resume) => {
      const cancel = lookup.many(engine, ready, span, (answerOf) =>
        resume(Effect.succeed(answerOf)),
      )
      return Effect.sync(cancel)
    })
    yield* engine.turns.each(ready, (flight) =>
      arrived(engine, flight, answerOf(flight), undefined),
    )
  })
  return Effect.onInterrupt(loading, () =>
    Effect.sync(() => {
      for (const flight of together) giveBack(engine, flight)
    }),
  )
}
