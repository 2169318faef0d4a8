/** The acknowledgement of a change. */
import * as Effect from "effect/Effect"
import type { Engine } from "../state/engine.ts"

/**
 * The acknowledgement of a change: its version, and the tiers that have it.
 *
 * **Gotchas**
 *
 * It does not wait for a backplane: `settled` speaks of the tiers, not of the memory of other nodes. The
 * message of the change is sent afterwards, and again until the backplane takes it; a larder that
 * closes waits for that within `closeTimeout`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ack {
  /** The place of the change in the order of changes of the key; for a mark, its number. */
  readonly version: number
  /** The arbiter applied the change and all earlier changes of this node, and nearer tiers have it. */
  readonly settled: boolean
  /** The tiers that do not have the change, or an earlier one, yet. */
  readonly pending: ReadonlyArray<string>
  /** Nothing changed: a value of a higher `revision` is known. `version` is the version of that value. */
  readonly refused?: true | undefined
}

export const refusal = (version: number): Ack => ({
  version,
  settled: false,
  pending: [],
  refused: true,
})

/** Whether the arbiter, which has just answered, has all earlier changes of this node. */
export const isAllHeard = (
  engine: Engine,
  caughtUp: Effect.Effect<boolean>,
  queuedBefore: number,
): Effect.Effect<boolean> =>
  Effect.flatMap(caughtUp, (isCaughtUp) =>
    isCaughtUp ? writtenUpTo(engine, queuedBefore) : Effect.succeed(false),
  )

/** Waits for the values queued up to `place`, at most `tierTimeout`; says whether all are written. */
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
