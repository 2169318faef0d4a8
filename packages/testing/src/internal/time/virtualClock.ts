/** The `TestClock` of a test, as one node sees it, which knows what sleeps and until when. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { hasProperty } from "effect/Predicate"
import * as Semaphore from "effect/Semaphore"
import type * as Clock from "effect/Clock"
import type * as TestClock from "effect/testing/TestClock"

/** A fiber that sleeps until `at`, ms of virtual time. */
interface Sleep {
  readonly at: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** The process of a simulated node; undefined for what the test runs itself. */
  readonly process: Process | undefined
}

/** The process of a simulated node. */
export interface Process {
  /** Waits while it stands still. Interrupts, once the test ends, where it is dead. */
  readonly running: Effect.Effect<void>
  /** Ends once it is dead and the test ends. */
  readonly cutOff: Effect.Effect<void>
  /** Whether it is dead and the test ends. */
  readonly isCutOff: boolean
}

/**
 * A sleep in a process. At the end of a test no time passes for a process that died, and its callers wait for
 * what sleeps in it. What can be interrupted needs no fiber for this: see {@link Sleeps.interrupt}.
 */
const sleepIn = (process: Process, sleep: Effect.Effect<void>): Effect.Effect<void> => {
  if (process.isCutOff) return process.running
  const slept = Effect.uninterruptibleMask((restore) => {
    const interruptible = restore(sleep)
    return interruptible === sleep ? Effect.raceFirst(sleep, process.cutOff) : interruptible
  })
  return Effect.andThen(slept, process.running)
}

/** What sleeps by one `TestClock`, on all nodes. */
export class Sleeps {
  readonly #sleeps = new Set<Sleep>()
  /** Held by the fiber that moves the clock. */
  readonly moving = Semaphore.makeUnsafe(1)

  /** For each fiber that moves the clock, whether what it waits for is over. */
  readonly #movers = new Set<() => boolean>()

  /** Whether a fiber that moves the clock need not do so, though it has not had its turn yet. */
  isAnyOver(): boolean {
    return [...this.#movers].some((isOver) => isOver())
  }

  /** Runs an effect that moves the clock until something is over. */
  movedUntil<A, E, R>(
    isOver: () => boolean,
    effect: Effect.Effect<A, E, R>,
  ): Effect.Effect<A, E, R> {
    return Effect.acquireUseRelease(
      Effect.sync(() => this.#movers.add(isOver)),
      () => effect,
      () => Effect.sync(() => this.#movers.delete(isOver)),
    )
  }

  /** When the first sleeper wakes, ms; undefined where nothing sleeps. */
  next(): number | undefined {
    let first: number | undefined
    for (const { at } of this.#sleeps) if (first === undefined || at < first) first = at
    return first
  }

  /** Interrupts what sleeps in a process that is dead: nobody moves the clock for it any more. */
  interrupt(process: Process): void {
    for (const sleep of this.#sleeps) if (sleep.process === process) sleep.fiber.interruptUnsafe()
  }

  /** Runs a sleep that ends at `at`. */
  during<A>(at: number, sleep: Effect.Effect<A>, process?: Process): Effect.Effect<A> {
    return Effect.acquireUseRelease(
      Effect.withFiber((fiber) => {
        const entry: Sleep = { at, fiber, process }
        this.#sleeps.add(entry)
        return Effect.succeed(entry)
      }),
      () => sleep,
      (entry) => Effect.sync(() => this.#sleeps.delete(entry)),
    )
  }
}

export const isTestClock = (clock: Clock.Clock): clock is TestClock.TestClock =>
  hasProperty(clock, "adjust") && hasProperty(clock, "setTime") && hasProperty(clock, "withLive")

/**
 * Shows a time of day that is ahead of virtual time, or behind, and perhaps runs at another rate;
 * durations and monotonic time are those of `base`.
 */
export class VirtualClock implements TestClock.TestClock {
  readonly base: TestClock.TestClock
  readonly sleeps: Sleeps
  /** The process whose fibers sleep from now on; undefined for those of the test. */
  process: Process | undefined
  #skew: number
  /** By how much faster the time of day runs than virtual time. */
  #drift = 0
  #driftsSince = 0

  constructor(base: TestClock.TestClock, sleeps: Sleeps, skew: number) {
    this.base = base
    this.sleeps = sleeps
    this.#skew = skew
  }

  /** ms of virtual time, whatever the skew. */
  readonly now = (): number => this.base.currentTimeMillisUnsafe()

  /** By how much the time of day is ahead now, ms. */
  get skew(): number {
    return this.#skew + this.#drift * (this.now() - this.#driftsSince)
  }

  set skew(millis: number) {
    this.#skew = millis
    this.#driftsSince = this.now()
  }

  /** From now on the time of day runs `rate` times as fast as virtual time. */
  setRate(rate: number): void {
    const ahead = this.skew
    this.#drift = rate - 1
    this.skew = ahead
  }

  readonly currentTimeMillisUnsafe = (): number => Math.floor(this.now() + this.skew)
  readonly currentTimeMillis = Effect.sync(this.currentTimeMillisUnsafe)
  readonly currentTimeNanosUnsafe = (): bigint =>
    this.base.currentTimeNanosUnsafe() + BigInt(Math.round(this.skew * 1_000_000))
  readonly currentTimeNanos = Effect.sync(this.currentTimeNanosUnsafe)
  readonly monotonicTimeNanosUnsafe = (): bigint => this.base.monotonicTimeNanosUnsafe()
  readonly monotonicTimeNanos = Effect.sync(this.monotonicTimeNanosUnsafe)

  readonly sleep = (duration: Duration.Duration): Effect.Effect<void> =>
    Effect.suspend(() => {
      const time = Duration.toMillis(duration)
      const sleep = this.base.sleep(duration)
      // What sleeps for ever waits for no time.
      const { process } = this
      const known =
        time > 0 && time < Infinity ? this.sleeps.during(this.now() + time, sleep, process) : sleep
      return process === undefined ? known : sleepIn(process, known)
    })

  readonly adjust = (duration: Duration.Input): Effect.Effect<void> => this.base.adjust(duration)
  readonly setTime = (timestamp: number): Effect.Effect<void> =>
    Effect.suspend(() => this.base.setTime(timestamp - this.skew))
  readonly withLive: TestClock.TestClock["withLive"] = (effect) => this.base.withLive(effect)

  /** Moves time to this moment of virtual time, ms. */
  moveTo(at: number): Effect.Effect<void> {
    // Not `adjust`: the sum of fractions may fall short of `at`, and the sleeper would not wake.
    return Effect.suspend(() => this.base.setTime(Math.max(at, this.now())))
  }
}
