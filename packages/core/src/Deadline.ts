/**
 * Two deadlines for an effect. `hard` gives the effect up; `soft` answers with another value and
 * lets the effect continue. Neither waits for an effect that ignores its interruption, and neither
 * starts a timer for an effect that ends synchronously.
 *
 * @module
 * @category building blocks
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import { BoundedRun } from "./internal/runtime/boundedRun.ts"
import { sleepToDeadline, Timers } from "./internal/runtime/deadlines.ts"
import { millisOf, mustBeDuration } from "./internal/runtime/duration.ts"
import type { Names, NamesOf } from "./internal/runtime/optionNames.ts"
import { monotonicMillis } from "./internal/runtime/monotonic.ts"
import { steadyOf } from "./internal/runtime/steadyClock.ts"
import { InvalidOptions } from "./InvalidOptions.ts"

const hardNames: NamesOf<HardOptions<unknown, unknown, unknown>> = { after: true, onTimeout: true }
const softNames: NamesOf<SoftOptions<unknown, unknown, unknown>> = { after: true, orElse: true }

/** Runs `make` with the duration of the options; dies with `InvalidOptions` for invalid options. */
const withOptions = <A, E, R>(
  options: { readonly after: Duration.Input },
  names: Names,
  instead: "onTimeout" | "orElse",
  make: (millis: number) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> => {
  const mistake = InvalidOptions.ofNames({ module: "Deadline", names, got: options })
  if (mistake !== undefined) return Effect.die(mistake)
  const given: unknown = (options as Readonly<Record<string, unknown>>)[instead]
  if (typeof given === "function") return withMillis(options.after, make)
  const must = "be a function that returns an Effect"
  return Effect.die(InvalidOptions.of({ module: "Deadline", field: instead, must, got: given }))
}

/** Runs `make` with the duration in milliseconds; dies with `InvalidOptions` for an invalid duration. */
const withMillis = <A, E, R>(
  after: Duration.Input,
  make: (millis: number) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> => {
  const millis = millisOf(after)
  if (millis !== undefined) return make(millis)
  return Effect.die(
    InvalidOptions.of({ module: "Deadline", field: "after", must: mustBeDuration, got: after }),
  )
}

/**
 * Options of {@link hard}.
 *
 * @category options
 * @since 0.1.0
 */
export interface HardOptions<A, E, R> {
  /** How long the effect may take. `Infinity` means no deadline. */
  readonly after: Duration.Input
  /** The effect whose result the caller gets instead. Errors of `Schema.TaggedError` and `Data.TaggedError` are such effects. */
  readonly onTimeout: () => Effect.Effect<A, E, R>
}

/**
 * Options of {@link soft}.
 *
 * @category options
 * @since 0.1.0
 */
export interface SoftOptions<A, E, R> {
  /** How long the caller waits for the effect alone. `Infinity` means for ever. */
  readonly after: Duration.Input
  /** The other answer at the deadline. With `Option.none()` the caller continues to wait. */
  readonly orElse: () => Effect.Effect<Option.Option<A>, E, R>
}

/**
 * Gives an effect up at a deadline: interrupts it and answers with `onTimeout`
 * at that moment, even if the effect ignores its interruption.
 *
 * **When to use**
 *
 * Use in place of `Effect.timeout` where the caller must be answered in time
 * even if the effect is uninterruptible or slow to clean up; `Effect.timeout`
 * waits for it.
 *
 * **Details**
 *
 * - The effect runs in a fiber of its own with the caller's context, and can be
 *   interrupted even where the caller cannot.
 * - A caller that is interrupted first interrupts the effect and waits for it,
 *   at most until the deadline.
 * - When a busy process notices the deadline more than 10 ms late, it extends the
 *   deadline once by that delay, at most by `after`: an answer may have arrived
 *   that the process has not read yet.
 * - The late result of an effect that was given up is ignored.
 *
 * **Gotchas**
 *
 * Dies with `InvalidOptions` for NaN and negative durations.
 *
 * **Example** (An effect that does not obey)
 *
 * ```ts
 * import { Deadline } from "@larder/core"
 * import { Data, Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * class TooSlow extends Data.TaggedError("TooSlow") {}
 *
 * const stubborn = Effect.uninterruptible(Effect.delay(Effect.succeed("late"), "1 second"))
 * const answer = stubborn.pipe(
 *   Deadline.hard({ after: "10 millis", onTimeout: () => new TooSlow() }),
 *   Effect.catchTag("TooSlow", () => Effect.succeed("gave up"))
 * )
 * assert.strictEqual(await Effect.runPromise(answer), "gave up")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const hard: {
  <A2, E2, R2>(
    options: HardOptions<A2, E2, R2>,
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, E | E2, R | R2>
  <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    options: HardOptions<A2, E2, R2>,
  ): Effect.Effect<A | A2, E | E2, R | R2>
} = dual(
  2,
  <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    options: HardOptions<A2, E2, R2>,
  ): Effect.Effect<A | A2, E | E2, R | R2> =>
    withOptions<A | A2, E | E2, R | R2>(options, hardNames, "onTimeout", (millis) =>
      millis === Infinity ? self : giveUpAfter(self, millis, options.onTimeout),
    ),
)

/**
 * Sleeps until a deadline, as {@link hard} does: when a busy process notices the
 * deadline more than 10 ms late, it extends the sleep once by that delay, at most
 * by `after`.
 *
 * **When to use**
 *
 * Use in a client of your own that gives up requests without an answer in time:
 * while the event loop was blocked, an answer may have arrived that the client has
 * not read yet.
 *
 * **Gotchas**
 *
 * Dies with `InvalidOptions` for NaN and negative durations.
 *
 * **Example**
 *
 * ```ts
 * import { Deadline } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const reply = Effect.succeed("pong")
 * const answer = Effect.raceFirst(reply, Effect.as(Deadline.sleep("1 second"), "no reply"))
 * assert.strictEqual(await Effect.runPromise(answer), "pong")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const sleep = (after: Duration.Input): Effect.Effect<void> =>
  withMillis(after, sleepToDeadline)

/** One run of {@link hard}. Reports `undefined` at the deadline. */
class HardRun<A, E> extends BoundedRun<A, E> {
  #fiber: Fiber.Fiber<A, E> | undefined
  #report: ((exit: Exit.Exit<A, E> | undefined) => void) | undefined

  begin<R>(
    context: Context.Context<R>,
    effect: Effect.Effect<A, E, R>,
    millis: number,
    report: (exit: Exit.Exit<A, E> | undefined) => void,
  ): void {
    const began = monotonicMillis(steadyOf(Context.get(context, Clock.Clock)))
    this.#report = report
    this.#fiber = Effect.runForkWith(context)(effect)
    this.watch(this.#fiber, began, millis)
  }

  /** Interrupts the effect and waits for its end, at most until the deadline. */
  readonly interrupt: Effect.Effect<void> = Effect.callback<void>((resume) => {
    const isOver = this.#report === undefined
    this.#report = () => resume(Exit.void)
    if (isOver) this.#report(undefined)
    else this.#fiber?.interruptUnsafe()
  })

  protected ended(exit: Exit.Exit<A, E>): void {
    this.#tell(exit)
  }

  protected late(fiber: Fiber.Fiber<A, E>): void {
    fiber.interruptUnsafe()
    this.#tell(undefined)
  }

  #tell(exit: Exit.Exit<A, E> | undefined): void {
    const report = this.#report
    this.#report = undefined
    report?.(exit)
  }
}

const giveUpAfter = <A, E, R, A2, E2, R2>(
  self: Effect.Effect<A, E, R>,
  millis: number,
  onTimeout: () => Effect.Effect<A2, E2, R2>,
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.callback<A | A2, E | E2, R2>((resume) => {
      const run = new HardRun<A, E>(new Timers(context, "keepsAlive"))
      run.begin(context, self, millis, (exit) => resume(exit ?? Effect.suspend(onTimeout)))
      return run.interrupt
    }),
  )

/**
 * Waits for an effect until a deadline, then answers with the value of `orElse` if
 * there is one, while the effect continues in the background.
 *
 * **When to use**
 *
 * Use where an older answer now is better than the right one later, and the right
 * one is still wanted: serve the stale value, and store the new one when it comes.
 *
 * **Details**
 *
 * - The first exit is the answer: that of the effect, or, after the deadline, the
 *   value or failure of `orElse`.
 * - With `Option.none()` the caller waits for the effect as if there were no deadline.
 * - Once `orElse` has answered, the effect runs as a daemon with the context of its
 *   caller: no scope interrupts it, and its failure is ignored. Bound it with
 *   {@link hard} inside, and let it store its own result.
 * - A caller that is interrupted before it has an answer interrupts the effect
 *   and waits for it.
 *
 * **Gotchas**
 *
 * Dies with `InvalidOptions` for NaN and negative durations.
 *
 * **Example** (Stale now, fresh later)
 *
 * ```ts
 * import { Deadline } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const load = Effect.delay(Effect.succeed("fresh"), "1 second")
 * const answer = Deadline.soft(load, {
 *   after: "10 millis",
 *   orElse: () => Effect.succeedSome("stale")
 * })
 * assert.strictEqual(await Effect.runPromise(answer), "stale")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const soft: {
  <A2, E2, R2>(
    options: SoftOptions<A2, E2, R2>,
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, E | E2, R | R2>
  <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    options: SoftOptions<A2, E2, R2>,
  ): Effect.Effect<A | A2, E | E2, R | R2>
} = dual(
  2,
  <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    options: SoftOptions<A2, E2, R2>,
  ): Effect.Effect<A | A2, E | E2, R | R2> =>
    withOptions<A | A2, E | E2, R | R2>(options, softNames, "orElse", (millis) =>
      millis === Infinity ? self : leaveBehindAfter(self, millis, options.orElse),
    ),
)

const leaveBehindAfter = <A, E, R, A2, E2, R2>(
  self: Effect.Effect<A, E, R>,
  millis: number,
  orElse: () => Effect.Effect<Option.Option<A2>, E2, R2>,
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.contextWith((context: Context.Context<R | R2>) =>
    Effect.callback<A | A2, E | E2>((resume) => {
      const fork = Effect.runForkWith(context)
      const running = fork(self)
      const ended = running.pollUnsafe()
      if (ended !== undefined) return resume(ended)
      const substitute = fork(Effect.andThen(Effect.sleep(millis), Effect.suspend(orElse)))
      running.addObserver((exit) => {
        // Before the interruption of `substitute`, whose exit would become the caller's.
        resume(exit)
        substitute.interruptUnsafe()
      })
      substitute.addObserver((exit) => {
        if (Exit.isFailure(exit)) return resume(Exit.failCause(exit.cause))
        if (Option.isSome(exit.value)) resume(Exit.succeed(exit.value.value))
      })
      return Fiber.interruptAll([running, substitute])
    }),
  )
