/**
 * Waiting callers keep the process alive; timers of a larder do not. Only this module uses timers of
 * the platform. Where these have no `unref`, and under any clock but Effect's own, nothing changes.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** The longest delay of a platform timer, ms; longer ones overflow. */
export const longestTimer = 2 ** 31 - 1

/** Effect's default clock. */
export const systemClock: Clock.Clock = Context.get(Context.empty(), Clock.Clock)

/** Node's timers have `ref` and `unref`; those of browsers are numbers. */
interface Handle {
  readonly ref: () => unknown
  readonly unref: () => unknown
}

const handleOf = (timer: unknown): Handle | undefined =>
  typeof timer === "object" && timer !== null && "ref" in timer && "unref" in timer
    ? (timer as Handle)
    : undefined

const sleepMillis = (millis: number): Effect.Effect<void> => {
  if (millis <= 0) return Effect.yieldNow
  if (!Number.isFinite(millis)) return Effect.never
  return Effect.callback((resume) => {
    const rest = millis > longestTimer ? sleepMillis(millis - longestTimer) : Effect.void
    const timer = setTimeout(() => resume(rest), Math.min(millis, longestTimer))
    handleOf(timer)?.unref()
    return Effect.sync(() => clearTimeout(timer))
  })
}

const backgroundClock: Clock.Clock = {
  currentTimeMillisUnsafe: () => systemClock.currentTimeMillisUnsafe(),
  currentTimeMillis: systemClock.currentTimeMillis,
  currentTimeNanosUnsafe: () => systemClock.currentTimeNanosUnsafe(),
  currentTimeNanos: systemClock.currentTimeNanos,
  monotonicTimeNanosUnsafe: () => systemClock.monotonicTimeNanosUnsafe(),
  monotonicTimeNanos: systemClock.monotonicTimeNanos,
  sleep: (duration) => sleepMillis(Duration.toMillis(duration)),
}

/** A copy of a clock whose sleeps do not keep the process alive. */
export const forBackground = (clock: Clock.Clock): Clock.Clock =>
  clock === systemClock ? backgroundClock : clock

/** A timer that keeps the process alive while any caller waits. */
let held: Handle | undefined
let holders = 0

/** The waiting callers of one larder. */
export class WaitingCallers {
  readonly #matters: boolean

  constructor(isRealTime: boolean) {
    this.#matters = isRealTime
  }

  /** Each call requires one of `left`. */
  joined(): void {
    if (!this.#matters) return
    holders += 1
    if (holders > 1) return
    held ??= handleOf(setInterval(() => {}, longestTimer))
    held?.ref()
  }

  left(): void {
    if (!this.#matters) return
    holders -= 1
    if (holders === 0) held?.unref()
  }

  /** Keeps the process alive while a caller waits for `effect`. */
  readonly during = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    this.#matters
      ? Effect.acquireUseRelease(
          Effect.sync(() => this.joined()),
          () => effect,
          () => Effect.sync(() => this.left()),
        )
      : effect
}
