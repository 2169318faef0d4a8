/**
 * `getMany`: one trip to each tier and one bulk lookup for many keys, and a separate result for
 * each key. More than `keysPerSlice` misses are loaded in slices, several in parallel.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { anything, countedClosed, countedRefusal, deadlineOf, withChecks } from "./question.ts"
import { immediate, newFlight } from "./act.ts"
import { countWaiting } from "./missed.ts"
import { decide } from "./decide.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import { type Candidate, type Demand, type Flight, Waiter } from "../state/flight.ts"
import { hit, isHit } from "./fastPath.ts"
import * as answers from "../observe/answers.ts"
import { show } from "../state/key.ts"
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

interface Asked {
  readonly key: unknown
  readonly k: string
  isAnswered: boolean
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
  if (rest === undefined && call.asked === undefined) return Exit.succeed(call.exits)
  return loadRest(engine, call, span, rest)
}

/** Looks for the other keys, and loads all that are no plain hits. */
const loadRest = (
  engine: Engine,
  call: ManyCall,
  span: CallerSpan,
  rest: ReadonlyArray<unknown> = noKeys,
): Effect.Effect<Exits> => {
  call.rest = rest
  call.beganAt = engine.stopwatch()
  const gathered = Effect.suspend(() => gatherAll(engine, call, span))
  const all = rest.length === 0 ? gathered : Effect.andThen(lookOn(engine, call, 0), gathered)
  return Effect.onInterrupt(all, () => Effect.sync(() => call.left()))
}

const noKeys: ReadonlyArray<unknown> = []

/** One call: the exits so far, and the keys that are no plain hits. */
class ManyCall {
  readonly exits: Exits = new Map()
  /**
   * Undefined for none. No empty list: V8 moves a literal that it has seen live long to another heap, and
   * discards the optimized code of a call of plain hits with it.
   */
  asked: Array<Asked> | undefined = undefined
  /** The keys that the first turn has not looked for, and how many of them later ones have. */
  rest: ReadonlyArray<unknown> = noKeys
  looked = 0
  /** In monotonic time. */
  beganAt = 0
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  look(key: unknown, now: number): void {
    const engine = this.#engine
    const k = engine.settings.keyOf(key)
    const slot = k === undefined ? 0 : engine.near.find(k)
    if (k === undefined || !isHit(engine, slot, now)) return this.#ask(key, k)
    const { size } = this.exits
    this.exits.set(key, engine.near.exit(slot))
    // A key that the caller passes twice is one call.
    if (this.exits.size > size) hit(engine, k, slot, now)
  }

  #ask(key: unknown, k: string | undefined): void {
    if (this.exits.has(key)) return
    const refused = countedRefusal(this.#engine, key, k)
    // A key that waits takes its place in the map now, so that results keep the order of the keys.
    this.exits.set(key, refused ?? Exit.void)
    if (refused === undefined && k !== undefined)
      (this.asked ??= []).push({ key, k, isAnswered: false })
  }

  answer(asked: Asked, exit: Exit.Exit<unknown, unknown>): void {
    asked.isAnswered = true
    this.exits.set(asked.key, exit)
  }

  /** Counts the keys without an answer: the caller was interrupted. */
  left(): void {
    const { observer, settings } = this.#engine
    const waited = this.#engine.stopwatch() - this.beganAt
    for (const { isAnswered, k } of this.asked ?? [])
      if (!isAnswered) answers.left(observer, k, waited)
    for (const key of new Set(this.rest.slice(this.looked))) {
      if (!this.exits.has(key)) answers.left(observer, settings.keyOf(key) ?? show(key), waited)
    }
  }
}

/** Looks for the keys of `rest` from an index on, and yields to other work before each `keysSoughtPerTurn`. */
const lookOn = (engine: Engine, call: ManyCall, from: number): Effect.Effect<void> =>
  from >= call.rest.length
    ? Effect.void
    : Effect.flatMap(engine.turns.next, () => {
        const now = engine.now()
        const to = Math.min(from + keysSoughtPerTurn, call.rest.length)
        for (let i = from; i < to; i++) call.look(call.rest[i], now)
        call.looked = to
        return lookOn(engine, call, to)
      })

const gatherAll = (engine: Engine, call: ManyCall, span: CallerSpan): Effect.Effect<Exits> => {
  const { asked, exits } = call
  const gathered = (keys: ReadonlyArray<Asked>) =>
    Effect.suspend(() => {
      const demand = withChecks(engine, { ...anything, calledAt: engine.moment() })
      const patient = { arrivedAt: engine.stopwatch(), isRetry: false, demand }
      return gather(engine, call, keys, span, patient)
    })
  if (asked === undefined) return Exit.succeed(exits)
  if (asked.length <= keysPerSlice) return Effect.as(gathered(asked), exits)
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
  return Effect.as(slices, exits)
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
  readonly arrivedAt: number
  /** Gets the exit of the key; undefined where a mark overtook its lookup. */
  readonly end: (exit: Exit.Exit<unknown, unknown> | undefined) => void

  constructor(
    arrivedMark: number,
    deadline: number | undefined,
    arrivedAt: number,
    demand: Demand,
    end: (exit: Exit.Exit<unknown, unknown> | undefined) => void,
  ) {
    super(arrivedMark, deadline)
    this.arrivedAt = arrivedAt
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
  /** When the call began to gather these keys, in monotonic time. */
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
  call: ManyCall,
  keys: ReadonlyArray<Asked>,
  span: CallerSpan,
  { arrivedAt, demand: demanded, isRetry }: Patient,
): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const deadline = isRetry ? deadlineOf(engine, arrivedAt) : undefined
    const overtaken: Array<Asked> = []
    const begun: Array<Flight> = []
    const refreshes: Array<Flight> = []
    const left: Array<Effect.Effect<void>> = []
    const joins: Array<waiting.Joined> = []
    let stopWaiting = () => {}
    // Starts at 1 until all waiters are registered: a flight may end while it begins.
    let open = 1
    const done = () => {
      open -= 1
      if (open > 0) return
      stopWaiting()
      if (overtaken.length === 0) return resume(Effect.void)
      const again = { arrivedAt, demand: demanded, isRetry: true }
      resume(gather(engine, call, overtaken, span, again))
    }
    const waiterFor = (asked: Asked, demand: Demand): Waiter => {
      open += 1
      return new OneOfMany(engine.marks.last, deadline, call.beganAt, demand, (exit) => {
        if (exit === undefined) overtaken.push(asked)
        else call.answer(asked, exit)
        done()
      })
    }
    for (const asked of keys) {
      const { k, key } = asked
      const now = engine.now()
      const decided = decide(engine, k, demanded, now, true)
      // The larder may have closed meanwhile: `decide` may have started a deferred refresh that closed it.
      if (engine.closed) {
        call.answer(asked, countedClosed(engine, k, engine.stopwatch() - call.beganAt))
        continue
      }
      const { demand, flight, local } = decided
      const answer = immediate(engine, k, decided, now, (stale, early) =>
        refreshes.push(newFlight(engine, key, k, { ...forMany(stale), background: true, early })),
      )
      if (answer !== undefined) {
        call.answer(asked, Exit.isExit(answer) ? answer : answer.exit)
        continue
      }
      if (local !== undefined) engine.near.hit(local.slot)
      if (!isRetry) countWaiting(engine, k, decided)
      const joined = flight ?? newFlight(engine, key, k, forMany(local), demand.confirmedAfter)
      if (flight === undefined) begun.push(joined)
      const softAt = arrivedAt + (local?.held.policy ?? engine.settings.policy).softTimeout
      const waiter = waiterFor(asked, demand)
      joins.push({ flight: joined, waiter })
      left.push(waiting.join(engine, joined, waiter, softAt))
      if (flight !== undefined) readBeside(engine, joined, waiter)
    }
    if (Arr.isArrayNonEmpty(begun)) begin(engine, begun, span)
    if (Arr.isArrayNonEmpty(refreshes)) beginSoon(engine, refreshes, span)
    done()
    if (open > 0 && mayQueue(engine, isRetry)) {
      stopWaiting = waiting.giveUpAt(engine, joins, deadlineOf(engine, arrivedAt))
    }
    const leaving = Effect.sync(() => stopWaiting())
    return Effect.andThen(leaving, Effect.all(left, { discard: true }))
  })

/**
 * Whether steps of the call may wait for turns of the event loop, which the deadlines of the steps do not
 * cover. On a retry, each key has a deadline of its own.
 */
const mayQueue = ({ stack }: Engine, isRetry: boolean): boolean =>
  stack.farther.length > 0 && !isRetry

const forMany = (stale: Flight["stale"]) => ({
  stale,
  early: false,
  background: false,
  force: false,
  many: true,
  notBefore: -Infinity,
})
