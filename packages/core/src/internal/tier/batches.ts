/**
 * Leases and commits of many keys in one trip to each part of a tier. A batch is one
 * step: it has one deadline, and the breaker counts it once.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import type { CommitRequest } from "../../Tier.ts"
import type { Committed } from "./arbiterWrites.ts"
import type { TierParts } from "./parts.ts"
import { Budget } from "./budget.ts"
import type { TierSteps } from "./guardedCalls.ts"
import { fewKeys, type Turns } from "../runtime/turns.ts"

/** A batch of commits takes at most so many keys. */
const maxKeys = 250
/** And so many bytes of envelopes: large values must not make a step too slow for its deadline. */
const maxBytes = 1_048_576
/** Callers are answered before their commits: while so many wait, no more keys are looked up for the same call. */
const enough = 1_000

/** Answers to these requests, in their order; each part is asked once for those that it has, beside the others. */
export const byPart = <R, A>(
  parts: TierParts,
  requests: ReadonlyArray<R>,
  keyOf: (request: R) => string,
  budget: Budget,
  ask: (
    part: string,
    theirs: ReadonlyArray<R>,
    budget: Budget,
  ) => Effect.Effect<ReadonlyArray<A | undefined>>,
): Effect.Effect<ReadonlyArray<A | undefined>> => {
  if (parts.isOne) return ask("", requests, budget)
  return Effect.suspend(() => {
    const answers = new Array<A | undefined>(requests.length).fill(undefined)
    const budgets: Array<Budget> = []
    const asked = Array.from(parts.places(requests.map(keyOf)), ([part, places]) => {
      const own = new Budget(budget.whole, budget.left)
      budgets.push(own)
      const theirs = places.map((place) => requests[place]!)
      return Effect.map(ask(part, theirs, own), (all) => {
        for (const [i, place] of places.entries()) answers[place] = all[i]
      })
    })
    return Effect.map(Effect.all(asked, { concurrency: "unbounded", discard: true }), () => {
      budget.left = Math.min(budget.left, ...budgets.map(({ left }) => left))
      return answers
    })
  })
}

/**
 * Large requests go to each part one after the other: its server does them in turn, and each
 * has its own deadline. Small ones go beside them.
 */
export class Queues {
  readonly #queues = new WeakMap<TierSteps, Semaphore.Semaphore>()

  /** Runs a request for so many keys when it is its turn. */
  run<A>(steps: TierSteps, keys: number, request: Effect.Effect<A>): Effect.Effect<A> {
    if (keys <= fewKeys) return request
    return Effect.suspend(() => {
      const queue = this.#queues.get(steps) ?? Semaphore.makeUnsafe(1)
      this.#queues.set(steps, queue)
      return queue.withPermits(1)(request)
    })
  }
}

type Answer = Committed | undefined

interface Waiting {
  readonly request: CommitRequest
  readonly resume: (answer: Effect.Effect<Answer>) => void
}

interface Batch {
  readonly waiting: Set<Waiting>
  fiber: Fiber.Fiber<unknown> | undefined
}

type Send = (
  steps: TierSteps,
  requests: ReadonlyArray<CommitRequest>,
) => Effect.Effect<ReadonlyArray<Answer>>

type Fork = (effect: Effect.Effect<void>) => Fiber.Fiber<void>

/** The commits of one part: those that come while a batch is under way are the next one. */
class PartCommits {
  readonly #send: (requests: ReadonlyArray<CommitRequest>) => Effect.Effect<ReadonlyArray<Answer>>
  readonly #fork: Fork
  readonly #turns: Turns
  readonly #next = new Set<Waiting>()
  #running: Batch | undefined

  constructor(steps: TierSteps, send: Send, fork: Fork, turns: Turns) {
    this.#send = (requests) => send(steps, requests)
    this.#fork = fork
    this.#turns = turns
  }

  commit(request: CommitRequest): Effect.Effect<Answer> {
    return Effect.callback<Answer>((resume) => {
      const waiting: Waiting = { request, resume }
      this.#next.add(waiting)
      if (this.#running === undefined) this.#begin()
      return Effect.sync(() => this.#leave(waiting))
    })
  }

  #begin(): void {
    const batch: Batch = { waiting: new Set(), fiber: undefined }
    this.#running = batch
    const sent = Effect.suspend(() => {
      const all = this.#taken()
      if (all.length === 0) return Effect.void
      for (const waiting of all) batch.waiting.add(waiting)
      const turn = this.#turns.forMany(all)
      const answered = this.#send(all.map(({ request }) => request))
      return Effect.flatMap(answered, (answers) =>
        Effect.andThen(
          turn,
          this.#turns.each(all, (waiting, i) => {
            if (batch.waiting.delete(waiting)) waiting.resume(Effect.succeed(answers[i]))
          }),
        ),
      )
    })
    batch.fiber = this.#fork(Effect.andThen(this.#gathered(this.#next.size), sent))
    batch.fiber.addObserver(() => {
      // Of a batch that was broken off.
      for (const { resume } of batch.waiting) resume(Effect.succeed(undefined))
      this.#running = undefined
      if (this.#next.size > 0) this.#begin()
    })
  }

  /** Waits until a turn has brought no more than the `known` ones, or a batch is full: others of the same bulk lookup come in turns of their own. */
  #gathered(known: number): Effect.Effect<void> {
    return Effect.flatMap(this.#turns.next, () => {
      const { size } = this.#next
      return size > known && size < maxKeys ? this.#gathered(size) : Effect.void
    })
  }

  /** A batch for whose answers nobody waits any more is broken off. */
  #leave(waiting: Waiting): void {
    this.#next.delete(waiting)
    const batch = this.#running
    if (batch?.waiting.delete(waiting) === true && batch.waiting.size === 0) {
      batch.fiber?.interruptUnsafe()
    }
  }

  /** The first of those that wait, as many as a batch takes. */
  #taken(): ReadonlyArray<Waiting> {
    const taken: Array<Waiting> = []
    let bytes = 0
    for (const waiting of this.#next) {
      bytes += waiting.request.envelope.length
      if (taken.length > 0 && (taken.length >= maxKeys || bytes > maxBytes)) break
      taken.push(waiting)
      this.#next.delete(waiting)
    }
    return taken
  }
}

/** The commits of many keys, each of which waits for its own answer. */
export class CommitBatches {
  readonly #parts = new WeakMap<TierSteps, PartCommits>()
  readonly #send: Send
  readonly #fork: Fork
  readonly #turns: Turns
  #waiting = 0
  readonly #held = new Set<() => void>()

  constructor(send: Send, fork: Fork, turns: Turns) {
    this.#send = send
    this.#fork = fork
    this.#turns = turns
  }

  /** Waits while so many commits wait that what brings more of them should. */
  readonly room: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.#waiting < enough) return resume(Effect.void)
    this.#held.add(() => resume(Effect.void))
  })

  commit(steps: TierSteps, request: CommitRequest): Effect.Effect<Answer> {
    return Effect.suspend(() => {
      this.#waiting += 1
      return Effect.ensuring(
        this.#commit(steps, request),
        Effect.sync(() => this.#left()),
      )
    })
  }

  #left(): void {
    this.#waiting -= 1
    if (this.#waiting >= enough || this.#held.size === 0) return
    const held = [...this.#held]
    this.#held.clear()
    for (const go of held) go()
  }

  #commit(steps: TierSteps, request: CommitRequest): Effect.Effect<Answer> {
    return Effect.suspend(() => {
      const known = this.#parts.get(steps)
      const commits = known ?? new PartCommits(steps, this.#send, this.#fork, this.#turns)
      if (known === undefined) this.#parts.set(steps, commits)
      return commits.commit(request)
    })
  }
}
