/** Asking for many keys at once: one trip to each tier, one bulk lookup, each key with a result of its own. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import {
  anything,
  closed,
  countWaiting,
  decide,
  immediate,
  newFlight,
  patience,
  refusal,
} from "./asking.ts"
import type { CallerSpan, Engine } from "./engine.ts"
import { type Flight, type Given, Waiter } from "./flight.ts"
import { hit } from "./hitting.ts"
import { begin, beginSoon, readBeside } from "./loading.ts"
import * as waiting from "./waiting.ts"

type Results = Map<string, Exit.Exit<unknown, unknown>>

interface Asked {
  readonly key: unknown
  readonly k: string
}

/** The exit of each key, in the order in which the keys were first seen; each reference that was passed is there. */
export const getMany = (
  engine: Engine,
  keys: Iterable<unknown>,
  span: CallerSpan,
): Effect.Effect<Map<unknown, Exit.Exit<unknown, unknown>>> => {
  const exits = new Map<unknown, Exit.Exit<unknown, unknown>>()
  const waiting = new Waiting()
  const now = engine.now()
  for (const key of keys) {
    const k = engine.settings.keyOf(key)
    const exit = k === undefined ? undefined : hit(engine, k, now)
    if (exit !== undefined) exits.set(key, exit)
    // What waits takes its place now, so that results come in the order of the keys.
    else if (!exits.has(key)) exits.set(key, refusal(engine, key, k) ?? waiting.add(key, k))
  }
  if (waiting.asked.size === 0) return Exit.succeed(exits)
  const gathered = gather(engine, [...waiting.asked.values()], span, new Map(), { since: now })
  return Effect.map(gathered, (results) => {
    for (const [key, k] of waiting.ofKey) exits.set(key, results.get(k)!)
    return exits
  })
}

/** The keys that are no plain hits; those that mean the same are asked for once. */
class Waiting {
  readonly asked = new Map<string, Asked>()
  readonly ofKey = new Map<unknown, string>()

  /** Takes a key that can be asked for. */
  add(key: unknown, k: string | undefined): Exit.Exit<void> {
    if (k !== undefined) {
      this.ofKey.set(key, k)
      if (!this.asked.has(k)) this.asked.set(k, { key, k })
    }
    return Exit.void
  }
}

/** One key that a caller waits for among others. */
class OneOfMany extends Waiter {
  readonly demand = anything
  readonly many = true
  readonly insists = false
  /** Told what there is for the key; nothing where its lookup was overtaken. */
  readonly end: (exit: Exit.Exit<unknown, unknown> | undefined) => void

  constructor(
    arrivedMark: number,
    until: number | undefined,
    end: (exit: Exit.Exit<unknown, unknown> | undefined) => void,
  ) {
    super(arrivedMark, until)
    this.end = end
  }

  give({ exit }: Given): void {
    this.end(exit)
  }

  fail(exit: Exit.Exit<never, unknown>): void {
    this.end(exit)
  }

  rejoin(): void {
    this.end(undefined)
  }
}

/**
 * Joins or begins what is needed for all the keys and waits, in one step. Keys
 * whose lookup was overtaken by a mark are gathered once more.
 */
const gather = (
  engine: Engine,
  keys: ReadonlyArray<Asked>,
  span: CallerSpan,
  results: Results,
  { since, until }: { readonly since: number; readonly until?: number },
): Effect.Effect<Results> =>
  Effect.callback((resume) => {
    const overtaken: Array<Asked> = []
    const begun: Array<Flight> = []
    const refreshes: Array<Flight> = []
    const left: Array<Effect.Effect<void>> = []
    // Held until everybody is registered, since a flight may end while it is begun.
    let open = 1
    const done = () => {
      open -= 1
      if (open > 0) return
      if (overtaken.length === 0) return resume(Effect.succeed(results))
      const patient = { since, until: until ?? patience(engine, since) }
      resume(gather(engine, overtaken, span, results, patient))
    }
    const waiterFor = (asked: Asked): Waiter => {
      open += 1
      return new OneOfMany(engine.marks.last, until, (exit) => {
        if (exit === undefined) overtaken.push(asked)
        else results.set(asked.k, exit)
        done()
      })
    }
    for (const asked of keys) {
      const { k, key } = asked
      const now = engine.now()
      const decided = decide(engine, k, anything, now, true)
      // It may have closed since, also by a refresh that was begun to be joined.
      if (engine.closed) {
        results.set(k, closed(engine))
        continue
      }
      const { flight, hand } = decided
      const answer = immediate(engine, k, decided, (stale, early) =>
        refreshes.push(newFlight(engine, key, k, { ...forMany(stale), background: true, early })),
      )
      if (answer !== undefined) {
        results.set(k, Exit.isExit(answer) ? answer : answer.exit)
        continue
      }
      if (hand !== undefined) engine.near.hit(hand.slot)
      if (until === undefined) countWaiting(engine, k, flight)
      const joined = flight ?? newFlight(engine, key, k, forMany(hand))
      if (flight === undefined) begun.push(joined)
      const softAt = now + (hand?.held.policy ?? engine.settings.policy).softTimeout
      const waiter = waiterFor(asked)
      left.push(waiting.join(engine, joined, waiter, softAt))
      if (flight !== undefined) readBeside(engine, joined, waiter)
    }
    if (Arr.isArrayNonEmpty(begun)) begin(engine, begun, span)
    if (Arr.isArrayNonEmpty(refreshes)) beginSoon(engine, refreshes, span)
    done()
    return Effect.all(left, { discard: true })
  })

const forMany = (stale: Flight["stale"]) => ({
  stale,
  early: false,
  background: false,
  force: false,
  many: true,
  notBefore: -Infinity,
})
