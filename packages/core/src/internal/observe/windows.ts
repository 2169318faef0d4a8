/**
 * The windows of what is told at intervals: summaries of log lines, judgements of detectors. All that
 * subscribe share one timer for each clock, and so one in a process. It keeps no process alive, and there
 * is none without subscribers.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { windowMillis } from "../runtime/limits.ts"
import { forBackground } from "../runtime/processLife.ts"

interface Subscriber {
  readonly atEnd: () => void
}

class Windows {
  readonly #clock: Clock.Clock
  #subscribers: ReadonlySet<Subscriber> = new Set()
  #timer: Fiber.Fiber<never> | undefined

  constructor(clock: Clock.Clock) {
    this.#clock = forBackground(clock)
  }

  add(subscriber: Subscriber): void {
    this.#subscribers = new Set([...this.#subscribers, subscriber])
    this.#timer ??= Effect.runFork(Effect.provideService(this.#ticks, Clock.Clock, this.#clock))
  }

  delete(subscriber: Subscriber): void {
    this.#subscribers = new Set([...this.#subscribers].filter((other) => other !== subscriber))
    if (this.#subscribers.size > 0) return
    this.#timer?.interruptUnsafe()
    this.#timer = undefined
  }

  readonly #ticks = Effect.forever(
    Effect.andThen(
      Effect.sleep(Duration.millis(windowMillis)),
      Effect.sync(() => this.#end()),
    ),
  )

  #end(): void {
    const ended = this.#subscribers
    for (const subscriber of ended) {
      // Race: the call of one subscriber ends the subscription of another.
      if (this.#subscribers.has(subscriber)) subscriber.atEnd()
    }
  }
}

const byClock = new WeakMap<Clock.Clock, Windows>()

/**
 * Calls `atEnd` every 30 seconds of the clock, at the same moments as everybody else on that clock. `atEnd`
 * must not throw. Returns a function that ends the calls.
 */
export const everyWindow = (clock: Clock.Clock, atEnd: () => void): (() => void) => {
  const windows = byClock.get(clock) ?? new Windows(clock)
  byClock.set(clock, windows)
  const subscriber: Subscriber = { atEnd }
  windows.add(subscriber)
  return () => windows.delete(subscriber)
}
