import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"

/** A lookup was turned away: no permit was free, and waiting was no use. */
export class Shed extends Schema.TaggedError<Shed>()("Shed", {
  /** How many lookups may run at once. */
  limit: Schema.Finite,
  /** How many may wait. */
  queue: Schema.Finite,
  /** Whether the permits are those of background lookups alone. */
  background: Schema.Boolean,
}) {
  override get message(): string {
    const kind = this.background ? "background lookups" : "lookups"
    return `turned away: ${this.limit} ${kind} are running, and at most ${this.queue} may wait (Upstream.withConcurrency)`
  }
}

/** Permits, and those who hold or wait for one. */
export interface Gate {
  readonly limit: number
  readonly queue: number | undefined
  readonly background: boolean
  readonly semaphore: Semaphore.Semaphore
  admitted: number
}

export const make = (options: {
  readonly limit: number
  readonly queue: number | undefined
  readonly background: boolean
}): Gate => ({ ...options, semaphore: Semaphore.makeUnsafe(options.limit), admitted: 0 })

/**
 * Runs the effect with a permit, after those who asked before. Where the line
 * is bounded: not when it is full, and, being `impatient`, not when it would have to wait.
 */
export const enter = <A, E, R>(
  gate: Gate,
  effect: Effect.Effect<A, E, R>,
  impatient: boolean,
): Effect.Effect<A, E | Shed, R> =>
  // uninterruptible between counting in and being sure to count out
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend((): Effect.Effect<A, E | Shed, R> => {
      const { background, limit, queue } = gate
      if (queue !== undefined && gate.admitted >= limit + (impatient ? 0 : queue)) {
        return new Shed({ limit, queue, background })
      }
      gate.admitted++
      return Effect.ensuring(
        restore(gate.semaphore.withPermit(effect)),
        Effect.sync(() => gate.admitted--),
      )
    }),
  )
