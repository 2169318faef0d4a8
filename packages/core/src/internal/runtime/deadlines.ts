/**
 * The timers of one larder: one sleeping fiber for all of them, and none without timers. Also the rule
 * for deadlines that are noticed late, shared by tiers, lookups, callers and `Deadline.hard`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { monotonicMillis } from "./monotonic.ts"
import { type SteadyClock, steadyOf } from "./steadyClock.ts"
import { busyMillis, lingerMillis, pieceMillis } from "./limits.ts"

export interface Timer {
  /** The deadline in monotonic time, so that a clock that is set back does not delay it. */
  readonly due: number
  /** The length of a deadline, which bounds its extension; 0 for other timers. */
  readonly millis: number
  /** Undefined once the timer has run or was cancelled. */
  run: (() => void) | undefined
  /** The timer that replaces an extended deadline. */
  instead: Timer | undefined
}

/**
 * For how long a deadline of `millis` is extended when it is noticed `late` ms late: while the node
 * was busy, an answer may have arrived unread. Only once, so that a node that is always busy still
 * gives up.
 */
export const putOff = (late: number, millis: number): number =>
  late > busyMillis ? Math.min(late, millis) : 0

/** Sleeps until a deadline and, if it is noticed late, through its extension. */
export const sleepToDeadline = (millis: number): Effect.Effect<void> =>
  Effect.clockWith((clock) => {
    const due = monotonicMillis(clock) + millis
    const rest = Effect.suspend(() => {
      const more = putOff(monotonicMillis(clock) - due, millis)
      return more > 0 ? Effect.sleep(more) : Effect.void
    })
    return Effect.andThen(Effect.sleep(millis), rest)
  })

/** Passed and cancelled timers are removed once there are this many. */
const cutAfter = 1_024
/** Deadlines that differ by less are equal: the sum of two times is not exact. */
const rounding = 0.001

type Run = NonNullable<Timer["run"]>

export class Timers {
  readonly #context: Context.Context<never>
  readonly #clock: SteadyClock
  /** From `#first` on, earliest first. Most deadlines are equally long, so a new one goes to the end. */
  #timers: Array<Timer> = []
  #first = 0
  #active = 0
  #sleeper: Fiber.Fiber<void> | undefined
  #wakesAt = Infinity
  #firing = false
  readonly #lingers: boolean
  readonly #keepsAlive: boolean

  /**
   * `lingers`: the fiber sleeps on when all its timers are cancelled. For a steady sequence of
   * deadlines, hardly any of which passes. `keepsAlive`: the process does not end while a timer waits.
   */
  constructor(context: Context.Context<never>, rest: "stops" | "lingers" | "keepsAlive" = "stops") {
    this.#context = context
    this.#lingers = rest === "lingers"
    this.#keepsAlive = rest === "keepsAlive"
    this.#clock = steadyOf(Context.get(context, Clock.Clock))
  }

  /** Timers held, passed and cancelled ones included. */
  get size(): number {
    return this.#timers.length
  }

  /** Runs `run` when the steady time of day is `at`, ms, or as soon as possible if that has passed. */
  schedule(at: number, run: Run): Timer {
    const now = monotonicMillis(this.#clock)
    return this.after(now, at - this.#clock.currentTimeMillisUnsafe(), run)
  }

  /** Runs `run` so many milliseconds after `began`, in monotonic time. */
  after(began: number, millis: number, run: Run): Timer {
    return this.#add(began + millis, 0, run)
  }

  /** As `after`, but extends a deadline that is noticed late: see `putOff`. */
  deadline(began: number, millis: number, giveUp: Run): Timer {
    return this.#add(began + millis, millis, giveUp)
  }

  #add(due: number, millis: number, run: Run): Timer {
    const timer: Timer = { due, millis, run, instead: undefined }
    const place = this.#placeOf(due)
    if (place === this.#timers.length) this.#timers.push(timer)
    else this.#timers.splice(place, 0, timer)
    this.#active += 1
    this.#arm()
    return timer
  }

  cancel(timer: Timer | undefined): void {
    if (timer?.instead !== undefined) return this.cancel(timer.instead)
    if (timer?.run === undefined) return
    timer.run = undefined
    this.#active -= 1
    if (this.#active === 0 && !this.#lingers) this.stop()
    else if (this.#timers.length - this.#first > 2 * this.#active + cutAfter) this.#compact()
  }

  /** Runs all timers now. */
  flush(): void {
    const due = this.#timers.map(({ run }) => run)
    this.stop()
    for (const run of due) run?.()
  }

  stop(): void {
    for (const timer of this.#timers) timer.run = undefined
    this.#timers = []
    this.#first = 0
    this.#active = 0
    this.#wakesAt = Infinity
    const sleeper = this.#sleeper
    this.#sleeper = undefined
    sleeper?.interruptUnsafe()
  }

  /** Removes cancelled timers, which a long one before them would keep. */
  #compact(): void {
    this.#timers = this.#timers.filter(({ run }) => run !== undefined)
    this.#first = 0
  }

  #placeOf(due: number): number {
    const last = this.#timers.at(-1)
    if (last === undefined || last.due <= due) return this.#timers.length
    let low = this.#first
    let high = this.#timers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#timers[middle]!.due <= due) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The earliest timer that still waits. */
  #next(): Timer | undefined {
    while (
      this.#timers[this.#first] !== undefined &&
      this.#timers[this.#first]!.run === undefined
    ) {
      this.#first += 1
    }
    if (this.#first >= cutAfter) this.#compact()
    return this.#timers[this.#first]
  }

  #arm(): void {
    if (this.#firing) return
    const next = this.#next()
    if (next === undefined || next.due >= this.#wakesAt) return
    this.#sleeper?.interruptUnsafe()
    const now = monotonicMillis(this.#clock)
    this.#wakesAt = this.#lingers ? Math.min(next.due, now + lingerMillis) : next.due
    const millis = Math.max(0, this.#wakesAt - now)
    const sleep = Effect.andThen(
      // Never ends at once: it would fire before `#sleeper` is set and `#add` has returned.
      millis > rounding ? this.#sleep(Duration.millis(millis)) : Effect.yieldNow,
      Effect.sync(() => this.#fire()),
    )
    this.#sleeper = Effect.runForkWith(this.#context)(sleep)
  }

  /** Callers of a larder keep the process alive while they wait, not their deadlines. */
  #sleep(duration: Duration.Duration): Effect.Effect<void> {
    return this.#keepsAlive ? this.#clock.sleep(duration) : this.#clock.pause(duration)
  }

  #fire(): void {
    this.#sleeper = undefined
    const began = monotonicMillis(this.#clock)
    // The timer that the fiber slept for is due, even if the sleep was a little too short.
    const now = Math.max(this.#wakesAt, began) + rounding
    this.#wakesAt = Infinity
    this.#firing = true
    let took = 0
    for (
      let timer = this.#next();
      // Leave the rest to a later turn: thousands may be due at once.
      timer !== undefined && timer.due <= now && took < pieceMillis;
      timer = this.#next()
    ) {
      const { due, millis, run } = timer
      timer.run = undefined
      this.#active -= 1
      const late = Math.max(0, now - rounding - due)
      const more = millis > 0 ? putOff(late, millis) : 0
      if (more > 0) timer.instead = this.#add(due + late + more, 0, run!)
      else run?.()
      took = monotonicMillis(this.#clock) - began
    }
    this.#firing = false
    this.#arm()
  }
}
