/** A scheduler that knows how many tasks wait for a turn, so that a test can wait until none does. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scheduler from "effect/Scheduler"
import { turnsWithoutRest } from "../limits.ts"

export class QuietScheduler implements Scheduler.Scheduler {
  readonly executionMode: "sync" | "async"
  readonly #inner: Scheduler.Scheduler
  /** Tasks that wait for a turn. */
  waiting = 0
  /** Those of them that only wait for the rest of the others. */
  #resting = 0

  constructor(inner: Scheduler.Scheduler) {
    this.#inner = inner
    this.executionMode = inner.executionMode
  }

  readonly shouldYield: Scheduler.Scheduler["shouldYield"] = (fiber) =>
    this.#inner.shouldYield(fiber)

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    const dispatcher = this.#inner.makeDispatcher()
    return {
      scheduleTask: (task, priority) => {
        this.waiting += 1
        dispatcher.scheduleTask(() => {
          this.waiting -= 1
          task()
        }, priority)
      },
      flush: () => dispatcher.flush(),
    }
  }

  readonly #turn: Effect.Effect<void> = Effect.acquireUseRelease(
    Effect.sync(() => void (this.#resting += 1)),
    () => Effect.yieldNow,
    () => Effect.sync(() => void (this.#resting -= 1)),
  )

  /**
   * Waits until nothing runs without time passing; false where that does not come to an end. A promise
   * that is resolved already continues in between.
   */
  readonly rest: Effect.Effect<boolean> = this.#until(() => this.waiting === this.#resting)

  /** The same, and until no other fiber waits for that. */
  readonly restOfAll: Effect.Effect<boolean> = this.#until(() => this.waiting === 0)

  /** In its own turn, the fiber that asks does not wait for one. */
  #until(isQuiet: () => boolean): Effect.Effect<boolean> {
    const after = (turns: number): Effect.Effect<boolean> =>
      turns >= turnsWithoutRest
        ? Effect.succeed(false)
        : Effect.flatMap(this.#turn, () => (isQuiet() ? Effect.succeed(true) : after(turns + 1)))
    return Effect.suspend(() => after(0))
  }
}

/** The scheduler of a test, for whoever moves its clock. */
export const Quiet = Context.Reference<QuietScheduler | undefined>("@larder/testing/Quiet", {
  defaultValue: () => undefined,
})
