/** One lookup at upstream, for one key or for many, bounded by `hardTimeout`. */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"
import type { Entry } from "../../Entry.ts"
import { KeyNotReturned, LookupInterrupted, LookupTimeout } from "../../LarderError.ts"
import type { LookupRefused } from "../../LarderEvent.ts"
import * as Upstream from "../../Upstream.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import { type LookupOutcome, lookupOutcomes, refusedReasons } from "../observe/labels.ts"
import { BoundedRun } from "../runtime/boundedRun.ts"
import { isTimeout, refusalOf } from "./refused.ts"
import { inSpan } from "./lookupSpan.ts"
import { lookupReached } from "./stampede.ts"

/** Upstream's answer for one key, and how long the lookup took. */
export interface Answer {
  readonly exit: Exit.Exit<unknown, unknown>
  readonly millis: number
  /** The bulk lookup answered without the key. */
  readonly notReturned: boolean
}

/**
 * One running lookup. It continues in the background, abandoned, where it disobeys its interruption.
 * A class with its ends as methods, since each miss makes one.
 */
abstract class Lookup extends BoundedRun<unknown, unknown> {
  protected readonly engine: Engine
  readonly #key: string
  readonly #began: number
  /** When the lookup must have ended, in monotonic time. */
  #deadline = Infinity
  #flights: ReadonlyArray<Flight> = []
  /** `LookupStarted` was told. */
  #isTold = false
  /** The lookup is counted by its outcome, or was refused: it counts as reaching upstream no more. */
  #isCounted = false
  #fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** How long the lookup took. */
  #millis = 0
  /** Why the larder interrupts the lookup. */
  #left: "timedOut" | "interrupted" | undefined
  /** Why a guard did not let the lookup through. */
  #refusal: LookupRefused["reason"] | undefined

  constructor(engine: Engine, key: string) {
    super(engine.timers)
    this.engine = engine
    this.#key = key
    this.#began = engine.stopwatch()
  }

  protected abstract answered(exit: Exit.Exit<unknown, unknown>, millis: number): void

  protected get deadline(): number {
    return this.#deadline
  }

  protected run(
    effect: Effect.Effect<unknown, unknown>,
    flights: ReadonlyArray<Flight>,
    span: CallerSpan,
  ): void {
    const { engine } = this
    const { hardTimeout } = engine.settings.policy
    this.#flights = flights
    const waited = flights.reduce((most, flight) => Math.max(most, flight.waitedForProbe), 0)
    const left = hardTimeout - waited
    this.#deadline = this.#began + left
    const demand = engine.demands.take(flights, this.#deadline, () => this.#reached())
    const { context } = demand
    const fiber = engine.fibers.fork(
      effect,
      span === undefined ? context : Context.add(context, Tracer.ParentSpan, span),
    )
    this.#fiber = fiber
    fiber.addObserver(() => engine.demands.giveBack(demand))
    // Race: the lookup's first step closed the larder or interrupted its callers, before they could cancel it.
    if (engine.closed || flights.every(({ isAbandoned }) => isAbandoned))
      engine.fibers.abandon(fiber)
    this.watch(fiber, this.#began, engine.closed ? Infinity : left)
  }

  /**
   * Wraps the lookup in a span that says why it runs and how it ended. `describe` sets what is known of
   * the keys, on a span that is exported.
   */
  protected spanned(
    lookup: Effect.Effect<unknown, unknown>,
    flights: ReadonlyArray<Flight>,
    parent: CallerSpan,
    describe: (span: Tracer.Span) => void,
  ): Effect.Effect<unknown, unknown> {
    const { isTraced, settings } = this.engine
    // No span without a tracer: a span costs as much as the rest of a lookup.
    if (parent === undefined && !isTraced) return lookup
    return inSpan(settings.name, lookup, {
      begun: (span) => {
        span.attribute(
          "larder.background",
          flights.every(({ background }) => background),
        )
        // The tracer of a fiber without one exports nothing.
        if (isTraced && span.sampled) describe(span)
      },
      ended: (exit) => this.#endOf(exit),
    })
  }

  /** The attributes of how the lookup ended. */
  #endOf(exit: Exit.Exit<unknown, unknown>): Readonly<Record<string, string>> {
    const outcome = (label: string) => ({ "larder.outcome": label })
    if (this.#left === "timedOut") {
      return { ...outcome(lookupOutcomes.timedOut), "error.type": "LookupTimeout" }
    }
    if (this.#left === "interrupted") return outcome(lookupOutcomes.interrupted)
    if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) {
      return { ...outcome(lookupOutcomes.defect), "error.type": "LookupInterrupted" }
    }
    const refusal = this.#isTold ? undefined : refusalOf(this.engine, exit)
    return outcome(
      refusal === undefined ? lookupOutcomes[outcomeOf(exit)] : refusedReasons[refusal],
    )
  }

  /** The lookup has reached upstream. */
  #reached(): void {
    if (this.#isTold || this.#isCounted) return
    this.#isTold = true
    started(this.engine, this.#flights, this.#began)
  }

  /** Counts the end of the lookup for its keys; as refused where it never reached upstream. */
  protected count(answers: Iterable<Answer>): void {
    const { engine } = this
    this.#isCounted = true
    for (const { exit } of answers) {
      if (this.#refusal === undefined) counted(engine, outcomeOf(exit), this.#millis)
      else engine.observer.counters.lookupsRefused[this.#refusal] += 1
    }
    if (this.#refusal !== "shed") return
    const shed = this.#flights.filter(({ background }) => background)
    engine.observer.counters.backgroundShed += shed.length
  }

  /** Tells listeners of the end of the lookup for one key. */
  protected tell(flight: Flight, answer: Answer): void {
    const { observer } = this.engine
    if (observer.listeners === 0) return
    if (this.#refusal === undefined) told(this.engine, flight, answer)
    else observer.tell({ _tag: "LookupRefused", key: flight.k, reason: this.#refusal })
  }

  /** Does nothing after the answer. */
  cancel(): void {
    if (!this.leave()) return
    this.#left = "interrupted"
    if (this.#isTold) {
      const millis = this.engine.stopwatch() - this.#began
      for (const _ of this.#flights) counted(this.engine, "interrupted", millis)
    }
    this.#isCounted = true
    if (this.#fiber !== undefined) this.engine.fibers.abandon(this.#fiber)
  }

  protected ended(exit: Exit.Exit<unknown, unknown>): void {
    this.#end(uninterrupted(this.engine, this.#key, exit))
  }

  protected late(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.#left = "timedOut"
    this.#end(Exit.fail(timeout(this.engine, this.#key)))
    this.engine.fibers.abandon(fiber, Upstream.timedOut)
  }

  #end(exit: Exit.Exit<unknown, unknown>): void {
    this.#millis = this.engine.stopwatch() - this.#began
    this.#refusal = this.#isTold ? undefined : refusalOf(this.engine, exit)
    if (this.#refusal === undefined) this.#reached()
    this.answered(exit, Math.round(this.#millis))
  }
}

/** Callers were not interrupted: an interrupt-only cause becomes a `LookupInterrupted` defect. */
const uninterrupted = (
  engine: Engine,
  key: string,
  exit: Exit.Exit<unknown, unknown>,
): Exit.Exit<unknown, unknown> =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
    ? Exit.die(new LookupInterrupted({ larder: engine.settings.name, key }))
    : exit

/** The error of a lookup that has taken `hardTimeout`. */
export const timeout = (engine: Engine, key: string): LookupTimeout => {
  const { name, policy } = engine.settings
  return new LookupTimeout({ larder: name, key, millis: policy.hardTimeout })
}

const started = (engine: Engine, flights: ReadonlyArray<Flight>, began: number): void => {
  const { observer } = engine
  observer.counters.lookups += flights.length
  for (const flight of flights) {
    flight.reachedUpstream = true
    if (observer.listeners !== 0) {
      observer.tell({ _tag: "LookupStarted", key: flight.k, background: flight.background })
    }
    lookupReached(engine, flight, began)
  }
}

const counted = ({ observer }: Engine, outcome: LookupOutcome, millis: number): void => {
  observer.counters.lookupsByOutcome[outcome] += 1
  observer.measures.lookups.record(millis / 1_000)
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): LookupOutcome => {
  if (Exit.isSuccess(exit)) return Upstream.isNotModified(exit.value) ? "notModified" : "succeeded"
  if (isTimeout(exit)) return "timedOut"
  return Cause.hasDies(exit.cause) ? "defect" : "failed"
}

const told = (engine: Engine, flight: Flight, { exit, millis }: Answer): void => {
  const { observer } = engine
  if (observer.listeners === 0) return
  if (Exit.isSuccess(exit)) {
    const notModified = Upstream.isNotModified(exit.value)
    observer.tell({ _tag: "LookupSucceeded", key: flight.k, millis, notModified })
  } else if (isTimeout(exit)) {
    observer.tell({ _tag: "LookupTimedOut", key: flight.k, millis })
  } else {
    const defect = Cause.hasDies(exit.cause)
    observer.tell({ _tag: "LookupFailed", key: flight.k, millis, defect })
  }
}

/** The lookup of one key. `previous` is the entry that a conditional lookup may renew. */
export abstract class LookupOfOne extends Lookup {
  protected readonly flight: Flight
  protected readonly previous: Entry<unknown> | undefined

  constructor(engine: Engine, flight: Flight, previous: Entry<unknown> | undefined) {
    super(engine, flight.k)
    this.flight = flight
    this.previous = previous
  }

  /** Hands upstream's answer on. */
  protected abstract arrived(answer: Answer): void

  /** May call `arrived` before it returns. */
  begin(span: CallerSpan): void {
    const { engine, flight, previous } = this
    const { upstream } = engine.settings
    const asked = Effect.suspend(() =>
      upstream.lookup(flight.key, previous && engine.inTimeOfDay(previous)),
    )
    const describe = (own: Tracer.Span) => {
      const shown = engine.observer.showKey(flight.k)
      if (shown !== undefined) own.attribute("larder.key", shown)
    }
    this.run(this.spanned(asked, [flight], span, describe), [flight], span)
  }

  protected answered(exit: Exit.Exit<unknown, unknown>, millis: number): void {
    const answer: Answer = { exit, millis, notReturned: false }
    this.count([answer])
    this.tell(this.flight, answer)
    this.arrived(answer)
  }
}

/** The lookup of many keys in one call; upstream must have a bulk lookup. */
export abstract class LookupOfMany extends Lookup {
  protected readonly flights: Arr.NonEmptyReadonlyArray<Flight>

  constructor(engine: Engine, flights: Arr.NonEmptyReadonlyArray<Flight>) {
    super(engine, flights[0].k)
    this.flights = flights
  }

  /** Hands upstream's answer on. `answerOf` tells listeners: call it once a flight. */
  protected abstract arrived(answerOf: (flight: Flight) => Answer): void

  /** May call `arrived` before it returns. */
  begin(span: CallerSpan): void {
    const { engine, flights } = this
    const { upstream } = engine.settings
    const keys = Arr.map(flights, (flight) => flight.key)
    const asked = Effect.suspend(() =>
      upstream.lookupMany === undefined
        ? Effect.die(new Error("there is no bulk lookup"))
        : Effect.map(upstream.lookupMany(keys), (found) => byKey(engine, found)),
    )
    const describe = (own: Tracer.Span) => own.attribute("larder.keys", flights.length)
    this.run(this.spanned(asked, flights, span, describe), flights, span)
  }

  protected answered(exit: Exit.Exit<unknown, unknown>, millis: number): void {
    const { engine } = this
    const answers = new Map(
      this.flights.map((flight) => [flight, answerFor(engine, flight, exit, millis)] as const),
    )
    // Race: the first caller that is answered closes the larder, before the other keys have their turn.
    this.count(answers.values())
    this.arrived((flight) => {
      const answer = answers.get(flight)!
      this.tell(flight, answer)
      return answer
    })
  }
}

/** Upstream may return other key objects than it was asked for, so keys are matched as strings. */
const byKey = (engine: Engine, found: ReadonlyMap<unknown, unknown>): Map<string, unknown> => {
  const values = new Map<string, unknown>()
  for (const [key, value] of found) {
    const k = engine.settings.keyOf(key)
    if (k !== undefined) values.set(k, value)
  }
  return values
}

const answerFor = (
  engine: Engine,
  flight: Flight,
  exit: Exit.Exit<unknown, unknown>,
  millis: number,
): Answer => {
  if (isTimeout(exit))
    return { exit: Exit.fail(timeout(engine, flight.k)), millis, notReturned: false }
  if (Exit.isFailure(exit)) return { exit, millis, notReturned: false }
  const values = exit.value as ReadonlyMap<string, unknown>
  if (values.has(flight.k)) {
    const answer = values.get(flight.k)
    const own = Exit.isExit(answer) ? uninterrupted(engine, flight.k, answer) : Exit.succeed(answer)
    return { exit: own, millis, notReturned: false }
  }
  const error = new KeyNotReturned({ larder: engine.settings.name, key: flight.k })
  return { exit: Exit.fail(error), millis, notReturned: true }
}
