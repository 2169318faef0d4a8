/** Carrying out what `Decision` says for one caller of one key. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Decision from "../../Decision.ts"
import * as Freshness from "../../Freshness.ts"
import { InvalidKey, LarderClosed } from "../../LarderError.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { AtHand } from "../state/localEntries.ts"
import type { Failure } from "../state/failureMemory.ts"
import { Flight, type Given, type Outcome, Waiter } from "../state/flight.ts"
import * as keys from "../state/key.ts"
import { readBeside } from "../flight/readBeside.ts"
import { begin, beginSoon } from "../flight/start.ts"
import * as waiting from "../flight/waiters.ts"

/** One caller's question, as it comes. */
export interface Question {
  readonly key: unknown
  /** The key as tiers know it; undefined when it is no key. */
  readonly k: string | undefined
  readonly demand: Decision.ReadDemand
  readonly span: CallerSpan
  /** When it came, ms. */
  readonly since: number
  /** What the caller gets for a value. */
  readonly reply: (given: Given) => Exit.Exit<unknown>
}

/** A question that can be asked. */
interface Call extends Question {
  readonly k: string
}

export const anything: Decision.ReadDemand = { notBefore: -Infinity, allowStale: true }

/** What is there for a call. A look changes nothing. */
interface Look {
  /** What memory has, be it past its life. */
  readonly inMemory: AtHand | undefined
  /** The flight whose result this caller may have. */
  readonly flight: Flight | undefined
  readonly failure: Failure | undefined
}

/** What has been found out about a call, and what is to be done. */
export interface Decided {
  readonly action: Decision.Action
  readonly hand: AtHand | undefined
  readonly flight: Flight | undefined
  readonly failure: Failure | undefined
}

/** `many`: the caller asks for many keys, and can be told that the bulk lookup does not know this one. */
export const decide = (
  engine: Engine,
  k: string,
  demand: Decision.ReadDemand,
  now: number,
  many = false,
): Decided => {
  // A refresh that was put off begins now, so that this caller finds what comes of it.
  engine.flights.at(k)?.start?.()
  const { failure, flight, inMemory } = look(engine, k, demand, now)
  if (inMemory !== undefined) engine.entries.tidy(k, inMemory)
  // Race: callers of a flight that settles have its value already; none gets an older one after that.
  const isOlder = flight?.outcome !== undefined || inMemory?.freshness._tag === "Missing"
  const hand = isOlder ? undefined : inMemory
  const isAnswer = failure !== undefined && (many || !failure.notReturned)
  const action = Decision.next({
    trigger: "arrived",
    usability: usabilityOf(engine, hand, demand, now),
    inFlight: flight !== undefined,
    throttled: failure !== undefined && now < failure.retryAt,
    // Where memory has nothing, a farther tier may still have something stale to give instead.
    failureKnown:
      isAnswer &&
      now < failure.rememberUntil &&
      (hand !== undefined || engine.stack.farther.length === 0),
    graceDenied: isAnswer && failure.graceDenied,
  })
  return { action, hand, flight, failure }
}

const look = (engine: Engine, k: string, demand: Decision.ReadDemand, now: number): Look => ({
  inMemory: engine.entries.look(k, now),
  flight: joinable(engine, k, demand),
  failure: engine.failures.at(k, now),
})

const usabilityOf = (
  { entries }: Engine,
  hand: AtHand | undefined,
  demand: Decision.ReadDemand,
  now: number,
): Decision.Usability =>
  hand === undefined
    ? "missing"
    : Decision.usability(hand.freshness, hand.entry.storedAt, entries.isDue(hand, now), demand)

/** The flight whose result this caller may have. */
const joinable = (engine: Engine, k: string, demand: Decision.ReadDemand): Flight | undefined => {
  const flight = engine.flights.at(k)
  if (flight === undefined) return undefined
  const { outcome } = flight
  const isValue = outcome?._tag === "Value"
  const mayJoin = Decision.mayJoin({
    isDetached: engine.flights.isDetached(flight),
    outcome: isValue ? usabilityOfResult(engine, outcome.given, demand) : asOutcome(outcome),
    overtaken:
      isValue && engine.marks.fellBetween(outcome.given.entry.tags, flight.asOf, engine.marks.last),
  })
  return mayJoin ? flight : undefined
}

const asOutcome = (outcome: Outcome | undefined): "none" | "failure" =>
  outcome === undefined ? "none" : "failure"

/** The result of a flight that settles must be good for a caller that comes now. */
const usabilityOfResult = (
  engine: Engine,
  { entry }: Given,
  demand: Decision.ReadDemand,
): Decision.Usability =>
  Decision.usability(Freshness.of(entry, engine.now()), entry.storedAt, false, demand)

/** Why a question cannot be asked at all. */
export const refusal = (
  engine: Engine,
  key: unknown,
  k: string | undefined,
): Exit.Exit<never, unknown> | undefined => {
  if (engine.closed) return closed(engine)
  const reason = k === undefined ? engine.settings.keyProblem(key) : keys.invalid(k)
  return reason === undefined
    ? undefined
    : Exit.fail(new InvalidKey({ larder: engine.settings.name, key: keys.show(key), reason }))
}

export const closed = (engine: Engine): Exit.Exit<never> =>
  Exit.die(new LarderClosed({ larder: engine.settings.name }))

/** Answers a call that is no plain hit. */
export const ask = (engine: Engine, question: Question): Effect.Effect<unknown, unknown> => {
  const slot = question.k === undefined ? 0 : engine.near.find(question.k)
  // What memory has is at a key that can be asked for, of a larder that is open.
  const refused = slot === 0 ? refusal(engine, question.key, question.k) : undefined
  if (refused !== undefined) return refused
  const call = question as Call
  // Without anything in memory that no mark may cover the caller most likely waits: it is decided where it starts to.
  if (slot === 0 || !engine.near.isStampedAt(slot, engine.marks.last)) {
    return wait(engine, call, undefined)
  }
  const decided = decide(engine, call.k, call.demand, call.since)
  return answerNow(engine, call, decided) ?? wait(engine, call, undefined)
}

const answerNow = (
  engine: Engine,
  call: Call,
  decided: Decided,
): Effect.Effect<unknown, unknown> | undefined => {
  const answer = immediate(engine, call.k, decided, (stale, early) =>
    inBackground(engine, call, stale, early),
  )
  return answer === undefined || Exit.isExit(answer) ? answer : call.reply(answer)
}

/**
 * What can be given without waiting, and is thereby given: a value, or a failure
 * that is remembered. Undefined where the caller has to wait.
 */
export const immediate = (
  engine: Engine,
  k: string,
  { action, failure, hand }: Decided,
  refresh: (stale: AtHand, early: boolean) => void,
): AtHand | Exit.Exit<unknown, unknown> | undefined => {
  const { counters, listeners } = engine.observer
  if (action._tag === "Fail") {
    counters.failures += 1
    return failure?.exit
  }
  if (hand === undefined) return undefined
  if (action._tag === "Serve") {
    engine.near.hit(hand.slot)
    counters.hits += 1
    if (listeners !== 0) engine.observer.tell({ _tag: "Hit", key: k, tier: hand.tier })
    if (action.refresh) {
      counters.earlyRefreshes += 1
      engine.observer.tell({ _tag: "EarlyRefresh", key: k })
      refresh(hand, true)
    }
    return hand
  }
  if (action._tag === "ServeStale") {
    engine.near.hit(hand.slot)
    counters.staleServed += 1
    if (listeners !== 0) {
      const reason = action.reason === "failed" ? (failure?.reason ?? "failed") : action.reason
      engine.observer.tell({ _tag: "StaleServed", key: k, reason })
    }
    if (action.refresh) refresh(hand, false)
    return hand
  }
  return undefined
}

/** Counts a caller that has to wait: for what is running, or for what it begins. */
export const countWaiting = (engine: Engine, k: string, flight: Flight | undefined): void => {
  const { counters, listeners } = engine.observer
  counters.misses += 1
  if (flight !== undefined) counters.coalesced += 1
  if (listeners === 0) return
  engine.observer.tell({ _tag: flight === undefined ? "Miss" : "Coalesced", key: k })
}

/** Begins a refresh that belongs to the larder. */
export const inBackground = (
  engine: Engine,
  { k, key, span }: Pick<Call, "k" | "key" | "span">,
  stale: Given,
  early: boolean,
): void => {
  const flight = newFlight(engine, key, k, {
    stale,
    early,
    background: true,
    force: false,
    many: false,
    notBefore: -Infinity,
  })
  beginSoon(engine, [flight], span)
}

export const newFlight = (
  engine: Engine,
  key: unknown,
  k: string,
  options: Pick<Flight, "stale" | "early" | "background" | "force" | "many" | "notBefore">,
): Flight => {
  const flight = new Flight(key, k, engine.versions.asOf(), options)
  // Before it starts: it may end at once, or ask for its own key.
  engine.flights.begin(flight)
  return flight
}

/**
 * Finds or begins the flight, joins it and waits, in one step: an interruption
 * finds the caller either not yet counted or counted.
 */
const wait = (
  engine: Engine,
  call: Call,
  deadline: number | undefined,
): Effect.Effect<unknown, unknown> =>
  Effect.callback((resume) => {
    // Decided here, in one step with joining: a flight may have completed a moment ago.
    const decided = decide(engine, call.k, call.demand, engine.now())
    // It may have closed since, also by a refresh that was begun to be joined.
    if (engine.closed) return resume(closed(engine))
    const now = answerNow(engine, call, decided)
    if (now !== undefined) return resume(now)
    return enter(engine, call, decided, deadline, resume)
  })

/** One waiting caller. */
class Caller extends Waiter {
  readonly engine: Engine
  readonly call: Call
  readonly resume: (effect: Effect.Effect<unknown, unknown>) => void
  readonly demand: Decision.ReadDemand
  readonly many = false
  readonly insists: boolean

  constructor(
    engine: Engine,
    call: Call,
    deadline: number | undefined,
    resume: (effect: Effect.Effect<unknown, unknown>) => void,
    insists = false,
  ) {
    super(engine.marks.last, deadline)
    this.engine = engine
    this.call = call
    this.resume = resume
    this.demand = call.demand
    this.insists = insists
  }

  give(given: Given): void {
    this.resume(this.call.reply(given))
  }

  fail(exit: Exit.Exit<never, unknown>): void {
    this.resume(exit)
  }

  rejoin(): void {
    const { call, deadline, engine, resume } = this
    resume(wait(engine, call, deadline ?? deadlineOf(engine, call.since)))
  }
}

/**
 * Law 9: however many lookups a call has to wait for, it ends by this moment, in
 * monotonic time. For how long it has waited is not believed of a clock that was set.
 */
export const deadlineOf = (engine: Engine, since: number): number => {
  const { hardTimeout, tierBudget } = engine.settings.policy
  const longest = tierBudget + engine.stack.leaseMillis + hardTimeout
  const waited = engine.now() - since
  return engine.stopwatch() + longest - (waited >= 0 && waited < longest ? waited : 0)
}

/**
 * Joins what is running, or begins it; gives what takes the caller out again. `deadline`:
 * for a call whose first lookup was overtaken; it was counted when it waited for that.
 */
const enter = (
  engine: Engine,
  call: Call,
  { flight, hand }: Decided,
  deadline: number | undefined,
  resume: (effect: Effect.Effect<unknown, unknown>) => void,
): Effect.Effect<void> => {
  // It was asked for, even though it is not good enough; its replacement is no request.
  if (hand !== undefined) engine.near.hit(hand.slot)
  const waiter = new Caller(engine, call, deadline, resume)
  const softAt = call.since + (hand?.held.policy ?? engine.settings.policy).softTimeout
  if (deadline === undefined) countWaiting(engine, call.k, flight)
  if (flight !== undefined) {
    const left = waiting.join(engine, flight, waiter, softAt)
    readBeside(engine, flight, waiter)
    return left
  }
  const begun = newFlight(engine, call.key, call.k, {
    stale: hand,
    early: false,
    background: false,
    force: false,
    many: false,
    notBefore: call.demand.notBefore,
  })
  // Joined before it starts, so that a flight that ends at once finds its waiter.
  const left = waiting.join(engine, begun, waiter, softAt)
  begin(engine, [begun], call.span)
  return left
}

/**
 * A lookup of this caller's own: what is running is detached, and callers that come
 * later join this one, unless a tier has what they may be given. The caller gets what
 * upstream answers, or its failure, never an older value.
 */
export const refresh = (engine: Engine, question: Question): Effect.Effect<unknown, unknown> =>
  Effect.callback((resume) => {
    const refused = refusal(engine, question.key, question.k)
    if (refused !== undefined) return resume(refused)
    const call = question as Call
    engine.flights.detach(call.k)
    const hand = engine.entries.atHand(call.k, engine.now())
    if (hand !== undefined) engine.near.hit(hand.slot)
    const flight = newFlight(engine, call.key, call.k, {
      stale: hand,
      early: false,
      background: false,
      force: true,
      many: false,
      notBefore: -Infinity,
    })
    const waiter = new Caller(engine, call, undefined, resume, true)
    const left = waiting.join(engine, flight, waiter)
    begin(engine, [flight], call.span)
    return left
  })
