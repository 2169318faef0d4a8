/**
 * Steps in one tier: each bounded in time and behind the tier's breaker. A step
 * that fails, or does not end, gives `undefined` and is told.
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import type { LarderEvent } from "../LarderEvent.ts"
import { TierError } from "../Tier.ts"
import { atOnce } from "./atOnce.ts"
import { monotonicMillis } from "./monotonic.ts"
import type { Observer } from "./observer.ts"
import type { SteadyClock } from "./steadyClock.ts"
import type { Timers } from "./timers.ts"

/** All steps in tiers of one `get` share one. */
export class Budget {
  readonly whole: number
  left: number
  constructor(whole: number, left: number = whole) {
    this.whole = whole
    this.left = left
  }
}

const nothing: Exit.Exit<undefined> = Exit.succeed(undefined)

class TierTimeout extends Data.TaggedError("TierTimeout")<{ readonly millis: number }> {
  override get message(): string {
    return `no answer within ${this.millis} ms`
  }
}

type Failure = Pick<Extract<LarderEvent, { readonly _tag: "TierFailed" }>, "reason" | "message">

export interface Options {
  /** What steps run in: the values' schema may need it. */
  readonly context: Context.Context<never>
  readonly clock: SteadyClock
  readonly observer: Observer
  readonly tierTimeout: number
}

export class TierSteps {
  readonly #tier: string
  readonly #breaker: CircuitBreaker.CircuitBreaker
  readonly #timers: Timers
  readonly #observer: Observer
  readonly #clock: SteadyClock
  readonly #tierTimeout: number
  readonly #fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /**
   * Set by a failure, and until the breaker has seen a success after it. While it
   * is not set the breaker is closed and has counted nothing, so that it need not
   * be asked, which takes longer than a step in a near tier.
   */
  #isSuspect = false
  /**
   * Failures counted so far. Steps that were under way when one was counted, and
   * then take too long as well, are an echo of it: a burst against a tier that is
   * well would else open its breaker.
   */
  #failures = 0

  constructor(
    tier: string,
    breaker: CircuitBreaker.CircuitBreaker,
    timers: Timers,
    { clock, context, observer, tierTimeout }: Options,
  ) {
    this.#tier = tier
    this.#breaker = breaker
    this.#timers = timers
    this.#observer = observer
    this.#clock = clock
    this.#tierTimeout = tierTimeout
    this.#fork = Effect.runForkWith(context)
  }

  run<A>(
    operation: string,
    effect: Effect.Effect<A, TierError>,
    budget?: Budget,
  ): Effect.Effect<A | undefined> {
    return Effect.suspend(() => {
      const millis = this.#millis(budget)
      if (millis === undefined) return nothing
      const bounded = this.#bounded(operation, effect, millis, budget)
      const before = this.#failures
      return this.#isSuspect
        ? this.#guarded(operation, bounded, before)
        : Effect.flatMap(Effect.exit(bounded), (exit) => this.#outcome(operation, exit, before))
    })
  }

  /** As `run`, without a fiber that waits for the answer: it is told, perhaps before this returns. */
  start<A>(
    operation: string,
    effect: Effect.Effect<A, TierError>,
    budget: Budget,
    answer: (value: A | undefined) => void,
  ): Step {
    const told = (step: Effect.Effect<A | undefined>): Step => {
      const fiber = this.#fork(step)
      fiber.addObserver((exit) => answer(Exit.isSuccess(exit) ? exit.value : undefined))
      return { fiber, cancel: () => fiber.interruptUnsafe() }
    }
    if (this.#isSuspect) return told(this.run(operation, effect, budget))
    const millis = this.#millis(budget)
    if (millis === undefined) {
      answer(undefined)
      return undefined
    }
    const before = this.#failures
    const begun = this.#begin(operation, effect, millis, budget, (exit) => {
      const outcome = this.#outcome(operation, exit, before)
      const done = atOnce(outcome)
      if (done !== undefined && Exit.isSuccess(done)) answer(done.value)
      else told(outcome)
    })
    const { running } = begun
    if (running === undefined) return undefined
    const cancel = () => {
      // That it was given up says nothing about the tier.
      begun.answer = () => answer(undefined)
      running.interruptUnsafe()
    }
    return { fiber: running, cancel }
  }

  /** How long a step may take; `undefined` where it is not worth trying. */
  #millis(budget: Budget | undefined): number | undefined {
    const whole = Math.min(this.#tierTimeout, budget?.whole ?? Infinity)
    const millis = Math.min(whole, budget?.left ?? Infinity)
    // With what is left of a budget a tier that is well might not answer in time.
    return millis < whole / 2 || millis <= 0 ? undefined : millis
  }

  /** Through the breaker, which counts it, or does not let it through. */
  #guarded<A>(
    operation: string,
    effect: Effect.Effect<A, TierError>,
    before: number,
  ): Effect.Effect<A | undefined> {
    const classify = (exit: Exit.Exit<A, TierError>): CircuitBreaker.Outcome => {
      if (Exit.isSuccess(exit)) return CircuitBreaker.success
      if (this.#isEcho(exit.cause, before)) return CircuitBreaker.ignored
      this.#failures += 1
      return CircuitBreaker.failure()
    }
    const counted = this.#breaker.execute(effect, { key: this.#tier, classify })
    return Effect.matchCauseEffect(counted, {
      onSuccess: (value) => {
        this.#isSuspect = false
        return Exit.succeed(value)
      },
      onFailure: (cause) => {
        this.#told(operation, failureOf(cause))
        return nothing
      },
    })
  }

  /** What a step comes to that the breaker was not asked about: a success while all is well, at once. */
  #outcome<A>(
    operation: string,
    exit: Exit.Exit<A, TierError>,
    before: number,
  ): Effect.Effect<A | undefined> {
    if (Exit.isSuccess(exit)) {
      return this.#isSuspect ? this.#guarded(operation, exit, before) : Exit.succeed(exit.value)
    }
    if (this.#isEcho(exit.cause, before)) {
      this.#told(operation, failureOf(exit.cause))
      return nothing
    }
    this.#isSuspect = true
    return this.#guarded(operation, exit, before)
  }

  #isEcho(cause: Cause.Cause<TierError>, before: number): boolean {
    return this.#failures > before && failureOf(cause).reason === "timedOut"
  }

  /** As `Deadline.hard`, whose fiber for each deadline costs more than most steps. */
  #bounded<A>(
    operation: string,
    effect: Effect.Effect<A, TierError>,
    millis: number,
    budget: Budget | undefined,
  ): Effect.Effect<A, TierError> {
    return Effect.callback<A, TierError>((resume) => {
      const begun = this.#begin(operation, effect, millis, budget, resume)
      // Interrupted, and waited for, but not beyond the deadline.
      return Effect.callback<void>((left) => {
        begun.answer = () => left(Exit.void)
        begun.running?.interruptUnsafe()
      })
    })
  }

  /** In a fiber of its own: it may not obey its interruption. */
  #begin<A>(
    operation: string,
    effect: Effect.Effect<A, TierError>,
    millis: number,
    budget: Budget | undefined,
    answer: (exit: Exit.Exit<A, TierError>) => void,
  ): Begun<A> {
    const clock = this.#clock
    const began = monotonicMillis(clock)
    const spend = () => {
      if (budget !== undefined) budget.left -= Math.min(monotonicMillis(clock) - began, millis)
    }
    const running = this.#fork(effect)
    const ended = running.pollUnsafe()
    if (ended !== undefined) {
      spend()
      answer(ended)
      return { running: undefined, answer }
    }
    const begun: Begun<A> = { running, answer }
    let isOver = false
    const deadline = this.#timers.deadline(monotonicMillis(clock), millis, () => {
      isOver = true
      spend()
      running.interruptUnsafe()
      const cause = new TierTimeout({ millis })
      begun.answer(Exit.fail(new TierError({ tier: this.#tier, operation, cause })))
    })
    running.addObserver((exit) => {
      if (isOver) return
      isOver = true
      this.#timers.cancel(deadline)
      spend()
      begun.answer(exit)
    })
    return begun
  }

  #told(operation: string, failure: Failure): void {
    this.#observer.counters.tierFailures += 1
    this.#observer.tell({ _tag: "TierFailed", tier: this.#tier, operation, ...failure })
  }

  /** What is no fault of the tier, so that its breaker does not hear of it. */
  tellFailed(operation: string, message: string): void {
    this.#told(operation, { reason: "failed", message })
  }
}

/** A step that runs; `undefined` for one that has ended. */
export type Step =
  | { readonly fiber: Fiber.Fiber<unknown, unknown>; readonly cancel: () => void }
  | undefined

interface Begun<A> {
  readonly running: Fiber.Fiber<A, TierError> | undefined
  /** Who hears of the end; changed when the caller leaves. */
  answer: (exit: Exit.Exit<A, TierError>) => void
}

const failureOf = (cause: Cause.Cause<TierError | CircuitBreaker.CircuitBreakerError>): Failure => {
  const first = cause.reasons[0]
  if (first?._tag !== "Fail") return { reason: "failed", message: String(first) }
  const { error } = first
  if (error._tag === "CircuitBreakerError") return { reason: "breakerOpen", message: error.message }
  const message = error.cause instanceof Error ? error.cause.message : String(error.cause)
  return { reason: error.cause instanceof TierTimeout ? "timedOut" : "failed", message }
}
