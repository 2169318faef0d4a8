/**
 * One running step in a tier, with a deadline. It has a fiber of its own, since it may disobey its
 * interruption.
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { TierError } from "../../Tier.ts"
import type { Budget } from "./budget.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import { BoundedRun } from "../runtime/boundedRun.ts"
import type { Timers } from "../runtime/deadlines.ts"

/** Shared by all steps in a tier. */
export interface Surroundings {
  readonly clock: SteadyClock
  readonly timers: Timers
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly timedOut: (operation: string, millis: number) => TierError
  /** Called with the duration of each step that ended, or timed out, ms. */
  readonly took: (operation: string, millis: number) => void
}

export interface Asked {
  readonly operation: string
  /** The timeout of the step, ms. */
  readonly millis: number
  /** The budget that the step's duration is deducted from. */
  readonly budget: Budget | undefined
}

export class TierAttempt<A> extends BoundedRun<A, TierError> {
  readonly #surroundings: Surroundings
  readonly #asked: Asked
  readonly #began: number
  #answer: (exit: Exit.Exit<A, TierError>) => void
  #isAbandoned = false
  /** Undefined if the step has ended when `begin` returns. */
  fiber: Fiber.Fiber<A, TierError> | undefined

  constructor(
    surroundings: Surroundings,
    asked: Asked,
    answer: (exit: Exit.Exit<A, TierError>) => void,
  ) {
    super(surroundings.timers)
    this.#surroundings = surroundings
    this.#asked = asked
    this.#answer = answer
    this.#began = monotonicMillis(surroundings.clock)
  }

  /** Runs the step; may call `answer` before it returns. */
  begin(effect: Effect.Effect<A, TierError>): this {
    const fiber = this.#surroundings.fork(effect)
    if (fiber.pollUnsafe() === undefined) this.fiber = fiber
    this.watch(fiber, this.#began, this.#asked.millis)
    return this
  }

  /** Interrupts the step and reports its end to `left` only: an abandoned step says nothing about the tier. */
  abandon(left: () => void): void {
    this.#answer = left
    this.#isAbandoned = true
    this.fiber?.interruptUnsafe()
  }

  protected ended(exit: Exit.Exit<A, TierError>): void {
    if (!this.#isAbandoned) this.#charge()
    this.#answer(exit)
  }

  protected late(fiber: Fiber.Fiber<A, TierError>): void {
    const { millis, operation } = this.#asked
    if (!this.#isAbandoned) this.#charge()
    fiber.interruptUnsafe()
    this.#answer(Exit.fail(this.#surroundings.timedOut(operation, millis)))
  }

  /** Measures the step, and deducts its duration from the budget. */
  #charge(): void {
    const { budget, millis, operation } = this.#asked
    const took = Math.min(monotonicMillis(this.#surroundings.clock) - this.#began, millis)
    this.#surroundings.took(operation, took)
    if (budget !== undefined) budget.left -= took
  }
}
