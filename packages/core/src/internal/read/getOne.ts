/** One caller of one key: answered at once, or waiting for a flight. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Decision from "../../Decision.ts"
import { readBeside } from "../flight/readBeside.ts"
import { begin } from "../flight/start.ts"
import * as waiting from "../flight/waiters.ts"
import type { Engine } from "../state/engine.ts"
import { type Candidate, Waiter } from "../state/flight.ts"
import { countWaiting, immediate, inBackground, newFlight } from "./act.ts"
import { type Decided, decide } from "./decide.ts"
import { type Call, type Question, closed, deadlineOf, refusal } from "./question.ts"

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
export class Caller extends Waiter {
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

  give(given: Candidate): void {
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
 * Joins what is running, or begins it; gives what takes the caller out again. `deadline`:
 * for a call whose first lookup was overtaken; it was counted when it waited for that.
 */
const enter = (
  engine: Engine,
  call: Call,
  { flight, local }: Decided,
  deadline: number | undefined,
  resume: (effect: Effect.Effect<unknown, unknown>) => void,
): Effect.Effect<void> => {
  // It was asked for, even though it is not good enough; its replacement is no request.
  if (local !== undefined) engine.near.hit(local.slot)
  const waiter = new Caller(engine, call, deadline, resume)
  const softAt = call.since + (local?.held.policy ?? engine.settings.policy).softTimeout
  if (deadline === undefined) countWaiting(engine, call.k, flight)
  if (flight !== undefined) {
    const left = waiting.join(engine, flight, waiter, softAt)
    readBeside(engine, flight, waiter)
    return left
  }
  const begun = newFlight(engine, call.key, call.k, {
    stale: local,
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
