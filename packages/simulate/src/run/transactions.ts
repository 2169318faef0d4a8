/** Plays the calls of one transaction: the source has what they write at its commit, all of it or nothing. */
import { AfterCommit } from "@larder/core"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import type { Change, Transaction } from "../history/History.ts"
import type { Recorder } from "../history/Recorder.ts"
import type { TransactionStep, TransactionWrite } from "../plan/Plan.ts"
import { type Caller, startRead } from "./calls.ts"
import type { Source } from "./source.ts"
import { begun, ended, expiresBefore, played, told } from "./writes.ts"

/** What waits for the commit of one transaction. */
class Open {
  readonly transaction: Transaction = { committed: undefined }
  readonly calls: Array<Change> = []
  /** What the source has from the commit on. */
  readonly writes: Array<() => void> = []
  /** What the larder does after it. */
  readonly after: Array<Effect.Effect<void>> = []

  /** An effect whose caller is in the transaction. */
  readonly within = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.provideService(effect, AfterCommit.AfterCommit, (change) =>
      Effect.sync(() => {
        this.after.push(change)
      }),
    )
}

const written = (
  recorder: Recorder,
  source: Source,
  node: Caller,
  open: Open,
  step: TransactionWrite,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { calls, transaction, within, writes } = open
    const call = begun(recorder, node, step._tag, step.key, { transaction })
    calls.push(call)
    // Until its effect has run, it has done nothing.
    call.isIdle = true
    const wrote = (key: string) => {
      writes.push(() => source.wrote(key, recorder.wrote(call)))
    }
    const effect = played(node.larder!, step, { recorder, source, call, wrote })
    return Effect.map(Effect.exit(within(effect)), (exit) => {
      ended(call, expiresBefore(step), exit)
      // Whether its value is stored, nobody is told.
      call.isDone = false
    })
  })

/** The larder follows one change after the other. */
const committed = (recorder: Recorder, node: Caller, open: Open): Effect.Effect<void> =>
  Effect.scoped(
    Effect.flatMap(node.larder!.subscribeTo({ hits: "none" }), (subscription) =>
      Effect.gen(function* () {
        for (const write of open.writes) write()
        open.transaction.committed = recorder.moment()
        for (const change of open.after) yield* change
        const events = yield* PubSub.takeUpTo(subscription, Infinity)
        for (const call of open.calls) told(call, events)
      }),
    ),
  )

const rolledBack = ({ calls }: Open): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const call of calls) call.isIdle = true
  })

export const startTransaction = (
  recorder: Recorder,
  source: Source,
  node: Caller,
  { ending, reads, rest, writes }: TransactionStep,
): void => {
  const open = new Open()
  const inside: Caller = { ...node, run: (effect) => node.run(open.within(effect)) }
  const all = Effect.gen(function* () {
    for (const step of writes) {
      yield* written(recorder, source, node, open, step)
      const { key } = step
      if (reads) startRead(recorder, inside, { _tag: "getWithMeta", node: 0, key }, false)
    }
    yield* Effect.sleep(rest)
    yield* ending === "commits" ? committed(recorder, node, open) : rolledBack(open)
  })
  node.run(all).addObserver(() => {
    for (const call of open.calls) call.end = recorder.moment()
  })
}
