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

  /**
   * Waits until nothing runs without time passing; false where that does not come to an end. A promise
   * that is resolved already continues in between.
   */
  readonly rest: Effect.Effect<boolean> = Effect.suspend(() => this.#rest(0))

  #rest(turns: number): Effect.Effect<boolean> {
    if (turns >= turnsWithoutRest) return Effect.succeed(false)
    return Effect.flatMap(Effect.yieldNow, () =>
      // In its own turn, this fiber does not wait for one.
      this.waiting === 0 ? Effect.succeed(true) : this.#rest(turns + 1),
    )
  }
}

/** The scheduler of a test, for whoever moves its clock. */
export const Quiet = Context.Reference<QuietScheduler | undefined>("@larder/testing/Quiet", {
  defaultValue: () => undefined,
})
