/**
 * Batches leases and commits of many keys: one trip to each part of a tier. A batch is one step,
 * with one deadline, and counts once for the breaker.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import type { CommitRequest } from "../../Tier.ts"
import type { Committed } from "./arbiterWrites.ts"
import type { TierParts } from "./parts.ts"
import { Budget } from "./budget.ts"
import type { TierSteps } from "./guardedCalls.ts"
import type { Turns } from "../runtime/turns.ts"
import { bytesPerCommit, keysPerCommit, keysPerPiece, waitingCommits } from "../runtime/limits.ts"

/** Answers in the order of the requests. Asks each part once for its requests, all parts in parallel. */
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
 * Serializes large requests to each part: a server works on them in turn, and each has its own
 * deadline. Small requests bypass the queue.
 */
export class Queues {
  readonly #queues = new WeakMap<TierSteps, Semaphore.Semaphore>()

  /** Runs a request for `keys` keys in its turn. */
  run<A>(steps: TierSteps, keys: number, request: Effect.Effect<A>): Effect.Effect<A> {
    if (keys <= keysPerPiece) return request
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

/** The callers of the lookups have their answers. */
const settling = { isLater: true } as const

type Fork = (effect: Effect.Effect<void>) => Fiber.Fiber<void>

/** The commits of one part. Commits that arrive while a batch runs form the next batch. */
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
          this.#turns.each(
            all,
            (waiting, i) => {
              if (batch.waiting.delete(waiting)) waiting.resume(Effect.succeed(answers[i]))
            },
            settling,
          ),
        ),
      )
    })
    batch.fiber = this.#fork(Effect.andThen(this.#gathered(this.#next.size), sent))
    batch.fiber.addObserver(() => {
      // Waiters of an interrupted batch.
      for (const { resume } of batch.waiting) resume(Effect.succeed(undefined))
      this.#running = undefined
      if (this.#next.size > 0) this.#begin()
    })
  }

  /**
   * Waits until a turn of the event loop brings no further commit, or a batch is full: commits of one
   * bulk lookup arrive over several turns.
   */
  #gathered(known: number): Effect.Effect<void> {
    return Effect.flatMap(this.#turns.following, () => {
      const { size } = this.#next
      return size > known && size < keysPerCommit ? this.#gathered(size) : Effect.void
    })
  }

  /** Removes a waiter; interrupts a batch without waiters. */
  #leave(waiting: Waiting): void {
    this.#next.delete(waiting)
    const batch = this.#running
    if (batch?.waiting.delete(waiting) === true && batch.waiting.size === 0) {
      batch.fiber?.interruptUnsafe()
    }
  }

  /** Takes the first waiting commits, as many as fit into a batch. */
  #taken(): ReadonlyArray<Waiting> {
    const taken: Array<Waiting> = []
    let bytes = 0
    for (const waiting of this.#next) {
      bytes += waiting.request.envelope.length
      if (taken.length > 0 && (taken.length >= keysPerCommit || bytes > bytesPerCommit)) break
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

  /** Backpressure: waits while `waitingCommits` commits wait, so that a large `getMany` looks up no further slice. */
  readonly room: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.#waiting < waitingCommits) return resume(Effect.void)
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
    if (this.#waiting >= waitingCommits || this.#held.size === 0) return
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
