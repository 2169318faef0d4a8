/** One caller of one key: gets an answer at once, or waits for a flight. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { readBeside } from "../flight/readBeside.ts"
import { begin } from "../flight/start.ts"
import * as waiting from "../flight/waiters.ts"
import type { Engine } from "../state/engine.ts"
import { type Candidate, type Demand, Waiter } from "../state/flight.ts"
import { immediate, inBackground, newFlight } from "./act.ts"
import { countWaiting } from "./missed.ts"
import { type Decided, decide } from "./decide.ts"
import { type Call, type Question, countedClosed, countedRefusal, deadlineOf } from "./question.ts"

/** Answers a call that is no plain hit. `slot`: of the key in memory, 0 for none. */
export const ask = (
  engine: Engine,
  question: Question,
  slot = question.k === undefined ? 0 : engine.near.find(question.k),
): Effect.Effect<unknown, unknown> => {
  // An entry in memory proves that the key is valid and the larder open.
  const refused = slot === 0 ? countedRefusal(engine, question.key, question.k) : undefined
  if (refused !== undefined) return refused
  const call = question as Call
  // Without an entry in memory that was checked against all marks, the caller most likely waits, and
  // `wait` decides.
  if (slot === 0 || !engine.near.isStampedAt(slot, engine.marks.generation)) {
    return wait(engine, call, undefined)
  }
  const decided = decide(engine, call.k, call.demand, call.since)
  return answerNow(engine, call, decided, call.since) ?? wait(engine, call, undefined)
}

const answerNow = (
  engine: Engine,
  call: Call,
  decided: Decided,
  now: number,
): Effect.Effect<unknown, unknown> | undefined => {
  const answer = immediate(engine, call.k, decided, now, (stale, early) =>
    inBackground(engine, call, stale, early),
  )
  return answer === undefined || Exit.isExit(answer) ? answer : call.reply(answer)
}

/**
 * Finds or begins the flight, joins it and waits, in one step. An interruption comes either before
 * the caller is counted or after. `arrivedAt`: on a retry, when the caller arrived.
 */
const wait = (
  engine: Engine,
  call: Call,
  arrivedAt: number | undefined,
): Effect.Effect<unknown, unknown> =>
  Effect.callback((resume) => {
    // Decided in one step with joining: a flight may have completed since the last decision.
    const now = engine.now()
    const decided = decide(engine, call.k, call.demand, now)
    // The larder may have closed meanwhile: `decide` may have started a deferred refresh that closed it.
    if (engine.closed) return resume(countedClosed(engine, call.k, waitedSince(engine, arrivedAt)))
    const atOnce = answerNow(engine, call, decided, now)
    if (atOnce !== undefined) return resume(atOnce)
    return enter(engine, call, decided, arrivedAt, resume)
  })

const waitedSince = (engine: Engine, arrivedAt: number | undefined): number | undefined =>
  arrivedAt === undefined ? undefined : engine.stopwatch() - arrivedAt

/** A caller of `get` or `refresh` that waits. */
export class Caller extends Waiter {
  readonly engine: Engine
  readonly call: Call
  readonly resume: (effect: Effect.Effect<unknown, unknown>) => void
  readonly demand: Demand
  readonly many = false
  readonly insists: boolean
  readonly arrivedAt: number

  constructor(
    engine: Engine,
    call: Call,
    arrivedAt: number | undefined,
    resume: (effect: Effect.Effect<unknown, unknown>) => void,
    insists = false,
    demand = call.demand,
  ) {
    super(engine.marks.last, arrivedAt === undefined ? undefined : deadlineOf(engine, arrivedAt))
    this.engine = engine
    this.call = call
    this.resume = resume
    this.demand = demand
    this.insists = insists
    this.arrivedAt = arrivedAt ?? engine.stopwatch()
  }

  give(given: Candidate): void {
    this.resume(this.call.reply(given))
  }

  fail(exit: Exit.Exit<never, unknown>): void {
    this.resume(exit)
  }

  rejoin(): void {
    const { arrivedAt, demand, engine, resume } = this
    const call = { ...this.call, demand }
    resume(wait(engine, call, arrivedAt))
  }
}

/**
 * Joins the active flight, or begins one; returns the effect that removes the waiter. `arrivedAt` is
 * set on a retry, after a mark overtook the first lookup; the caller is counted already.
 */
const enter = (
  engine: Engine,
  call: Call,
  decided: Decided,
  arrivedAt: number | undefined,
  resume: (effect: Effect.Effect<unknown, unknown>) => void,
): Effect.Effect<void> => {
  const { demand, flight, local } = decided
  // Count the access for eviction here, though the entry is not good enough: its replacement is no access.
  if (local !== undefined) engine.near.hit(local.slot)
  const waiter = new Caller(engine, call, arrivedAt, resume, false, demand)
  const softAt = waiter.arrivedAt + (local?.held.policy ?? engine.settings.policy).softTimeout
  if (arrivedAt === undefined) countWaiting(engine, call.k, decided)
  if (flight !== undefined) {
    const left = waiting.join(engine, flight, waiter, softAt)
    readBeside(engine, flight, waiter)
    return left
  }
  const options = {
    stale: local,
    early: false,
    background: false,
    force: false,
    many: false,
    notBefore: demand.notBefore,
  }
  const begun = newFlight(engine, call.key, call.k, options, demand.confirmedAfter)
  // Join before the flight starts: a flight that ends at once must find its waiter.
  const left = waiting.join(engine, begun, waiter, softAt)
  begin(engine, [begun], call.span)
  return left
}
