/**
 * A running effect with a deadline, for lookups, steps in tiers and `Deadline.hard`. Neither waits
 * for an effect that disobeys its interruption.
 */
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Timer, Timers } from "./deadlines.ts"

/** Reports the end of a fiber or its deadline, whichever comes first. */
export abstract class BoundedRun<A, E> {
  readonly #timers: Timers
  #deadline: Timer | undefined
  #isOver = false

  constructor(timers: Timers) {
    this.#timers = timers
  }

  /** The fiber has ended before its deadline. */
  protected abstract ended(exit: Exit.Exit<A, E>): void

  /** The deadline has passed first. What the fiber does from now on is not reported. */
  protected abstract late(fiber: Fiber.Fiber<A, E>): void

  /** Begins to watch a fiber, whose `millis` count from `began`, in monotonic time. May report at once. */
  protected watch(fiber: Fiber.Fiber<A, E>, began: number, millis: number): void {
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return this.#ended(exit)
    if (millis < Infinity) {
      this.#deadline = this.#timers.deadline(began, millis, () => {
        this.#isOver = true
        this.late(fiber)
      })
    }
    fiber.addObserver((exit) => this.#ended(exit))
  }

  #ended(exit: Exit.Exit<A, E>): void {
    if (this.#isOver) return
    this.leave()
    this.ended(exit)
  }

  /** Whether the end or the deadline has been reported. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Ends the reports; returns whether one was still due. */
  leave(): boolean {
    const wasDue = !this.#isOver
    this.#isOver = true
    this.#timers.cancel(this.#deadline)
    return wasDue
  }
}
