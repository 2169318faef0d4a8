/**
 * A process of a simulation: a scheduler for its fibers and a clock of its own. It can be stopped and
 * continued, as by SIGSTOP and SIGCONT, and killed, after which nothing of it runs again.
 */
import * as Context from "effect/Context"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import type { EventLoop } from "./eventLoop.ts"

/** The clock of a machine, and how it is wrong. It outlives the processes of the machine. */
export class MachineTime {
  /** By how much the time of day is ahead, or behind where negative, ms. */
  skew: number
  #rate = 1
  /** Virtual time when the rate changed, and what the machine had counted by then, ms. */
  #changed = { now: 0, counted: 0 }

  constructor(skew: number) {
    this.skew = skew
  }

  /** How many milliseconds the machine counts for one of virtual time. */
  get rate(): number {
    return this.#rate
  }

  setRate(rate: number, now: number): void {
    this.#changed = { now, counted: this.counted(now) }
    this.#rate = rate
  }

  /** Monotonic time, ms. */
  counted(now: number): number {
    return this.#changed.counted + (now - this.#changed.now) * this.#rate
  }
}

/** The time of day when virtual time is 0, ms. */
export const epoch = 1_000_000_000

const microsecond = 0.001

export class Process implements Scheduler.Scheduler, Clock.Clock {
  readonly executionMode = "async"
  /** Timers and tasks of this process that have not run. */
  pending = 0
  readonly #loop: EventLoop
  readonly #time: MachineTime
  #state: "runs" | "stopped" | "dead" = "runs"
  /** Tasks that became ready while the process was stopped. */
  #held: Array<() => void> = []

  constructor(loop: EventLoop, time: MachineTime) {
    this.#loop = loop
    this.#time = time
  }

  get isRunning(): boolean {
    return this.#state === "runs"
  }

  get isDead(): boolean {
    return this.#state === "dead"
  }

  /** With this, fibers belong to the process. */
  readonly context: Context.Context<never> = Context.make(Clock.Clock, this).pipe(
    Context.add(Scheduler.Scheduler, this),
    Context.add(References.MinimumLogLevel, "None"),
  ) as Context.Context<never>

  stop(): void {
    if (this.#state === "runs") this.#state = "stopped"
  }

  continue(): void {
    if (this.#state !== "stopped") return
    this.#state = "runs"
    const held = this.#held
    this.#held = []
    for (const task of held) this.#loop.soon(() => this.#run(task))
  }

  kill(): void {
    this.#state = "dead"
    this.#held = []
  }

  /** Runs a task when the process runs, now if it does. */
  whenRunning(task: () => void): void {
    if (this.#state === "runs") task()
    else if (this.#state === "stopped") this.#held.push(task)
  }

  #run(task: () => void): void {
    this.whenRunning(task)
  }

  shouldYield(fiber: Parameters<Scheduler.Scheduler["shouldYield"]>[0]): boolean {
    return fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task) => this.#loop.soon(() => this.#run(task)),
      flush: () => {},
    }
  }

  currentTimeMillisUnsafe(): number {
    return Math.floor(epoch + this.#time.counted(this.#loop.now) + this.#time.skew + microsecond)
  }
  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.currentTimeMillisUnsafe()) * 1_000_000n
  }
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  monotonicTimeNanosUnsafe(): bigint {
    return BigInt(Math.round(this.#time.counted(this.#loop.now) * 1_000)) * 1_000n
  }
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  readonly sleep = (duration: Duration.Duration): Effect.Effect<void> => {
    const millis = Duration.toMillis(duration)
    if (millis <= 0) return Effect.yieldNow
    if (!Number.isFinite(millis)) return Effect.never
    return Effect.callback((resume) => {
      this.pending += 1
      let waits = true
      const end = () => {
        if (waits) this.pending -= 1
        waits = false
      }
      // Rounded up, so that the machine's own clock has reached the end of the sleep.
      const real = Math.ceil((millis / this.#time.rate) * 1_000) / 1_000
      const cancel = this.#loop.after(real, () =>
        this.#run(() => {
          end()
          resume(Effect.void)
        }),
      )
      return Effect.sync(() => {
        end()
        cancel()
      })
    })
  }
}
