/**
 * What keeps a process alive: callers that wait, and no timer of a larder. The one
 * module that touches timers of the platform; where those cannot be told to let
 * the process end, and under any clock but Effect's own, nothing is different.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Longer ones overflow. */
const longestTimer = 2 ** 31 - 1

/** Effect's own. */
export const systemClock: Clock.Clock = Context.get(Context.empty(), Clock.Clock)

/** Node's timers can be held and let go; those of browsers are numbers. */
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

/** The same time; but who sleeps by it keeps no process alive. */
export const forBackground = (clock: Clock.Clock): Clock.Clock =>
  clock === systemClock ? backgroundClock : clock

/** A timer that never matters but for keeping the process alive while any caller waits. */
let held: Handle | undefined
let holders = 0

/** Callers of one larder that wait. */
export class WaitingCallers {
  readonly #matters: boolean

  /** Only in real time does it matter. */
  constructor(isRealTime: boolean) {
    this.#matters = isRealTime
  }

  /** Every call is followed by one of `left`. */
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

  /** While a caller waits for `effect`. */
  readonly during = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    this.#matters
      ? Effect.acquireUseRelease(
          Effect.sync(() => this.joined()),
          () => effect,
          () => Effect.sync(() => this.left()),
        )
      : effect
}
