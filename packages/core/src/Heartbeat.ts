/**
 * Notices that messages no longer arrive. A node that only listens cannot tell a quiet channel from a
 * broken one, so it sends itself a message at intervals, the way that all messages go.
 *
 * @module
 * @category tier authors
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { busyMillis, heartbeatsOfSilence } from "./internal/runtime/limits.ts"
import { monotonicMillis } from "./internal/runtime/monotonic.ts"
import { steadyClock } from "./internal/runtime/steadyClock.ts"

/**
 * Options of {@link make}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** The time between two beats, ms: `heartbeat` of `Tier.Limits`. */
  readonly everyMillis: number
  /**
   * Sends a beat that comes back to this node alone. Its failure is ignored: the beat is missing then.
   * While one is under way, no other is sent.
   */
  readonly send: Effect.Effect<unknown, unknown>
  /** No beat has come back for three times `everyMillis`. Called once, until the next beat. */
  readonly onSilence: () => void
  /** The first beat after a silence has come back. */
  readonly onHeard: () => void
}

/**
 * A running heartbeat.
 *
 * @category models
 * @since 0.1.0
 */
export interface Heartbeat {
  /** Call it for each beat that comes back, and when a subscription has just begun. */
  readonly heard: () => void
}

/**
 * The moment from which silence means that messages may be missing: three beats after the last one that
 * came back. `heardAt` is a moment of any clock, in milliseconds, and so is the result.
 *
 * **When to use**
 *
 * In a tier or a backplane that sends its beats itself; {@link make} decides by it.
 *
 * **Example**
 *
 * ```ts
 * import { Heartbeat } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Heartbeat.silentFrom(5_000, 1_000), 8_000)
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const silentFrom = (heardAt: number, everyMillis: number): number =>
  heardAt + heartbeatsOfSilence * everyMillis

/**
 * Sends beats until the scope closes, the first one at once, and watches for their return.
 *
 * **When to use**
 *
 * In a tier or a backplane of your own: `onSilence` publishes a `Gap` with reason `silence` to each
 * larder, `onHeard` one with `isOver`.
 *
 * **Details**
 *
 * Silence is measured in monotonic time since the last beat that came back, or since the begin. Time in
 * which this process could not run does not count: beats may have arrived meanwhile, unread. The timer
 * does not keep the process alive.
 *
 * **Example**
 *
 * ```ts
 * import { Heartbeat } from "@larder/core"
 * import { Effect, Layer } from "effect"
 * import { TestClock } from "effect/testing"
 * import * as assert from "node:assert"
 *
 * const told: Array<string> = []
 * const program = Effect.gen(function* () {
 *   const heartbeat = yield* Heartbeat.make({
 *     everyMillis: 1_000,
 *     send: Effect.void, // Lost: nothing comes back.
 *     onSilence: () => told.push("silence"),
 *     onHeard: () => told.push("heard"),
 *   })
 *   yield* TestClock.adjust("3 seconds")
 *   heartbeat.heard()
 * })
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(TestClock.layer())))
 * assert.deepStrictEqual(told, ["silence", "heard"])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = ({
  everyMillis,
  onHeard,
  onSilence,
  send,
}: Options): Effect.Effect<Heartbeat, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* steadyClock
    const scope = yield* Effect.scope
    const now = () => monotonicMillis(clock)
    let heardAt = now()
    let isSilent = false
    let isSending = false
    const sent = Effect.ensuring(
      Effect.exit(send),
      Effect.sync(() => {
        isSending = false
      }),
    )
    // Not awaited: a beat that hangs must not keep the silence from being noticed.
    const beat = Effect.suspend(() => {
      if (isSending) return Effect.void
      isSending = true
      return Effect.forkIn(sent, scope, { startImmediately: true })
    })
    let nextBeat = now()
    const step = Effect.gen(function* () {
      if (now() >= nextBeat) {
        nextBeat = now() + everyMillis
        yield* beat
      }
      const silentAt = silentFrom(heardAt, everyMillis)
      if (!isSilent && now() >= silentAt) {
        isSilent = true
        onSilence()
      }
      const due = isSilent ? nextBeat : Math.min(nextBeat, silentAt)
      yield* clock.pause(Duration.millis(Math.max(0, due - now())))
      const lateness = now() - due
      if (lateness >= busyMillis) heardAt += lateness
    })
    yield* Effect.forkScoped(Effect.forever(step), { startImmediately: true })
    return {
      heard: () => {
        heardAt = now()
        if (!isSilent) return
        isSilent = false
        onHeard()
      },
    }
  })
