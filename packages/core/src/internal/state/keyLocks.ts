/** Runs effects on one key one after the other within this node, in the order of arrival. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

interface Lock {
  readonly semaphore: Semaphore.Semaphore
  /** The effects that run or wait. */
  users: number
}

/** The locks that the effects around the current one hold. */
const Held = Context.Reference<ReadonlyArray<Lock>>("@larder/core/HeldKeyLocks", {
  defaultValue: () => [],
})

export class KeyLocks {
  readonly #ofKey = new Map<string, Lock>()

  /** Keys with an effect that runs or waits. */
  get size(): number {
    return this.#ofKey.size
  }

  /**
   * Runs the effect once earlier ones of its key have ended. An effect inside another one of its key
   * runs at once: it would wait for ever.
   */
  withLock<A, E, R>(k: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.flatMap(Held, (held) => {
      const lock = this.#ofKey.get(k) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
      if (held.includes(lock)) return effect
      this.#ofKey.set(k, lock)
      lock.users += 1
      const left = Effect.sync(() => {
        lock.users -= 1
        if (lock.users === 0) this.#ofKey.delete(k)
      })
      const alone = Effect.provideService(effect, Held, [...held, lock])
      return Effect.ensuring(lock.semaphore.withPermits(1)(alone), left)
    })
  }
}
