/** Judges many seeds, with one thread for each core. */
import * as os from "node:os"
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import type { Size } from "../plan/generate.ts"
import type { Judged } from "./judge.ts"
import type { Order } from "./worker.ts"

/** Seeds that a thread gets at once. */
const seedsAtOnce = 8

export interface Campaign {
  readonly from: number
  readonly seeds: number
  readonly size: Size
  readonly onProgress: (done: number) => void
  /** Ends early when this says so. */
  readonly isEnough?: (judged: Judged) => boolean
}

const worker = Effect.acquireRelease(
  Effect.sync(() => new Worker(new URL("worker.ts", import.meta.url))),
  (thread) => Effect.promise(() => thread.terminate()),
)

const ordered = (thread: Worker, order: Order): Effect.Effect<ReadonlyArray<Judged>, Error> =>
  Effect.callback((resume) => {
    const fail = (error: Error) => resume(Effect.fail(error))
    thread.once("error", fail)
    thread.once("message", (judged: ReadonlyArray<Judged>) => {
      thread.off("error", fail)
      resume(Effect.succeed(judged))
    })
    thread.postMessage(order)
  })

/** In the order of seeds. */
export const campaign = ({
  from,
  isEnough,
  onProgress,
  seeds,
  size,
}: Campaign): Effect.Effect<ReadonlyArray<Judged>, Error> =>
  Effect.gen(function* () {
    const threads = Math.min(os.availableParallelism(), Math.ceil(seeds / seedsAtOnce))
    const all: Array<Judged> = []
    let next = from
    let isOver = false
    const work = Effect.gen(function* () {
      const thread = yield* worker
      while (next < from + seeds && !isOver) {
        const first = next
        next = Math.min(from + seeds, first + seedsAtOnce)
        const order = { seeds: Array.from({ length: next - first }, (_, i) => first + i), size }
        const judged = yield* ordered(thread, order)
        all.push(...judged)
        isOver ||= isEnough !== undefined && judged.some(isEnough)
        onProgress(all.length)
      }
    })
    yield* Effect.all(
      Array.from({ length: threads }, () => Effect.scoped(work)),
      { concurrency: "unbounded", discard: true },
    )
    return all.toSorted((one, other) => one.seed - other.seed)
  })
