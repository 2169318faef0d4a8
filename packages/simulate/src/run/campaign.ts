/** Judges many seeds, some at once, each in a thread. */
import * as os from "node:os"
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Violation } from "../check/Violation.ts"
import type { Size } from "../plan/generate.ts"
import { type Judged, nothing } from "./judge.ts"
import type { Order } from "./worker.ts"

export interface Campaign {
  readonly from: number
  readonly seeds: number
  readonly size: Size
  /** Default: one for each core. */
  readonly threads?: number | undefined
  readonly onProgress: (done: number) => void
  /** Ends early when this says so. */
  readonly isEnough?: (judged: Judged) => boolean
}

/** Real time, ms, after which a history counts as endless: a few hundred times what it takes. */
const endlessMillis = ({ steps }: Size): number => 30_000 + 10 * steps

const endlessText = "the history did not end"
const deadText = "the thread ended"

/** A thread that can be replaced. */
class Thread {
  #worker: Worker | undefined

  /** Judges one seed. A thread that dies, or does not answer, has met a larder that never rests. */
  judged(order: Order): Effect.Effect<Judged> {
    const limit = endlessMillis(order.size)
    return Effect.suspend(() => {
      this.#worker ??= new Worker(new URL("worker.ts", import.meta.url))
      return answer(this.#worker, order)
    }).pipe(
      Effect.timeoutOption(limit),
      Effect.map(Option.getOrElse(() => `${endlessText} within ${limit} ms of real time`)),
      Effect.flatMap((answered) =>
        typeof answered === "string"
          ? Effect.as(this.end, endless(order.seed, answered))
          : Effect.succeed(answered),
      ),
    )
  }

  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    const worker = this.#worker
    this.#worker = undefined
    return worker === undefined ? Effect.void : Effect.promise(() => worker.terminate())
  })
}

const answer = (worker: Worker, order: Order): Effect.Effect<Judged | string> =>
  Effect.callback((resume) => {
    const end = (answered: Judged | string) => {
      worker.off("error", fail)
      worker.off("message", end)
      resume(Effect.succeed(answered))
    }
    const fail = (error: Error) => end(`${deadText}: ${error.message}`)
    worker.once("error", fail)
    worker.once("message", end)
    worker.postMessage(order)
  })

const outside = { at: 0, node: undefined, key: undefined } as const

/** Whether a violation was seen from outside of the thread, whose history has no end. */
export const isEndless = ({ law, text }: Violation): boolean =>
  law === "inTime" && (text.startsWith(endlessText) || text.startsWith(deadText))

const endless = (seed: number, text: string): Judged => ({
  seed,
  violations: [{ law: "inTime", ...outside, text }],
  figures: nothing,
})

/** In the order of seeds. */
export const campaign = ({
  from,
  isEnough,
  onProgress,
  seeds,
  size,
  threads = os.availableParallelism(),
}: Campaign): Effect.Effect<ReadonlyArray<Judged>> =>
  Effect.gen(function* () {
    const all: Array<Judged> = []
    let next = from
    let isOver = false
    const work = Effect.gen(function* () {
      const thread = yield* Effect.acquireRelease(
        Effect.sync(() => new Thread()),
        ({ end }) => end,
      )
      while (next < from + seeds && !isOver) {
        const seed = next
        next += 1
        const judged = yield* thread.judged({ seed, size })
        all.push(judged)
        isOver ||= isEnough?.(judged) === true
        onProgress(all.length)
      }
    })
    yield* Effect.all(
      Array.from({ length: Math.min(threads, seeds) }, () => Effect.scoped(work)),
      { concurrency: "unbounded", discard: true },
    )
    return all.toSorted((one, other) => one.seed - other.seed)
  })
