/**
 * One running step in a tier, with a deadline. It has a fiber of its own, since it may disobey its
 * interruption.
 */
import * as Effect from "effect/Effect"
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

export class TierAttempt<A, B> extends BoundedRun<B, TierError> {
  readonly #surroundings: Surroundings
  readonly #asked: Asked
  readonly #began: number
  /** Processes the tier's answer, outside the timeout. */
  readonly #after: (answer: A) => Effect.Effect<B>
  #answer: (exit: Exit.Exit<B, TierError>) => void
  #isAnswered = false
  /** Undefined if the step has ended when `begin` returns. */
  fiber: Fiber.Fiber<B, TierError> | undefined

  constructor(
    surroundings: Surroundings,
    asked: Asked,
    after: (answer: A) => Effect.Effect<B>,
    answer: (exit: Exit.Exit<B, TierError>) => void,
  ) {
    super(surroundings.timers)
    this.#surroundings = surroundings
    this.#asked = asked
    this.#after = after
    this.#answer = answer
    this.#began = monotonicMillis(surroundings.clock)
  }

  /** Runs the step; may call `answer` before it returns. */
  begin(effect: Effect.Effect<A, TierError>): this {
    const fiber = this.#surroundings.fork(
      Effect.flatMap(effect, (found) => {
        this.#answered()
        return this.#after(found)
      }),
    )
    if (fiber.pollUnsafe() === undefined) this.fiber = fiber
    this.watch(fiber, this.#began, this.#isAnswered ? Infinity : this.#asked.millis)
    return this
  }

  /** Interrupts the step and reports its end to `left` only: an abandoned step says nothing about the tier. */
  abandon(left: () => void): void {
    this.#answer = left
    this.fiber?.interruptUnsafe()
  }

  protected ended(exit: Exit.Exit<B, TierError>): void {
    this.#answered()
    this.#answer(exit)
  }

  protected late(fiber: Fiber.Fiber<B, TierError>): void {
    const { millis, operation } = this.#asked
    this.#answered()
    fiber.interruptUnsafe()
    this.#answer(Exit.fail(this.#surroundings.timedOut(operation, millis)))
  }

  /** Ends the deadline, which bounds the tier alone, not the processing of its answer. */
  #answered(): void {
    if (this.#isAnswered) return
    this.#isAnswered = true
    this.unbound()
    const { budget, millis } = this.#asked
    if (budget === undefined) return
    budget.left -= Math.min(monotonicMillis(this.#surroundings.clock) - this.#began, millis)
  }
}
