/**
 * Stale-if-error (RFC 5861) for any effect: when the effect fails, the caller gets an older value
 * that is still in its grace.
 *
 * @module
 * @category building blocks
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type { Entry } from "./Entry.ts"
import * as Freshness from "./Freshness.ts"

/**
 * Options of {@link orStale}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<B, E, R, R2 = never> {
  /** Returns the older entry, or `undefined` if there is none. Runs only after a failure. */
  readonly stale: Effect.Effect<Entry<B> | undefined, never, R> | (() => Entry<B> | undefined)
  /** Runs with the cause before the caller gets the older value, for logs and counters. */
  readonly onStale?:
    | ((cause: Cause.Cause<E>, entry: Entry<B>) => Effect.Effect<void, never, R2>)
    | undefined
}

/**
 * Returns an older value when the effect fails, dies, or times out, as long as the entry is within
 * its grace by the `Clock` at that moment; otherwise the cause stays as it was.
 *
 * **When to use**
 *
 * Use around a lookup whose last result is better than an error page.
 *
 * **Details**
 *
 * The caller never gets a value after the entry's `staleUntil`. Interruption is not a failure: a
 * cause of interruptions alone passes through.
 *
 * **Gotchas**
 *
 * The entry's times are compared with the time of day. When the clock was ahead while the entry was
 * made, and was set back since, the entry lives longer by that difference. To prevent that, make and
 * compare the times by `Tier.steadyClock`.
 *
 * **Example** (A catalogue that is down)
 *
 * ```ts
 * import { FailSafe } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const yesterday = {
 *   value: "oat milk", storedAt: 0, freshUntil: 0, revalidateUntil: 0, staleUntil: 8.64e15,
 *   loadMillis: 20, version: 1, asOf: 0, tags: []
 * }
 * const answer = Effect.fail("catalogue is down").pipe(
 *   FailSafe.orStale({
 *     stale: () => yesterday,
 *     onStale: (cause) => Effect.logDebug("serving stale", cause)
 *   })
 * )
 * assert.strictEqual(await Effect.runPromise(answer), "oat milk")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const orStale: {
  <B, E, R2 = never, R3 = never>(
    options: Options<B, E, R2, R3>,
  ): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | B, E, R | R2 | R3>
  <A, E, R, B, R2 = never, R3 = never>(
    self: Effect.Effect<A, E, R>,
    options: Options<B, E, R2, R3>,
  ): Effect.Effect<A | B, E, R | R2 | R3>
} = dual(
  2,
  <A, E, R, B, R2, R3>(
    self: Effect.Effect<A, E, R>,
    options: Options<B, E, R2, R3>,
  ): Effect.Effect<A | B, E, R | R2 | R3> =>
    Effect.catchCauseIf(
      self,
      (cause) => !Cause.hasInterruptsOnly(cause),
      (cause) => substitute(cause, options),
    ),
)

const substitute = Effect.fnUntraced(function* <B, E, R, R2>(
  cause: Cause.Cause<E>,
  options: Options<B, E, R, R2>,
) {
  const stale = Effect.isEffect(options.stale) ? options.stale : Effect.sync(options.stale)
  // A defect of `stale` must not hide the cause of the failure.
  const entry = yield* Effect.catchCause(stale, (another) =>
    Effect.failCause(Cause.combine(cause, another)),
  )
  const now = yield* Clock.currentTimeMillis
  if (entry === undefined || Freshness.of(entry, now)._tag === "Missing") {
    return yield* Effect.failCause(cause)
  }
  if (options.onStale !== undefined) yield* options.onStale(cause, entry)
  return entry.value
})
