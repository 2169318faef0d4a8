/**
 * Steps in one tier, or in one of the servers it consists of: each bounded in time
 * and behind a breaker. A step that fails, or does not end, gives `undefined` and
 * is told.
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import type { LarderEvent } from "../../LarderEvent.ts"
import { TierError } from "../../Tier.ts"
import { atOnce } from "../runtime/syncExit.ts"
import type { Budget } from "./budget.ts"
import type { Observer } from "../observe/eventHub.ts"
import { Ahead } from "../runtime/steadyBreaker.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import { type Asked, type Surroundings, TierAttempt } from "./guardedCall.ts"
import type { Timers } from "../runtime/deadlines.ts"

const nothing: Exit.Exit<undefined> = Exit.succeed(undefined)

/** Of a server that is back: later its breaker lets a call through by itself. */
const probePauses = Schedule.spaced("500 millis")
const probeTimes = 10

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
  /** What the breaker calls it: the tier, and the part where there are several. */
  readonly circuit: string
  readonly #breaker: CircuitBreaker.CircuitBreaker
  readonly #observer: Observer
  readonly #tierTimeout: number
  readonly #surroundings: Surroundings
  /**
   * Set by a failure, and until the breaker has seen a success after it. While it
   * is not set the breaker is closed and has counted nothing, so that it need not
   * be asked, which takes longer than a step in a near tier.
   */
  #isSuspect = false
  /** The breaker is not asked any more. */
  #insists = false
  /**
   * Failures counted so far. Steps that were under way when one was counted, and
   * then take too long as well, are an echo of it: a burst against a tier that is
   * well would else open its breaker.
   */
  #failures = 0
  /** As many were counted when the connection was made anew: steps from before say nothing of it. */
  #failuresBefore = 0
  #probes = 0
  /** A key that was asked for here: what a probe can ask for. */
  lastKey: string | undefined

  constructor(
    tier: string,
    breaker: CircuitBreaker.CircuitBreaker,
    timers: Timers,
    { clock, context, observer, tierTimeout }: Options,
    part = "",
  ) {
    this.#tier = tier
    this.circuit = part === "" ? tier : `${tier} ${part}`
    this.#breaker = breaker
    this.#observer = observer
    this.#tierTimeout = tierTimeout
    this.#surroundings = {
      clock,
      timers,
      fork: Effect.runForkWith(context),
      timedOut: (operation, millis) =>
        new TierError({ tier, operation, cause: new TierTimeout({ millis }) }),
    }
  }

  /** From now on every step is tried, though the breaker is open. */
  insist(): void {
    this.#insists = true
  }

  run<A>(
    operation: string,
    effect: Effect.Effect<A, TierError>,
    budget?: Budget,
    onFailure?: (reason: "failed" | "timedOut") => void,
  ): Effect.Effect<A | undefined> {
    return Effect.suspend(() => {
      const millis = this.#millis(budget)
      if (millis === undefined) return nothing
      const asked = this.#bounded(operation, effect, millis, budget)
      const bounded =
        onFailure === undefined
          ? asked
          : Effect.tapCause(asked, (cause) => {
              const { reason } = failureOf(cause)
              if (reason !== "breakerOpen") onFailure(reason)
              return Effect.void
            })
      const before = this.#failures
      return this.#isSuspect && !this.#insists
        ? this.#guarded(operation, bounded, before)
        : Effect.flatMap(Effect.exit(bounded), (exit) => this.#outcome(operation, exit, before))
    })
  }

  /**
   * As `run`, without a fiber that waits for the answer: it is told, perhaps before
   * this returns. `after` works on the tier's answer in this node's own time.
   */
  start<A, B>(
    operation: string,
    effect: Effect.Effect<A, TierError>,
    after: (answer: A) => Effect.Effect<B | undefined>,
    budget: Budget,
    answer: (value: B | undefined) => void,
  ): Step {
    if (this.#isSuspect) {
      const whole = Effect.flatMap(
        this.run(operation, effect, budget),
        (found): Effect.Effect<B | undefined> => (found === undefined ? nothing : after(found)),
      )
      return this.follow(whole, answer)
    }
    const millis = this.#millis(budget)
    if (millis === undefined) {
      answer(undefined)
      return undefined
    }
    const before = this.#failures
    const told = (exit: Exit.Exit<B | undefined, TierError>) => {
      const outcome = this.#outcome(operation, exit, before)
      const done = atOnce(outcome)
      if (done !== undefined && Exit.isSuccess(done)) answer(done.value)
      else this.follow(outcome, answer)
    }
    const asked = { operation, millis, budget }
    const begun = new TierAttempt(this.#surroundings, asked, after, told).begin(effect)
    const { fiber } = begun
    return fiber && { fiber, cancel: () => begun.leave(() => answer(undefined)) }
  }

  /**
   * Past an open breaker: the way to the tier is there again. An answer closes the
   * breaker. A server that has just started may refuse for a while, so it is asked a
   * few times, in pauses; a failure changes nothing.
   */
  probe(effect: Effect.Effect<unknown, TierError>): Effect.Effect<void> {
    return Effect.suspend(() => {
      // Race: steps of the lost connection may fail only now, and would open the breaker after the probe.
      this.#failures += 1
      this.#failuresBefore = this.#failures
      if (!this.#isSuspect) return Effect.void
      const own = ++this.#probes
      const isOver = Effect.suspend(() => {
        if (!this.#isSuspect || own !== this.#probes) return Effect.succeed(true)
        const bounded = this.#bounded("probe", effect, this.#tierTimeout, undefined)
        return Effect.flatMap(Effect.exit(bounded), (exit) =>
          Exit.isSuccess(exit) ? Effect.as(this.#close, true) : Effect.succeed(false),
        )
      })
      const again = { until: (over: boolean) => over, schedule: probePauses, times: probeTimes }
      return Effect.asVoid(Effect.repeat(isOver, again))
    })
  }

  /**
   * The breaker has no way to close it but a call that it lets through: it is given a
   * successful one at the time at which it would let one through.
   */
  get #close(): Effect.Effect<void> {
    return this.#breaker.state(this.circuit).pipe(
      Effect.flatMap((state) => {
        // Steps that still wait on the lost connection, the breaker's own probe among them, say
        // nothing of this one.
        this.#failures += 1
        const ahead = state._tag === "Open" ? Duration.toMillis(state.retryAfter) : 0
        const counted = this.#breaker.execute(Effect.void, { key: this.circuit })
        return Effect.provideService(counted, Ahead, ahead)
      }),
      Effect.andThen(this.#believe),
      // Another probe is under way, and decides.
      Effect.ignore,
    )
  }

  /** Runs an effect that is bounded already, and tells what it gives. */
  follow<A>(effect: Effect.Effect<A | undefined>, answer: (value: A | undefined) => void): Step {
    const fiber = this.#surroundings.fork(effect)
    fiber.addObserver((exit) => answer(Exit.isSuccess(exit) ? exit.value : undefined))
    return { fiber, cancel: () => fiber.interruptUnsafe() }
  }

  /**
   * What this node does with an answer: bounded as a step is, but nothing that the
   * breaker hears of. `undefined` where it takes too long.
   */
  within<A>(effect: Effect.Effect<A>): Effect.Effect<A | undefined> {
    return Effect.callback<A | undefined, TierError>((resume) => {
      const told = (exit: Exit.Exit<A, TierError>) =>
        resume(Exit.isSuccess(exit) || !isTimeout(exit.cause) ? exit : nothing)
      const millis = this.#tierTimeout
      const asked = { operation: "decode", millis, budget: undefined }
      const begun = this.#attempt(asked, told).begin(effect)
      return Effect.sync(() => begun.fiber?.interruptUnsafe())
    }).pipe(Effect.orDie)
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
    const counted = this.#breaker.execute(effect, { key: this.circuit, classify })
    return Effect.matchCauseEffect(counted, {
      onSuccess: (value) => Effect.as(this.#believe, value),
      onFailure: (cause) => {
        // Race: a step beside this one succeeds before this failure is recorded. Unasked, the breaker that it opens would stay open.
        this.#isSuspect = true
        this.#told(operation, failureOf(cause))
        return nothing
      },
    })
  }

  /**
   * The breaker need not be asked any more, if it is closed. Race: a step that was let
   * through before the breaker opened succeeds after that; unasked, it would stay open.
   */
  get #believe(): Effect.Effect<void> {
    return this.#breaker.state(this.circuit).pipe(
      Effect.map(({ _tag }) => {
        if (_tag === "Closed") this.#isSuspect = false
      }),
      Effect.ignore,
    )
  }

  /** What a step comes to that the breaker was not asked about: a success while all is well, at once. */
  #outcome<A>(
    operation: string,
    exit: Exit.Exit<A, TierError>,
    before: number,
  ): Effect.Effect<A | undefined> {
    if (Exit.isSuccess(exit)) {
      return this.#isSuspect && !this.#insists
        ? this.#guarded(operation, exit, before)
        : Exit.succeed(exit.value)
    }
    if (this.#insists || this.#isEcho(exit.cause, before)) {
      this.#told(operation, failureOf(exit.cause))
      return nothing
    }
    return this.#guarded(operation, exit, before)
  }

  #isEcho(cause: Cause.Cause<TierError>, before: number): boolean {
    return before < this.#failuresBefore || (this.#failures > before && isTimeout(cause))
  }

  /** As `Deadline.hard`, whose fiber for each deadline costs more than most steps. */
  #bounded<A>(
    operation: string,
    effect: Effect.Effect<A, TierError>,
    millis: number,
    budget: Budget | undefined,
  ): Effect.Effect<A, TierError> {
    return Effect.callback<A, TierError>((resume) => {
      const asked = { operation, millis, budget }
      const begun = this.#attempt(asked, resume).begin(effect)
      // Interrupted, and waited for, but not beyond the deadline.
      return Effect.callback<void>((left) => begun.leave(() => left(Exit.void)))
    })
  }

  /** What the tier answers is what is told. */
  #attempt<A>(asked: Asked, told: (exit: Exit.Exit<A, TierError>) => void): TierAttempt<A, A> {
    const itself = (answer: A): Exit.Exit<A> => Exit.succeed(answer)
    return new TierAttempt(this.#surroundings, asked, itself, told)
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

const isTimeout = (cause: Cause.Cause<TierError>): boolean => failureOf(cause).reason === "timedOut"

const failureOf = (cause: Cause.Cause<TierError | CircuitBreaker.CircuitBreakerError>): Failure => {
  const first = cause.reasons[0]
  if (first?._tag !== "Fail") return { reason: "failed", message: String(first) }
  const { error } = first
  if (error._tag === "CircuitBreakerError") return { reason: "breakerOpen", message: error.message }
  const message = error.cause instanceof Error ? error.cause.message : String(error.cause)
  return { reason: error.cause instanceof TierTimeout ? "timedOut" : "failed", message }
}
