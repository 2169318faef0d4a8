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
    this.fiber?.interruptUnsafe()
  }

  protected ended(exit: Exit.Exit<A, TierError>): void {
    this.#charge()
    this.#answer(exit)
  }

  protected late(fiber: Fiber.Fiber<A, TierError>): void {
    const { millis, operation } = this.#asked
    this.#charge()
    fiber.interruptUnsafe()
    this.#answer(Exit.fail(this.#surroundings.timedOut(operation, millis)))
  }

  /** Deducts the duration of the step from the budget. */
  #charge(): void {
    const { budget, millis } = this.#asked
    if (budget === undefined) return
    budget.left -= Math.min(monotonicMillis(this.#surroundings.clock) - this.#began, millis)
  }
}
