/**
 * What flights do between their begin and their end where there are tiers
 * behind memory: read them, nearest first; ask the arbiter for the right to look
 * up; ask upstream; and, when those who wait have been answered, settle.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { Entry } from "../../Entry.ts"
import { arrive, failed } from "./lookupResult.ts"
import { cancelTogether } from "./sharedCancel.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import { consider, considerQueued, type Progress } from "./adopt.ts"
import type { FartherTier, Found } from "../tier/backingTier.ts"
import { Budget } from "../tier/budget.ts"
import type { Flight, Waiter } from "../state/flight.ts"
import { landOnOwnFailure } from "./recentFailure.ts"
import { leaseAll, leaseFor, releaseLease } from "./lease.ts"
import * as lookup from "./lookup.ts"
import { approachCircuits, areCircuitsClosed, landOnOpenCircuit } from "./openCircuit.ts"
import { isBelieved, recover } from "../recover/replay.ts"
import { settle } from "./commit.ts"
import { land } from "./waiters.ts"

/** Starts flights that are on the board already. */
export const load = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  if (flights.length === 1 && isPlain(engine, flights[0])) loadOne(engine, flights[0], span)
  else goOn(engine, flights, loadAll(engine, flights, span))
}

/** The rest of what flights do, in a fiber of theirs. */
const goOn = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  loading: Effect.Effect<void>,
): void => {
  let cancel = () => {}
  // Before it starts: it may part the flights at once, and each then cancels itself as well.
  cancelTogether(flights, () => cancel())
  const guarded = Effect.catchCause(loading, (cause) =>
    Effect.sync(() => brokenBy(engine, flights, cause)),
  )
  const fiber = engine.fork(guarded)
  cancel = () => fiber.interruptUnsafe()
}

/** Nobody may wait for ever because of a defect in here or in a tier. */
const brokenBy = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  cause: Cause.Cause<never>,
): void => {
  for (const flight of flights) {
    engine.end(flight)
    land(engine, flight, failed(engine, flight, cause, false).landing)
  }
}

/** Whether the nearest tier can be asked before anything else is done. */
const isPlain = (engine: Engine, flight: Flight): boolean =>
  !flight.force && engine.writes.size === 0 && engine.missed.isEmpty

/** One key: where the nearest tier has it, no fiber is needed but the tier's own. */
const loadOne = (engine: Engine, flight: Flight, span: CallerSpan): void => {
  const budget = new Budget(engine.settings.policy.tierBudget)
  const progress = progressOf(engine, flight)
  const tier = engine.stack.farther[0]!
  const rest = () =>
    Effect.flatMap(readTiers(engine, [progress], budget, 1), () =>
      lookUpLeft(engine, [flight], [progress], budget, span),
    )
  let isLeft = false
  const step = tier.readOne(flight.k, budget, (found) => {
    // Whoever gave the flight up, or closed the larder, has ended it.
    if (isLeft || flight.landing !== undefined) return
    try {
      if (found !== undefined) considered(engine, progress, tier, found)
      if (flight.landing === undefined) goOn(engine, [flight], rest())
    } catch (defect) {
      brokenBy(engine, [flight], Cause.die(defect))
    }
  })
  if (step === undefined || step.fiber.pollUnsafe() !== undefined) return
  engine.own(step.fiber)
  flight.cancel = () => {
    isLeft = true
    step.cancel()
  }
}

const loadAll = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): Effect.Effect<void> => {
  const budget = new Budget(engine.settings.policy.tierBudget)
  const progress = flights.map((flight) => progressOf(engine, flight))
  const fromTiers = Effect.flatMap(readTiers(engine, progress, budget), () =>
    lookUpLeft(engine, flights, progress, budget, span),
  )
  if (engine.writes.size === 0) return fromTiers
  const queued = progress.map((one) => considerQueued(engine, one))
  const fromQueue = Effect.all(queued, { discard: true, concurrency: "unbounded" })
  return Effect.andThen(fromQueue, fromTiers)
}

/**
 * Asks the farther tiers on behalf of a caller that joined a lookup which takes no
 * answer from them: that of `refresh`, or of a caller with a `maxAge`. The caller gets
 * what it would have had if that lookup did not run; the lookup goes on.
 */
export const readBeside = (engine: Engine, flight: Flight, waiter: Waiter): void => {
  const takesNothing = flight.force || flight.notBefore > waiter.demand.notBefore
  const { farther, hasMemory } = engine.stack
  if (!takesNothing || farther.length === 0) return
  // Where memory keeps what tiers have, one answer without anything fresh is enough for a lookup.
  const isKnown = flight.beside === "nothingFresh" && hasMemory
  if (flight.beside === "running" || isKnown || !flight.waiters.has(waiter)) return
  flight.beside = "running"
  const progress = progressOf(engine, flight, false)
  const budget = new Budget(engine.settings.policy.tierBudget)
  const reading = Effect.andThen(
    considerQueued(engine, progress),
    readTiers(engine, [progress], budget),
  )
  const done = Effect.sync(() => {
    const { hasEntry, lacksAnswer } = progress
    // What an earlier read found has been removed since, perhaps by another node.
    const isGone = !hasEntry && !lacksAnswer && flight.stale?.tier !== engine.nearName
    if (isGone) flight.stale = undefined
    const isFresh = flight.stale?.freshness._tag === "Fresh"
    flight.beside = isFresh ? "fresh" : "nothingFresh"
  })
  engine.fork(Effect.ensuring(reading, done))
}

/** What is known elsewhere may be newer by the source's own version than what a refresh brings. */
const skipsTiersFor = (engine: Engine, { force }: Flight): boolean =>
  force && engine.settings.revision === undefined

const progressOf = (
  engine: Engine,
  flight: Flight,
  skipsTiers = skipsTiersFor(engine, flight),
): Progress => ({
  flight,
  skipsTiers,
  hasEntry: false,
  lacksAnswer: false,
  known: engine.near.peek(flight.k)?.entry.version ?? 0,
  foreign: false,
  arbiterAnswers: false,
  token: undefined,
  isFirst: false,
  stopRenewal: nothing,
})

const nothing = (): void => {}

/** Upstream is asked for what no tier had. */
const lookUpLeft = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  progress: ReadonlyArray<Progress>,
  budget: Budget,
  span: CallerSpan,
): Effect.Effect<void> => {
  const left = progress.filter(({ flight }) => flight.isWanted && !landOnOwnFailure(engine, flight))
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
  progress: ReadonlyArray<Progress>,
  lookUp: (asking: ReadonlyArray<Progress>) => Effect.Effect<void>,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const asking: Array<Progress> = []
    for (const one of progress) {
      if (!landOnOpenCircuit(engine, one.flight)) asking.push(one)
      // The circuit has opened since the lease was granted.
      else giveBack(engine, one)
    }
    if (asking.length === 0) return Effect.void
    const leave = approachCircuits(engine)
    return Effect.ensuring(lookUp(asking), Effect.sync(leave))
  })

/** Each by itself, after the leases of all that are on one part of the arbiter were asked for together. */
const lookUpEach = (
  engine: Engine,
  progress: ReadonlyArray<Progress>,
  budget: Budget,
  span: CallerSpan,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { arbiter } = engine.stack
    const apart = (one: Progress) => lookUpApart(engine, one, budget, span)
    // Else only the one that is the probe asks for its lease.
    const leasing =
      arbiter?.leasesMany === true && areCircuitsClosed(engine)
        ? progress.filter((one) => arbiterFor(engine, one) !== undefined)
        : []
    const waiting = new Set(leasing)
    for (const one of progress) if (!waiting.has(one)) apart(one)
    if (arbiter === undefined || leasing.length === 0) return Effect.void
    const ofPart = Map.groupBy(leasing, ({ flight }) => arbiter.partOf(flight.k))
    const parts = Array.from(ofPart.values(), (theirs) =>
      Effect.gen(function* () {
        const busy = new Set(yield* leaseAll(engine, arbiter, theirs, budget))
        yield* engine.turns.each(theirs, (one) => {
          waiting.delete(one)
          if (!one.flight.isWanted) giveBack(engine, one)
          else lookUpApart(engine, one, budget, span, !busy.has(one))
        })
      }),
    )
    return Effect.onInterrupt(Effect.all(parts, { concurrency: "unbounded", discard: true }), () =>
      Effect.sync(() => {
        for (const one of waiting) giveBack(engine, one)
      }),
    )
  })

/** A flight that goes on by itself, so that a slow one does not hold up its companions. */
const lookUpApart = (
  engine: Engine,
  progress: Progress,
  budget: Budget,
  span: CallerSpan,
  hasAsked = false,
): void => {
  const { flight } = progress
  const own = new Budget(budget.whole, budget.left)
  const fiber = engine.fork(lookUpAlone(engine, progress, own, span, hasAsked))
  const leaveCompanions = flight.cancel
  flight.cancel = () => {
    leaveCompanions()
    fiber.interruptUnsafe()
  }
}

/** Nearest first, from the tier at `place` on. Not a generator: what a tier has is answered here. */
const readTiers = (
  engine: Engine,
  progress: ReadonlyArray<Progress>,
  budget: Budget,
  place = 0,
): Effect.Effect<void> => {
  const tier = engine.stack.farther[place]
  if (tier === undefined) return Effect.void
  const read = readTier(engine, progress, tier, budget)
  const mayBeBehind = tier === engine.stack.arbiter && !engine.missed.isEmpty
  const believed = mayBeBehind ? Effect.andThen(recoverFor(engine, progress, budget), read) : read
  return Effect.flatMap(believed, () => readTiers(engine, progress, budget, place + 1))
}

/** What the arbiter missed has to reach it before anything that may be older can be believed. */
const recoverFor = (
  engine: Engine,
  progress: ReadonlyArray<Progress>,
  budget: Budget,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const wanted = progress.filter(({ flight }) => flight.isWanted)
    const keys = wanted.map(({ flight }) => flight.k)
    return recover(engine, budget, keys)
  })

/** Asks for those that have not landed by then. */
const readTier = (
  engine: Engine,
  progress: ReadonlyArray<Progress>,
  tier: FartherTier,
  budget: Budget,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const arbitrates = tier === engine.stack.arbiter
    const asking: Array<Progress> = []
    for (const one of progress) {
      const { flight, skipsTiers } = one
      if (skipsTiers) one.arbiterAnswers = isBelieved(engine, flight.k)
      else if (!flight.isWanted) continue
      else if (arbitrates && !isBelieved(engine, flight.k)) one.lacksAnswer = true
      else asking.push(one)
    }
    if (asking.length === 0) return Effect.void
    const keys = asking.map(({ flight }) => flight.k)
    return Effect.flatMap(tier.read(keys, budget), (found) =>
      engine.turns.each(asking, (one, i) => {
        const there = found[i]
        if (there === undefined) one.lacksAnswer = true
        else considered(engine, one, tier, there)
      }),
    )
  })

const considered = (engine: Engine, one: Progress, tier: FartherTier, found: Found): void => {
  one.arbiterAnswers ||= tier === engine.stack.arbiter
  consider(engine, one, tier, found)
}

/** The arbiter, where it grants the right to look the key up. */
const arbiterFor = (
  { stack }: Engine,
  { arbiterAnswers, foreign }: Progress,
): FartherTier | undefined => (arbiterAnswers && !foreign ? stack.arbiter : undefined)

/** `hasAsked`: the arbiter has been asked for the lease, together with others. */
const lookUpAlone = (
  engine: Engine,
  progress: Progress,
  budget: Budget,
  span: CallerSpan,
  hasAsked = false,
): Effect.Effect<void> =>
  unlessRefused(engine, [progress], () => lookUpWithLease(engine, progress, budget, span, hasAsked))

const lookUpWithLease = (
  engine: Engine,
  progress: Progress,
  budget: Budget,
  span: CallerSpan,
  hasAsked: boolean,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { flight } = progress
    const arbiter = hasAsked ? undefined : arbiterFor(engine, progress)
    if (arbiter !== undefined) yield* leaseFor(engine, arbiter, progress, budget)
    // Perhaps by the end of the larder, while the lease was granted.
    if (!flight.isWanted) return giveBack(engine, progress)
    const previous = flight.stale?.entry
    // The tiers may just have told of marks for the first time: upstream is asked after them.
    flight.asOf = engine.asOf()
    yield* Effect.callback<void>((resume) => {
      const cancel = lookup.one(engine, flight, previous, span, (answer) => {
        arrived(engine, progress, answer, previous)
        resume(Effect.void)
      })
      return Effect.sync(cancel)
    })
  }).pipe(Effect.onInterrupt(() => Effect.sync(() => giveBack(engine, progress))))

const lookUpTogether = (
  engine: Engine,
  progress: ReadonlyArray<Progress>,
  budget: Budget,
  span: CallerSpan,
): Effect.Effect<void> => {
  const together = new Set(progress)
  const loading = Effect.gen(function* () {
    const { arbiter } = engine.stack
    const leasing = progress.filter((one) => arbiterFor(engine, one) !== undefined)
    if (arbiter !== undefined) {
      const busy = yield* leaseAll(engine, arbiter, leasing, budget)
      yield* engine.turns.each(busy, (one) => {
        // Whoever has to wait for another node does so by itself.
        together.delete(one)
        lookUpApart(engine, one, budget, span)
      })
    }
    yield* engine.turns.forMany(progress)
    const ready: Array<Progress> = []
    for (const one of together) {
      if (one.flight.isWanted) ready.push(one)
      else giveBack(engine, one)
    }
    if (!Arr.isArrayNonEmpty(ready)) return
    const flights = Arr.map(ready, ({ flight }) => flight)
    for (const flight of flights) flight.asOf = engine.asOf()
    const answerOf = yield* Effect.callback<(flight: Flight) => lookup.Answer>((resume) => {
      const cancel = lookup.many(engine, flights, span, (answerOf) =>
        resume(Effect.succeed(answerOf)),
      )
      return Effect.sync(cancel)
    })
    yield* engine.turns.each(ready, (one) => arrived(engine, one, answerOf(one.flight), undefined))
  })
  return Effect.onInterrupt(loading, () =>
    Effect.sync(() => {
      for (const one of together) giveBack(engine, one)
    }),
  )
}

/** Nobody waits any more. A flight that has landed with a value settles, and needs its lease for that. */
const giveBack = (engine: Engine, progress: Progress): void => {
  progress.stopRenewal()
  if (progress.flight.landing?._tag !== "Value") releaseLease(engine, progress, 0)
}

const arrived = (
  engine: Engine,
  progress: Progress,
  answer: lookup.Answer,
  previous: Entry<unknown> | undefined,
): void => {
  const { flight } = progress
  progress.stopRenewal()
  if (!flight.isWanted) return giveBack(engine, progress)
  const version = progress.token ?? versionWithoutToken(engine, progress, answer)
  settle(engine, progress, arrive(engine, flight, answer, previous, version))
}

/** A lookup takes its version when it begins, also where no arbiter gives it one. */
const versionWithoutToken = (
  engine: Engine,
  { flight, known }: Progress,
  { millis }: lookup.Answer,
): number => {
  const { arbiter } = engine.stack
  const highest = Math.max(known, engine.knownVersion(flight.k))
  return arbiter === undefined
    ? engine.nextVersion(highest)
    : arbiter.placeAbove(highest, engine.stopwatch() - millis, "least")
}
