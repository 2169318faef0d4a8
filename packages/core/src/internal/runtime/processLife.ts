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

/** A timer that keeps the process alive while it is held. */
let timer: Handle | undefined
let holders = 0

/** Keeps the process alive until `release`. Each call requires one. */
export const hold = (): void => {
  holders += 1
  if (holders > 1) return
  timer ??= handleOf(setInterval(() => {}, longestTimer))
  timer?.ref()
}

/** Ends one `hold`. */
export const release = (): void => {
  holders -= 1
  if (holders === 0) timer?.unref()
}

const held = Effect.sync(hold)
const released = Effect.sync(release)

/** Keeps the process alive while `effect` runs. */
export const during = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    held,
    () => effect,
    () => released,
  )

/** Runs an effect whose sleeps do not keep the process alive, nor do those of fibers that it forks. */
export const inBackground = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => Effect.provideService(effect, Clock.Clock, forBackground(clock)))

/** The waiting callers of one larder. */
export class WaitingCallers {
  readonly #matters: boolean

  constructor(isRealTime: boolean) {
    this.#matters = isRealTime
  }

  /** Each call requires one of `left`. */
  joined(): void {
    if (this.#matters) hold()
  }

  left(): void {
    if (this.#matters) release()
  }

  /** Keeps the process alive while a caller waits for `effect`. */
  readonly during = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    this.#matters ? during(effect) : effect
}
