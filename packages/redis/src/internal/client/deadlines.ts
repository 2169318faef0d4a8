/**
 * One timer for all commands with the same timeout. A timer per command would cost a quarter of the
 * client's throughput. Uses monotonic time: setting the clock back must not keep a command waiting.
 */
import { Deadline } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

const monotonicMillis = (clock: Clock.Clock): number =>
  Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

/** The rounding error of a sum of two times, in ms. */
const rounding = 0.001

/**
 * One waiting command: a link in a list in the order of deadlines, which is the order of starts.
 */
export abstract class Waiting {
  at = 0
  before: Waiting | undefined = undefined
  after: Waiting | undefined = undefined
  abstract expire(): void
}

export interface Deadlines {
  readonly add: (waiting: Waiting) => void
  /** Removes a command; it must still be waiting. */
  readonly remove: (waiting: Waiting) => void
}

/** Calls `expire` of a command `millis` after its `add`, unless it was removed before. */
export const make = (millis: number): Effect.Effect<Deadlines, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const scope = yield* Effect.scope
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    let first: Waiting | undefined
    let last: Waiting | undefined
    let watching = false

    const remove = (waiting: Waiting): void => {
      const { before, after } = waiting
      if (before === undefined) first = after
      else before.after = after
      if (after === undefined) last = before
      else after.before = before
    }

    const sweep = (): number => {
      const now = monotonicMillis(clock) + rounding
      for (let next = first; next !== undefined && next.at <= now; next = first) {
        remove(next)
        next.expire()
      }
      watching = first !== undefined
      return first === undefined ? 0 : first.at - now
    }

    const watch = (sleep: number): Effect.Effect<void> =>
      // When this process was too busy, the reply may have arrived: let it be read first.
      Effect.flatMap(Deadline.sleep(sleep), () => {
        const next = sweep()
        return next === 0 ? Effect.void : watch(next)
      })

    const add = (waiting: Waiting): void => {
      waiting.at = monotonicMillis(clock) + millis
      waiting.before = last
      if (last === undefined) first = waiting
      else last.after = waiting
      last = waiting
      if (!watching) {
        watching = true
        Fiber.runIn(fork(watch(millis)), scope)
      }
    }

    return { add, remove }
  })
