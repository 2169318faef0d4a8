/** Runs an effect while its lease holds: renews the lease, and interrupts the effect once it is lost. */
import * as Effect from "effect/Effect"
import { LeaseLost } from "./errors.ts"
import { loneLeaseRenewals } from "../runtime/limits.ts"
import { invalidEffect } from "./settings.ts"
import { type Granted, stepOf, type Wanted, within } from "./acquire.ts"

/** A renewal's answer must arrive within this part of the lease: a third less the time between two renewals. */
const partOfRenewal = 12

class Holding {
  readonly #wanted: Wanted
  readonly #token: number
  #until: number

  constructor(wanted: Wanted, { token, until }: Granted) {
    this.#wanted = wanted
    this.#token = token
    this.#until = until
  }

  get #left(): number {
    return this.#until - this.#wanted.clock.currentTimeMillisUnsafe()
  }

  get #lost(): Effect.Effect<never, LeaseLost> {
    return Effect.fail(new LeaseLost({ key: this.#wanted.key, token: this.#token }))
  }

  /** Fails at the moment at which the lease may be another's. */
  get watched(): Effect.Effect<never, LeaseLost> {
    return Effect.gen({ self: this }, function* () {
      const { lease } = this.#wanted.settings
      const between = lease / loneLeaseRenewals
      let pause = between
      while (true) {
        yield* Effect.sleep(Math.max(1, Math.floor(Math.min(pause, this.#left))))
        if (this.#left <= 0) return yield* this.#lost
        const isHeld = yield* this.#renewed
        if (isHeld === false || this.#left <= 0) return yield* this.#lost
        pause = isHeld === undefined ? lease / partOfRenewal : between
      }
    })
  }

  /** Undefined without an answer: the lease may still be held, until its time is over. */
  get #renewed(): Effect.Effect<boolean | undefined> {
    return Effect.suspend(() => {
      const { arbiter, clock, key, settings } = this.#wanted
      const sent = clock.currentTimeMillisUnsafe()
      const step = Math.max(1, Math.min(stepOf(settings.lease, partOfRenewal), this.#left))
      const asked = arbiter.renew(key, this.#token, settings.lease)
      return Effect.match(within(step, this.#wanted, "renew", asked), {
        onFailure: () => undefined,
        onSuccess: (isHeld) => {
          if (isHeld) this.#until = sent + settings.lease
          return isHeld
        },
      })
    })
  }

  /**
   * A process that was stopped, or too busy to run its timers, may end the effect before it notices
   * that the lease's time is over.
   */
  ended<A>(value: A): Effect.Effect<A, LeaseLost> {
    return this.#left > 0 ? Effect.succeed(value) : this.#lost
  }
}

/** Effect's own defect for a value that is no Effect does not name the lease. */
const checkedEffect = <A, E, R>(got: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.isEffect(got) ? got : Effect.die(invalidEffect("return an Effect", got))

/** Ends with the effect, or with `LeaseLost` once the effect, interrupted, has ended. */
export const hold = <A, E, R>(
  wanted: Wanted,
  granted: Granted,
  effect: (token: number) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E | LeaseLost, R> =>
  Effect.suspend(() => {
    const holding = new Holding(wanted, granted)
    return Effect.raceFirst(
      Effect.flatMap(
        Effect.suspend(() => checkedEffect(effect(granted.token))),
        (value) => holding.ended(value),
      ),
      holding.watched,
    )
  })
