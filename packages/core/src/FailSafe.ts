/**
 * Something old rather than nothing: when an effect fails, what is still in
 * its grace is given in its place (RFC 5861 *stale-if-error*).
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type { Entry } from "./Entry.ts"
import * as Freshness from "./Freshness.ts"

/** Options of {@link orStale}. */
export interface Options<B, E, R, R2 = never> {
  /** Where the older entry is; asked only after a failure. `undefined` where there is none. */
  readonly stale: Effect.Effect<Entry<B> | undefined, never, R> | (() => Entry<B> | undefined)
  /** Called with the cause before an older value is given in its place: to log, to count. */
  readonly onStale?:
    | ((cause: Cause.Cause<E>, entry: Entry<B>) => Effect.Effect<void, never, R2>)
    | undefined
}

/**
 * Gives an older value when the effect fails, dies, or times out, as long as
 * the entry is within its grace by the `Clock` at that moment; otherwise the
 * cause stays what it was.
 *
 * **When to use**
 *
 * Use around a lookup whose last result is better than an error page.
 *
 * **Details**
 *
 * Nothing is given after the entry's `staleUntil`. Interruption is not a
 * failure: a cause of interruptions alone passes through.
 *
 * **Gotchas**
 *
 * The entry's times are compared with the time of day. Where the clock was ahead
 * when they were made, and was set back since, the entry lives longer by as much;
 * make and compare them by `Tier.steadyClock` to prevent that.
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
  // a defect while looking for something older must not hide why it was looked for
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
