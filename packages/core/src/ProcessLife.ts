/**
 * What keeps a process alive: callers that wait do, work in the background does not. A larder holds to
 * this rule, and a tier or a backplane of your own can hold to it with this module.
 *
 * @module
 * @category tier authors
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as internal from "./internal/runtime/processLife.ts"

/**
 * Runs an effect whose sleeps, timeouts and schedules do not keep the process alive, nor do those of the
 * fibers that it forks.
 *
 * **When to use**
 *
 * Around what a tier does in the background for as long as it is open: heartbeats, reconnects, checks
 * that are repeated. A program that never closes its larder then ends with its work.
 *
 * **Details**
 *
 * Gives the effect a clock whose timers have no part in the life of the process. Changes nothing under
 * another clock than Effect's own, such as `TestClock`, or where timers have no `unref`, as in browsers.
 *
 * **Example**
 *
 * ```ts
 * import { ProcessLife } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const timers = () => process.getActiveResourcesInfo().filter((what) => what === "Timeout").length
 * const beats = Effect.forever(Effect.sleep("1 hour"))
 * const before = timers()
 * const fiber = Effect.runFork(ProcessLife.inBackground(beats))
 * assert.strictEqual(timers(), before)
 * fiber.interruptUnsafe()
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const inBackground: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> =
  internal.inBackground

/**
 * Keeps the process alive while an effect runs, however it ends.
 *
 * **When to use**
 *
 * Around a wait that nothing else keeps alive: for the reply on a socket that is unreferenced, say.
 *
 * **Example**
 *
 * ```ts
 * import { ProcessLife } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const reply = ProcessLife.inBackground(Effect.as(Effect.sleep("5 millis"), "PONG"))
 * // Without `during` the process could end before the reply.
 * assert.strictEqual(await Effect.runPromise(ProcessLife.during(reply)), "PONG")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const during: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> =
  internal.during

/**
 * As {@link during}, for a wait that is not an effect: keeps the process alive until {@link release}.
 * Each call needs exactly one `release`. All holds of a process share one timer, so a hold costs a few
 * nanoseconds.
 *
 * **Example**
 *
 * ```ts
 * import { ProcessLife } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const timers = () => process.getActiveResourcesInfo().filter((what) => what === "Timeout").length
 * const before = timers()
 * ProcessLife.hold()
 * assert.strictEqual(timers(), before + 1)
 * ProcessLife.release()
 * assert.strictEqual(timers(), before)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const hold: () => void = internal.hold

/**
 * Ends one {@link hold}.
 *
 * **Example**
 *
 * ```ts
 * import { ProcessLife } from "@larder/core"
 *
 * const waitFor = (reply: Promise<string>) => {
 *   ProcessLife.hold()
 *   return reply.finally(ProcessLife.release)
 * }
 * await waitFor(Promise.resolve("PONG"))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const release: () => void = internal.release
