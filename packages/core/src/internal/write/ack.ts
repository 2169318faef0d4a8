/** What callers are told of their changes. */
import * as Effect from "effect/Effect"
import type { Engine } from "../state/engine.ts"

/** What a change has come to. */
export interface Ack {
  /** Its place in the order of changes of the key; of marks, the mark's number. */
  readonly version: number
  /** The arbiter applied it, and all changes that this node made before; nearer tiers hold it. */
  readonly settled: boolean
  /** The tiers that have not heard yet of it, or of a change before it. */
  readonly pending: ReadonlyArray<string>
  /** Nothing has changed: a value of a higher `revision` is known, whose version `version` is. */
  readonly refused?: true | undefined
}

export const refusal = (version: number): Ack => ({
  version,
  settled: false,
  pending: [],
  refused: true,
})

/** Whether the arbiter, which has just answered, knows of all that this node has changed before. */
export const isAllHeard = (
  engine: Engine,
  caughtUp: Effect.Effect<boolean>,
  queuedBefore: number,
): Effect.Effect<boolean> =>
  Effect.flatMap(caughtUp, (isCaughtUp) =>
    isCaughtUp ? writtenUpTo(engine, queuedBefore) : Effect.succeed(false),
  )

/** Waits for what was queued, for as long as one step in a tier may take. */
const writtenUpTo = (engine: Engine, place: number): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const { settings, timers, writes } = engine
    const end = (isWritten: boolean) => {
      timers.cancel(timer)
      forget()
      resume(Effect.succeed(isWritten))
    }
    const look = () => {
      const state = writes.stateUpTo(place)
      if (state !== "pending") end(state === "written")
    }
    const { tierTimeout } = settings.policy
    const timer = timers.after(engine.stopwatch(), tierTimeout, () => end(false))
    const forget = writes.watch(look)
    look()
  })
