/**
 * Asking upstream for the keys that no tier has: under a lease where an arbiter grants
 * it, each by itself or in one bulk lookup.
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

/** Before any lease: where upstream would refuse the lookup, one would be taken only to be given back. */
const unlessRefused = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  lookUp: (asking: ReadonlyArray<Flight>) => Effect.Effect<void>,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const asking: Array<Flight> = []
    for (const flight of flights) {
      if (!completeWithOpenCircuit(engine, flight)) asking.push(flight)
      // The circuit has opened since the lease was granted.
      else giveBack(engine, flight)
    }
    if (asking.length === 0) return Effect.void
    const leave = approachCircuits(engine)
    return Effect.ensuring(lookUp(asking), Effect.sync(leave))
  })

/** Each by itself, after the leases of all that are on one part of the arbiter were asked for together. */
const lookUpEach = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  budget: Budget,
  span: CallerSpan,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { arbiter } = engine.stack
    const apart = (flight: Flight) => lookUpApart(engine, flight, budget, span)
    // Else only the one that is the probe asks for its lease.
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

/** A flight that goes on by itself, so that a slow one does not hold up its companions. */
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

/** The arbiter, where it grants the right to look the key up. */
const arbiterFor = (
  { stack }: Engine,
  { arbiterAnswers, isForeign }: Flight,
): FartherTier | undefined => (arbiterAnswers && !isForeign ? stack.arbiter : undefined)

/** `hasAsked`: the arbiter has been asked for the lease, together with others. */
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
    // Perhaps by the end of the larder, while the lease was granted.
    if (!flight.isWanted) return giveBack(engine, flight)
    const previous = flight.stale?.entry
    // The tiers may just have told of marks for the first time: upstream is asked after them.
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
        // Whoever has to wait for another node does so by itself.
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
