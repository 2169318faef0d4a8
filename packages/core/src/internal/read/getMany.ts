/**
 * `getMany`: one trip to each tier and one bulk lookup for many keys, and a separate result for
 * each key. More than `keysPerSlice` misses are loaded in slices, several in parallel.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { anything, closed, deadlineOf, refusal, withChecks } from "./question.ts"
import { countWaiting, immediate, newFlight } from "./act.ts"
import { decide } from "./decide.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import { type Candidate, type Demand, type Flight, Waiter } from "../state/flight.ts"
import { hit } from "./fastPath.ts"
import { readBeside } from "../flight/readBeside.ts"
import { begin, beginSoon } from "../flight/start.ts"
import * as waiting from "../flight/waiters.ts"
import {
  keysOfFirstTierSlice,
  keysPerSlice,
  keysPerTierSlice,
  keysSoughtPerTurn,
  slicesAtOnce,
  tierSlicesAtOnce,
} from "../runtime/limits.ts"

type Exits = Map<unknown, Exit.Exit<unknown, unknown>>
type Results = Map<string, Exit.Exit<unknown, unknown>>

interface Asked {
  readonly key: unknown
  readonly k: string
  /** Further keys of the caller with the same string form. */
  others: Array<unknown> | undefined
}

/** The exit of each key that was passed, by reference, in the order in which the keys first occur. */
export const getMany = (
  engine: Engine,
  keys: Iterable<unknown>,
  span: CallerSpan,
): Effect.Effect<Map<unknown, Exit.Exit<unknown, unknown>>> => {
  const call = new ManyCall(engine)
  const now = engine.now()
  let turn = keysSoughtPerTurn
  let rest: Array<unknown> | undefined
  for (const key of keys) {
    turn -= 1
    if (turn >= 0) call.look(key, now)
    else (rest ??= []).push(key)
  }
  const { asked, exits } = call
  if (rest !== undefined) {
    const looked = lookOn(engine, call, rest, 0)
    return Effect.flatMap(looked, () => gatherAll(engine, call, span))
  }
  return asked.size === 0 ? Exit.succeed(exits) : gatherAll(engine, call, span)
}

/** One call: the exits so far, and the keys that are no plain hits. */
class ManyCall {
  readonly exits: Exits = new Map()
  /** Keys with the same string form are asked for once. */
  readonly asked = new Map<string, Asked>()
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  look(key: unknown, now: number): void {
    const engine = this.#engine
    const k = engine.settings.keyOf(key)
    const exit = k === undefined ? undefined : hit(engine, k, engine.near.find(k), now)
    if (exit !== undefined) this.exits.set(key, exit)
    // A key that waits takes its place in the map now, so that results keep the order of the keys.
    else if (!this.exits.has(key))
      this.exits.set(key, refusal(engine, key, k) ?? this.#wait(key, k))
  }

  /** Queues a valid key; the result is a placeholder. */
  #wait(key: unknown, k: string | undefined): Exit.Exit<void> {
    if (k !== undefined) {
      const same = this.asked.get(k)
      if (same === undefined) this.asked.set(k, { key, k, others: undefined })
      else (same.others ??= []).push(key)
    }
    return Exit.void
  }

  answer({ k, key, others }: Asked, results: Results): void {
    const exit = results.get(k)!
    this.exits.set(key, exit)
    if (others !== undefined) for (const other of others) this.exits.set(other, exit)
  }
}

/** Looks for the keys from index `from` on, and yields to other work before each `keysSoughtPerTurn`. */
const lookOn = (
  engine: Engine,
  call: ManyCall,
  keys: ReadonlyArray<unknown>,
  from: number,
): Effect.Effect<void> =>
  from >= keys.length
    ? Effect.void
    : Effect.flatMap(engine.turns.next, () => {
        const now = engine.now()
        const to = Math.min(from + keysSoughtPerTurn, keys.length)
        for (let i = from; i < to; i++) call.look(keys[i], now)
        return lookOn(engine, call, keys, to)
      })

const gatherAll = (engine: Engine, call: ManyCall, span: CallerSpan): Effect.Effect<Exits> => {
  const asked = [...call.asked.values()]
  const gathered = (keys: ReadonlyArray<Asked>) =>
    Effect.suspend(() => {
      const demand = withChecks(engine, { ...anything, calledAt: engine.moment() })
      const patient = { arrivedAt: engine.stopwatch(), isRetry: false, demand }
      return Effect.map(gather(engine, keys, span, new Map(), patient), (results) => {
        for (const one of keys) call.answer(one, results)
        return call.exits
      })
    })
  if (asked.length <= keysPerSlice) return gathered(asked)
  const hasTiers = engine.stack.farther.length > 0
  // Backpressure: upstream may answer faster than the arbiter takes commits.
  const room = engine.stack.arbiter?.writes.commitRoom ?? Effect.void
  const slices = Effect.forEach(
    slicesOf(asked, hasTiers),
    (keys, i) =>
      i === 0
        ? gathered(keys)
        : Effect.andThen(Effect.andThen(room, engine.turns.next), gathered(keys)),
    { concurrency: hasTiers ? tierSlicesAtOnce : slicesAtOnce, discard: true },
  )
  return Effect.as(slices, call.exits)
}

/** With tiers, slices start small and grow: see `keysOfFirstTierSlice`. */
const slicesOf = (
  asked: ReadonlyArray<Asked>,
  hasTiers: boolean,
): ReadonlyArray<ReadonlyArray<Asked>> => {
  const slices: Array<ReadonlyArray<Asked>> = []
  const most = hasTiers ? keysPerTierSlice : keysPerSlice
  let size = hasTiers ? keysOfFirstTierSlice : keysPerSlice
  for (let from = 0; from < asked.length; from += slices.at(-1)!.length) {
    slices.push(asked.slice(from, from + size))
    size = Math.min(2 * size, most)
  }
  return slices
}

/** A caller of `getMany`, waiting for one of its keys. */
class OneOfMany extends Waiter {
  readonly demand: Demand
  readonly many = true
  readonly insists = false
  /** Gets the exit of the key; undefined where a mark overtook its lookup. */
  readonly end: (exit: Exit.Exit<unknown, unknown> | undefined) => void

  constructor(
    arrivedMark: number,
    deadline: number | undefined,
    demand: Demand,
    end: (exit: Exit.Exit<unknown, unknown> | undefined) => void,
  ) {
    super(arrivedMark, deadline)
    this.demand = demand
    this.end = end
  }

  give({ exit }: Candidate): void {
    this.end(exit)
  }

  fail(exit: Exit.Exit<never, unknown>): void {
    this.end(exit)
  }

  rejoin(): void {
    this.end(undefined)
  }
}

interface Patient {
  /** When the call began, in monotonic time. */
  readonly arrivedAt: number
  readonly isRetry: boolean
  readonly demand: Demand
}

/**
 * Joins or begins a flight for each key and waits for all, in one step. Keys whose lookup was
 * overtaken by a mark are gathered once more.
 */
const gather = (
  engine: Engine,
  keys: ReadonlyArray<Asked>,
  span: CallerSpan,
  results: Results,
  { arrivedAt, demand: demanded, isRetry }: Patient,
): Effect.Effect<Results> =>
  Effect.callback((resume) => {
    const deadline = isRetry ? deadlineOf(engine, arrivedAt) : undefined
    const overtaken: Array<Asked> = []
    const begun: Array<Flight> = []
    const refreshes: Array<Flight> = []
    const left: Array<Effect.Effect<void>> = []
    // Starts at 1 until all waiters are registered: a flight may end while it begins.
    let open = 1
    const done = () => {
      open -= 1
      if (open > 0) return
      if (overtaken.length === 0) return resume(Effect.succeed(results))
      const again = { arrivedAt, demand: demanded, isRetry: true }
      resume(gather(engine, overtaken, span, results, again))
    }
    const waiterFor = (asked: Asked, demand: Demand): Waiter => {
      open += 1
      return new OneOfMany(engine.marks.last, deadline, demand, (exit) => {
        if (exit === undefined) overtaken.push(asked)
        else results.set(asked.k, exit)
        done()
      })
    }
    for (const asked of keys) {
      const { k, key } = asked
      const now = engine.now()
      const decided = decide(engine, k, demanded, now, true)
      // The larder may have closed meanwhile: `decide` may have started a deferred refresh that closed it.
      if (engine.closed) {
        results.set(k, closed(engine))
        continue
      }
      const { demand, flight, local } = decided
      const answer = immediate(engine, k, decided, (stale, early) =>
        refreshes.push(newFlight(engine, key, k, { ...forMany(stale), background: true, early })),
      )
      if (answer !== undefined) {
        results.set(k, Exit.isExit(answer) ? answer : answer.exit)
        continue
      }
      if (local !== undefined) engine.near.hit(local.slot)
      if (!isRetry) countWaiting(engine, k, flight)
      const joined = flight ?? newFlight(engine, key, k, forMany(local), demand.confirmedAfter)
      if (flight === undefined) begun.push(joined)
      const softAt = arrivedAt + (local?.held.policy ?? engine.settings.policy).softTimeout
      const waiter = waiterFor(asked, demand)
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
