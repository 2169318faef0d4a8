/**
 * Loads flights where there are tiers behind memory: reads the tiers, nearest first, asks upstream
 * for keys that no tier has, answers the callers, and settles.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { isBelieved } from "../recover/believed.ts"
import { Budget } from "../tier/budget.ts"
import { KeyRead } from "../tier/keyReads.ts"
import type { TierRead } from "../tier/tierRead.ts"
import { considerQueued } from "./adopt.ts"
import { firstRefusal } from "./circuits.ts"
import { confirmAll, waitsFirst } from "./confirm.ts"
import { brokenBy, guarded } from "./guarded.ts"
import { lookUpMissing } from "./lookUpMissing.ts"
import { answered, readTiers, type Walk, walkWith } from "./readTiers.ts"
import { tellSlowStep } from "../state/spanEvents.ts"
import { cancelTogether } from "./sharedCancel.ts"

/** Starts flights that have begun. Flights whose entry in memory a gap has made suspect confirm it first. */
export const loadThroughTiers = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  const suspect = flights.filter((flight) => waitsFirst(engine, flight))
  if (flights.some(({ confirmedAfter }) => confirmedAfter > -Infinity)) {
    // A checked read is judged by marks as of its call, or later, whether it reads a version or a value.
    engine.stack.arbiter?.marks.reading?.mayHaveMissed()
  }
  if (!Arr.isArrayNonEmpty(suspect)) return loadNow(engine, flights, span)
  const others = flights.filter((flight) => !suspect.includes(flight))
  if (Arr.isArrayNonEmpty(others)) loadNow(engine, others, span)
  const budget = new Budget(engine.settings.policy.tierBudget)
  const loaded = Effect.suspend(() => loadAll(engine, suspect, span, budget))
  goOn(engine, suspect, Effect.andThen(confirmAll(engine, suspect, budget), loaded))
}

/**
 * Whether a flight need not read the tiers: a circuit is open, and they had nothing for the key a
 * moment ago.
 */
const isQuiet = (engine: Engine, flight: Flight): boolean => {
  const { confirmedAfter, force, k } = flight
  const quiet = engine.failures.at(k, engine.now())?.quiet
  if (quiet === undefined || engine.now() >= quiet.until) return false
  if (firstRefusal(engine) === undefined) return false
  // A checked read must not miss what another node has stored; nor must a `refresh` that compares revisions.
  if (force || confirmedAfter > -Infinity) return false
  // Memory may have evicted what a tier had.
  return (engine.near.peek(k)?.entry.version ?? 0) >= quiet.version
}

/** Loads flights without a read of the tiers. A lease still tells of a newer entry. */
const askAlone = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  for (const flight of flights) flight.arbiterAnswers = isBelieved(engine, flight.k)
  const budget = new Budget(engine.settings.policy.tierBudget)
  const asked = Effect.suspend(() => lookUpMissing(engine, flights, budget, span) ?? Effect.void)
  goOn(engine, flights, asked)
}

const loadNow = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  if (flights.every((each) => isQuiet(engine, each))) return askAlone(engine, flights, span)
  const [flight] = flights
  const [nearest] = engine.stack.farther
  if (flights.length === 1 && nearest !== undefined && isPlain(engine, flight)) {
    new LoadOne(engine, flight, nearest, span).begin()
  } else goOn(engine, flights, loadAll(engine, flights, span))
}

/** Runs the rest of the loading in a fiber of its own. */
const goOn = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  loading: Effect.Effect<void>,
): void => {
  let cancel = () => {}
  // Set before the fiber starts: the fiber may give single flights a `cancel` of their own at once.
  cancelTogether(flights, () => cancel())
  const fiber = engine.fibers.fork(guarded(engine, flights, loading))
  cancel = () => fiber.interruptUnsafe()
}

/** Whether the nearest tier can be asked before anything else is done. */
const isPlain = (engine: Engine, flight: Flight): boolean =>
  !flight.force && engine.writes.size === 0 && engine.missed.isEmpty

/**
 * Loads one key. A hit in the nearest tier needs no fiber but the tier's own, and no functions but
 * those that the tier and the flight call.
 */
class LoadOne extends KeyRead implements Walk {
  readonly budget: Budget
  readonly asksForAll = false
  hasEntry = false
  lacksAnswer = false
  readonly #engine: Engine
  readonly #flight: Flight
  readonly span: CallerSpan
  readonly #tier: FartherTier
  /** When the tier was asked, in monotonic time; 0 where no span wants to know. */
  #askedAt = 0

  constructor(engine: Engine, flight: Flight, tier: FartherTier, span: CallerSpan) {
    super()
    this.#engine = engine
    this.#flight = flight
    this.span = span
    this.budget = new Budget(engine.settings.policy.tierBudget)
    this.#tier = tier
  }

  get key(): string {
    return this.#flight.k
  }

  begin(): void {
    // Set before the tier is asked: it may answer at once, and the flight gets another `cancel`.
    this.#flight.cancel = this.#cancel
    if (this.span !== undefined) this.#askedAt = this.#engine.stopwatch()
    this.#tier.readOne(this)
  }

  readonly #cancel = (): void => this.leave()

  own(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.#engine.fibers.own(fiber)
  }

  protected found(found: TierRead | undefined): void {
    const engine = this.#engine
    const flight = this.#flight
    // The flight was abandoned, or the larder closed: it has ended already.
    if (!flight.isWanted) return
    if (this.span !== undefined) {
      tellSlowStep(engine, this.span, this.#tier, "read", engine.stopwatch() - this.#askedAt)
    }
    try {
      answered(engine, flight, this.#tier, found, this)
      if (flight.outcome === undefined) {
        goOn(engine, [flight], readThenLookUp(engine, [flight], this, 1, this.span))
      }
    } catch (defect) {
      brokenBy(engine, [flight], Cause.die(defect))
    }
  }
}

/** Reads the tiers from `place` on, and looks up what none of them has. */
const readThenLookUp = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  walk: Walk,
  place: number,
  span: CallerSpan,
): Effect.Effect<void> =>
  Effect.flatMap(readTiers(engine, flights, walk, place), () => {
    if (!walk.lacksAnswer) for (const flight of flights) flight.haveTiersAnswered = !flight.force
    return lookUpMissing(engine, flights, walk.budget, span) ?? Effect.void
  })

const loadAll = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
  budget = new Budget(engine.settings.policy.tierBudget),
): Effect.Effect<void> => {
  const walk = walkWith(budget, span)
  const fromTiers = readThenLookUp(engine, flights, walk, 0, span)
  if (engine.writes.size === 0) return fromTiers
  const queued = flights.map((flight) => considerQueued(engine, flight))
  const fromQueue = Effect.all(queued, { discard: true, concurrency: "unbounded" })
  return Effect.andThen(fromQueue, fromTiers)
}
