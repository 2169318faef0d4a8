/**
 * Replays changes that the arbiter missed while it was away. Until they have reached the arbiter,
 * its answers for their keys are not used.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Engine } from "../state/engine.ts"
import type { MissedKey } from "../state/missedChanges.ts"
import { Budget } from "../tier/budget.ts"
import { isBelieved } from "./believed.ts"
import { sendAll } from "./sendMissed.ts"
import { closingRetryMillis, missedRetryMillis } from "../runtime/limits.ts"

/** Records that the arbiter may have an older value of the key, which a replay must drop. */
export const dropLater = (engine: Engine, k: string, change: MissedKey): void => {
  engine.missed.addKey(k, change)
  retryLater(engine)
}

export const markLater = (
  engine: Engine,
  tags: ReadonlyArray<string | undefined>,
  keepStale: boolean,
): void => {
  engine.missed.addMarks(tags, keepStale)
  retryLater(engine)
}

const retryLater = (engine: Engine): void => {
  if (engine.missed.scheduled || engine.closed) return
  engine.missed.scheduled = true
  engine.timers.schedule(engine.now() + missedRetryMillis, () => {
    engine.missed.scheduled = false
    replay(engine)
  })
}

/** Replays missed changes before the arbiter is asked for these keys, within the budget. */
export const recover = (
  engine: Engine,
  budget: Budget,
  keys: ReadonlyArray<string>,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    // Not after closing: a reader must not begin writes then.
    if (engine.closed || keys.every((k) => isBelieved(engine, k))) return Effect.void
    return within(engine, replay(engine), budget)
  })

/**
 * Begins a replay at once. The effect waits for the replay until `tierTimeout` after the call, and
 * says whether the arbiter has all changes. The caller makes its change meanwhile: each change has
 * its place in the order already.
 */
export const catchUp = (engine: Engine): Effect.Effect<boolean> => {
  if (engine.missed.isEmpty) return Effect.succeed(true)
  const began = engine.stopwatch()
  const budget = new Budget(engine.settings.policy.tierTimeout)
  const fiber = replay(engine)
  return Effect.suspend(() => {
    budget.left -= engine.stopwatch() - began
    return Effect.map(within(engine, fiber, budget), () => engine.missed.isEmpty)
  })
}

/** Waits for a fiber within the budget. The fiber continues. */
const within = (engine: Engine, fiber: Fiber.Fiber<unknown>, budget: Budget): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (fiber.pollUnsafe() !== undefined || budget.left <= 0) return Effect.void
    const began = engine.stopwatch()
    const waiting = Effect.callback<void>((resume) => {
      const timer = engine.timers.after(began, budget.left, () => resume(Effect.void))
      const forget = fiber.addObserver(() => resume(Effect.void))
      return Effect.sync(() => {
        engine.timers.cancel(timer)
        forget()
      })
    })
    const spend = Effect.sync(() => {
      budget.left -= Math.min(budget.left, engine.stopwatch() - began)
    })
    return Effect.ensuring(waiting, spend)
  })

/**
 * Begins a replay, or returns the running one. It has a fiber of its own: it continues when the
 * reader is interrupted, and a larder that closes waits for it.
 */
export const replay = (engine: Engine): Fiber.Fiber<void> => {
  const { missed } = engine
  if (missed.replay !== undefined) return missed.replay
  const fiber = engine.fibers.forkAwaited(replayOnce(engine))
  if (fiber.pollUnsafe() !== undefined) return fiber
  missed.replay = fiber
  fiber.addObserver(() => {
    missed.replay = undefined
  })
  return fiber
}

/** Retries until the tiers have all missed changes, for a larder that closes. */
export const tellMissed = (engine: Engine): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (true) {
      yield* Fiber.await(replay(engine))
      const dropped = yield* Effect.forEach(engine.stack.farther, (tier) => tier.copies.dropMissed)
      if (engine.missed.isEmpty && !dropped.includes(false)) return
      yield* Effect.sleep(closingRetryMillis)
    }
  })

const replayOnce = (engine: Engine): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { arbiter } = engine.stack
    const { missed } = engine
    if (arbiter === undefined || missed.isEmpty) return Effect.void
    // A place in the arbiter's order is a time of its clock, so the clock must be known.
    return Effect.andThen(arbiter.marks.ready, sendAll(engine, arbiter)).pipe(
      Effect.map((isWell) => {
        missed.failures = isWell ? 0 : missed.failures + 1
        if (!missed.isEmpty) return retryLater(engine)
        const { sent } = missed
        missed.sent = 0
        engine.observer.tell({ _tag: "Recovered", tier: arbiter.name, changes: sent })
      }),
    )
  })
