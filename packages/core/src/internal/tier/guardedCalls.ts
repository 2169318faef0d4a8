/**
 * Steps in one tier, or in one of its servers, each with a timeout and behind a circuit breaker. A
 * step that fails or times out returns `undefined` and publishes `TierFailed`.
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
import { probePauseMillis, probesAfterReconnect } from "../runtime/limits.ts"
import { atOnce } from "../runtime/syncExit.ts"
import type { Budget } from "./budget.ts"
import { type TierCounts, countsOfTier } from "../observe/counters.ts"
import type { TierOperation, TierOutcome } from "../observe/labels.ts"
import type { Observer } from "../observe/eventHub.ts"
import { Ahead } from "../runtime/steadyBreaker.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import { type Surroundings, TierAttempt } from "./guardedCall.ts"
import type { Timers } from "../runtime/deadlines.ts"

const nothing: Exit.Exit<undefined> = Exit.succeed(undefined)

/** Pauses between probes of a server that is back. After the last one the breaker's own probe decides. */
const probePauses = Schedule.spaced(probePauseMillis)

class TierTimeout extends Data.TaggedError("TierTimeout")<{ readonly millis: number }> {
  override get message(): string {
    return `no answer within ${this.millis} ms (Policy tierTimeout, tierBudget)`
  }
}

/** What each step is for. A probe counts as none: its outcome is the breaker's next state. */
const kinds: Readonly<Record<string, TierOperation>> = {
  read: "read",
  versions: "read",
  keys: "read",
  put: "write",
  drop: "write",
  commit: "write",
  write: "write",
  encode: "write",
  acquire: "lease",
  renew: "lease",
  release: "lease",
  mark: "mark",
  marks: "mark",
}

type Failure = Pick<Extract<LarderEvent, { readonly _tag: "TierFailed" }>, "reason" | "message">

export interface Options {
  /** The context in which steps run; the values' schema may need it. */
  readonly context: Context.Context<never>
  readonly clock: SteadyClock
  readonly observer: Observer
  readonly tierTimeout: number
}

export class TierSteps {
  readonly #tier: string
  /** The name of the circuit: the tier, and the part if there are several. */
  readonly circuit: string
  readonly #breaker: CircuitBreaker.CircuitBreaker
  readonly #observer: Observer
  readonly #counts: TierCounts
  readonly #tierTimeout: number
  readonly #surroundings: Surroundings
  /**
   * Set from a failure until the breaker has seen a success after it. While unset, the breaker is
   * closed and has counted no failure, so steps skip it: asking it takes longer than a step in a near
   * tier.
   */
  #isSuspect = false
  /** Steps ignore the breaker. */
  #insists = false
  /**
   * Failures counted so far. A step that was under way when a failure was counted, and then times out
   * as well, is an echo of that failure and does not count. Otherwise one burst against a healthy
   * tier would open its breaker.
   */
  #failures = 0
  /** The count at the last reconnect: failures of earlier steps say nothing about the new connection. */
  #failuresBefore = 0
  #probes = 0
  /** The last key asked for here, for a probe to read. */
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
    this.#counts = countsOfTier(observer.counters, tier)
    const durations = observer.measures.stepsIn(tier)
    this.#tierTimeout = tierTimeout
    this.#surroundings = {
      clock,
      timers,
      fork: Effect.runForkWith(context),
      timedOut: (operation, millis) =>
        new TierError({ tier, operation, cause: new TierTimeout({ millis }) }),
      took: (operation, millis) => {
        const kind = kinds[operation]
        if (kind !== undefined) durations[kind].record(millis / 1_000)
      },
    }
  }

  /** From now on, tries every step despite an open breaker. */
  insist(): void {
    this.#insists = true
  }

  /** No step has failed since the last one that succeeded. */
  get isWell(): boolean {
    return !this.#isSuspect
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

  /** As `run`, without a waiting fiber: calls `answer`, perhaps before this returns. */
  start<A>(
    operation: string,
    effect: Effect.Effect<A, TierError>,
    budget: Budget,
    answer: (value: A | undefined) => void,
  ): Step {
    if (this.#isSuspect) return this.follow(this.run(operation, effect, budget), answer)
    const millis = this.#millis(budget)
    if (millis === undefined) {
      answer(undefined)
      return undefined
    }
    const before = this.#failures
    const told = (exit: Exit.Exit<A, TierError>) => {
      const outcome = this.#outcome(operation, exit, before)
      const done = atOnce(outcome)
      if (done !== undefined && Exit.isSuccess(done)) answer(done.value)
      else this.follow(outcome, answer)
    }
    const asked = { operation, millis, budget }
    const begun = new TierAttempt(this.#surroundings, asked, told).begin(effect)
    const { fiber } = begun
    return fiber && { fiber, cancel: () => begun.abandon(() => answer(undefined)) }
  }

  /**
   * Probes a reconnected server despite its open breaker. An answer closes the breaker. A server that
   * has just started may refuse for a while, so the probe is repeated with pauses. A failed probe
   * does not count.
   */
  probe(effect: Effect.Effect<unknown, TierError>): Effect.Effect<void> {
    return Effect.suspend(() => {
      // Race: steps of the lost connection fail only now, and would open the breaker after the probe.
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
      const again = {
        until: (over: boolean) => over,
        schedule: probePauses,
        times: probesAfterReconnect,
      }
      return Effect.asVoid(Effect.repeat(isOver, again))
    })
  }

  /**
   * Closes the breaker, which only a successful call can do: executes one with a clock set ahead to
   * the end of the open time.
   */
  get #close(): Effect.Effect<void> {
    return this.#breaker.state(this.circuit).pipe(
      Effect.flatMap((state) => {
        // Steps that still wait on the lost connection, also the breaker's own probe, do not count.
        this.#failures += 1
        const ahead = state._tag === "Open" ? Duration.toMillis(state.retryAfter) : 0
        const counted = this.#breaker.execute(Effect.void, { key: this.circuit })
        return Effect.provideService(counted, Ahead, ahead)
      }),
      Effect.andThen(this.#believe),
      // Another probe is under way and decides.
      Effect.ignore,
    )
  }

  /** Runs an effect that has a timeout already, and calls `answer` with its result. */
  follow<A>(effect: Effect.Effect<A | undefined>, answer: (value: A | undefined) => void): Step {
    const fiber = this.#surroundings.fork(effect)
    fiber.addObserver((exit) => answer(Exit.isSuccess(exit) ? exit.value : undefined))
    return { fiber, cancel: () => fiber.interruptUnsafe() }
  }

  /**
   * Processes an answer within `tierTimeout`, without the breaker. `undefined` on timeout.
   */
  within<A>(effect: Effect.Effect<A>): Effect.Effect<A | undefined> {
    return Effect.callback<A | undefined, TierError>((resume) => {
      const told = (exit: Exit.Exit<A, TierError>) =>
        resume(Exit.isSuccess(exit) || !isTimeout(exit.cause) ? exit : nothing)
      const millis = this.#tierTimeout
      const asked = { operation: "decode", millis, budget: undefined }
      const begun = new TierAttempt(this.#surroundings, asked, told).begin(effect)
      return Effect.sync(() => begun.fiber?.interruptUnsafe())
    }).pipe(Effect.orDie)
  }

  /** The timeout of a step, ms; `undefined` where too little of the budget is left. */
  #millis(budget: Budget | undefined): number | undefined {
    const whole = Math.min(this.#tierTimeout, budget?.whole ?? Infinity)
    const millis = Math.min(whole, budget?.left ?? Infinity)
    // With less than half, even a healthy tier might not answer in time.
    return millis < whole / 2 || millis <= 0 ? undefined : millis
  }

  /** Runs a step through the breaker, which counts or rejects it. */
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
      onSuccess: (value) => {
        this.#count(operation, "ok")
        return Effect.as(this.#believe, value)
      },
      onFailure: (cause) => {
        // Race: a concurrent step succeeds before this failure is recorded and clears the flag. The failure
        // opens the breaker, which steps would then skip, and it would stay open.
        this.#isSuspect = true
        this.#told(operation, failureOf(cause))
        return nothing
      },
    })
  }

  /**
   * Lets steps skip the breaker again if it is closed. Race: a step that the breaker let through
   * before it opened succeeds after that. Skipped by all steps, the breaker would stay open.
   */
  get #believe(): Effect.Effect<void> {
    return this.#breaker.state(this.circuit).pipe(
      Effect.map(({ _tag }) => {
        if (_tag === "Closed") this.#isSuspect = false
      }),
      Effect.ignore,
    )
  }

  /** The outcome of a step that skipped the breaker. A failure is reported to the breaker now. */
  #outcome<A>(
    operation: string,
    exit: Exit.Exit<A, TierError>,
    before: number,
  ): Effect.Effect<A | undefined> {
    if (Exit.isSuccess(exit)) {
      if (this.#isSuspect && !this.#insists) return this.#guarded(operation, exit, before)
      this.#count(operation, "ok")
      return Exit.succeed(exit.value)
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

  /** Runs a step until its deadline. */
  #bounded<A>(
    operation: string,
    effect: Effect.Effect<A, TierError>,
    millis: number,
    budget: Budget | undefined,
  ): Effect.Effect<A, TierError> {
    return Effect.callback<A, TierError>((resume) => {
      const asked = { operation, millis, budget }
      const begun = new TierAttempt(this.#surroundings, asked, resume).begin(effect)
      // Interrupts the step and waits for its end, at most until the deadline. A step that has interrupted
      // itself has ended: its exit looks like an interruption of the caller, and nothing else would come.
      return Effect.suspend(() =>
        begun.isOver
          ? Effect.void
          : Effect.callback<void>((left) => begun.abandon(() => left(Exit.void))),
      )
    })
  }

  #told(operation: string, failure: Failure): void {
    this.#count(operation, failure.reason)
    this.#observer.tell({ _tag: "TierFailed", tier: this.#tier, operation, ...failure })
  }

  #count(operation: string, outcome: TierOutcome): void {
    const kind = kinds[operation]
    if (kind !== undefined) this.#counts.operations[kind][outcome] += 1
  }

  /** Publishes a failure that is not the tier's, without telling its breaker. */
  tellFailed(operation: string, message: string): void {
    this.#told(operation, { reason: "failed", message })
  }
}

/** A running step; `undefined` for one that has ended. */
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
