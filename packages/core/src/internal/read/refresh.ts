/** `refresh`: a lookup regardless of cached values. */
import * as Effect from "effect/Effect"
import { begin } from "../flight/start.ts"
import * as waiting from "../flight/waiters.ts"
import type { Engine } from "../state/engine.ts"
import { newFlight } from "./act.ts"
import { Caller } from "./getOne.ts"
import { countRefresh } from "./missed.ts"
import { type Call, type Question, countedRefusal } from "./question.ts"

/**
 * Detaches the active flight and begins a new lookup. Later callers join the new one, unless a
 * tier has an answer for them. The caller gets what upstream answers, or its failure, never an
 * older value.
 */
export const refresh = (engine: Engine, question: Question): Effect.Effect<unknown, unknown> =>
  Effect.callback((resume) => {
    const refused = countedRefusal(engine, question.key, question.k)
    if (refused !== undefined) return resume(refused)
    const call = question as Call
    engine.flights.detach(call.k)
    const local = engine.entries.candidate(call.k, engine.now())
    if (local !== undefined) engine.near.hit(local.slot)
    countRefresh(engine, call.k)
    const flight = newFlight(engine, call.key, call.k, {
      stale: local,
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
