/**
 * Request coalescing (single flight): concurrent callers with the same key share one execution of
 * an effect. A coalescer caches nothing: it forgets a run when the run ends.
 *
 * @module
 * @category building blocks
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { Chain, Linked } from "./internal/runtime/linkedSet.ts"
import { type SharedRun, SharedRuns } from "./internal/runtime/sharedRuns.ts"
import { withoutInterrupts } from "./internal/runtime/withoutInterrupts.ts"

/**
 * A defect: a shared run interrupted itself. Its callers were not interrupted, so they get this
 * defect instead of an interruption.
 *
 * **Example**
 *
 * ```ts
 * import { Coalesce } from "@larder/core"
 * import { Cause, Effect, Exit } from "effect"
 * import * as assert from "node:assert"
 *
 * const coalesce = Coalesce.make<string, number>()
 * const exit = await Effect.runPromiseExit(coalesce("milk", Effect.interrupt))
 * assert.ok(Exit.isFailure(exit))
 * assert.ok(Cause.squash(exit.cause) instanceof Coalesce.RunInterrupted)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class RunInterrupted extends Data.TaggedError("RunInterrupted")<{ readonly key: unknown }> {
  override get message(): string {
    return "a shared run interrupted itself"
  }
}

/**
 * Runs effects, at most one at a time for each key; see {@link make}. It is also an effect that
 * succeeds with itself, so that `yield* Coalesce.make()` reads as other constructors do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Coalesce<in K, in out A, in out E = never> extends Effect.Effect<
  Coalesce<K, A, E>
> {
  (key: K): <R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <R>(key: K, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
}

/** One waiting caller. */
class Waiter<A, E> extends Linked<Waiter<A, E>> {
  readonly resume: (exit: Exit.Exit<A, E>) => void

  constructor(resume: (exit: Exit.Exit<A, E>) => void) {
    super()
    this.resume = resume
  }
}

class Run<K, A, E> implements SharedRun<K, Waiter<A, E>> {
  readonly k: K
  readonly waiters = new Chain<Waiter<A, E>>()
  #fiber: Fiber.Fiber<A, E> | undefined

  constructor(k: K) {
    this.k = k
  }

  start(fiber: Fiber.Fiber<A, E>, onEnd: (exit: Exit.Exit<A, E>) => void): void {
    this.#fiber = fiber
    fiber.addObserver(onEnd)
  }

  readonly cancel = (): void => this.#fiber?.interruptUnsafe()
}

class Runs<K, A, E> {
  readonly #shared = new SharedRuns<K, Waiter<A, E>, Run<K, A, E>>()

  /** Finds or starts the run for `key`; returns the effect that leaves it. */
  join<R>(
    caller: Fiber.Fiber<unknown, unknown>,
    key: K,
    effect: Effect.Effect<A, E, R>,
    resume: (exit: Exit.Exit<A, E>) => void,
  ): Effect.Effect<void> {
    const found = this.#shared.at(key)
    const run = found ?? new Run<K, A, E>(key)
    const waiter = new Waiter(resume)
    run.waiters.add(waiter)
    if (found === undefined) this.#start(caller, run, effect)
    return Effect.sync(() => this.#leave(run, waiter))
  }

  #start<R>(
    caller: Fiber.Fiber<unknown, unknown>,
    run: Run<K, A, E>,
    effect: Effect.Effect<A, E, R>,
  ): void {
    // Register the run before its fiber starts: the fiber may end, or ask for its own key, at once.
    this.#shared.begin(run)
    const fiber = Effect.runForkWith(caller.context)(effect as Effect.Effect<A, E>)
    run.start(fiber, (exit) => {
      const shared = withoutInterrupts(exit, () => new RunInterrupted({ key: run.k }))
      this.#shared.complete(run, ({ resume }) => resume(shared))
    })
  }

  #leave(run: Run<K, A, E>, waiter: Waiter<A, E>): void {
    run.waiters.delete(waiter)
    if (run.waiters.size === 0) this.#shared.abandon(run)
  }
}

const CoalesceProto = Effectable.Prototype<Coalesce<never, unknown, unknown>>({
  label: "Coalesce",
  evaluate() {
    return Exit.succeed(this)
  },
})

/**
 * Makes a coalescer for keys `K` and runs that succeed with `A` or fail with `E`.
 *
 * **When to use**
 *
 * Use to protect an expensive effect from simultaneous callers: a lookup, a
 * token refresh, a connection. To store the result, use a larder.
 *
 * **Details**
 *
 * - All callers of a run get its success, failure or defect.
 * - Interrupting one caller affects no other. When the last caller leaves, the
 *   run is interrupted without a wait for its end, and the key is free at once.
 * - A run that interrupts itself is the defect {@link RunInterrupted} for its
 *   callers.
 * - Keys are compared as in a `Map` (SameValueZero): objects by reference.
 *
 * **Gotchas**
 *
 * The run has the context of its first caller: services, references and span.
 * Where callers differ in rights or transactions, put the difference into the
 * key, or provide it to the effect. A `Scope` that the run needs is that of the
 * first caller as well; `Effect.scoped` gives the run a scope of its own. A run
 * that asks for its own key waits for itself; bound it with `Deadline.hard`.
 *
 * **Example** (Two callers, one run)
 *
 * ```ts
 * import { Coalesce } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const coalesce = Coalesce.make<string, number>()
 * let runs = 0
 * const load = Effect.sync(() => ++runs).pipe(Effect.delay("10 millis"), coalesce("milk"))
 *
 * const both = await Effect.runPromise(Effect.all([load, load], { concurrency: "unbounded" }))
 * assert.deepStrictEqual(both, [1, 1])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <K, A, E = never>(): Coalesce<K, A, E> => {
  const runs = new Runs<K, A, E>()
  const share = <R>(key: K, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((caller) =>
      Effect.callback<A, E>((resume) => runs.join(caller, key, effect, resume)),
    )
  const coalesce = <R>(key: K, effect?: Effect.Effect<A, E, R>) =>
    effect === undefined
      ? <R2>(self: Effect.Effect<A, E, R2>) => share(key, self)
      : share(key, effect)
  return Object.setPrototypeOf(coalesce, CoalesceProto)
}
