/**
 * Values that were set and are still on their way to the tiers behind memory:
 * of each key the one that is being written, and at most one that comes after it.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Keeping } from "./engine.ts"

/** More keys than that wait before they get in: a queue without a bound would hide a tier that cannot keep up. */
const maxKeys = 1_000
const maxWriting = 16

/** A value on its way, with a version that this node guessed. */
export interface Queued extends Keeping {
  readonly key: unknown
}

interface Pending {
  /** The newest value of the key. */
  newest: Queued
  /** It is not being written yet. */
  waits: boolean
  readonly done: Deferred.Deferred<void>
}

export class WriteQueue {
  readonly #pending = new Map<string, Pending>()
  readonly #room = Semaphore.makeUnsafe(maxKeys)
  readonly #writers = Semaphore.makeUnsafe(maxWriting)

  get size(): number {
    return this.#pending.size
  }

  /** The value that was set last, while it has not reached the tiers. */
  newest(k: string): Queued | undefined {
    return this.#pending.get(k)?.newest
  }

  /** Waits until there is room for the key. What is done then must be done at once. */
  room(k: string): Effect.Effect<void> {
    return Effect.suspend(() => (this.#pending.has(k) ? Effect.void : this.#room.take(1)))
  }

  /** After `room`. Gives what writes the key until nothing of it is left, or nothing where that is running. */
  offer(
    k: string,
    queued: Queued,
    write: (queued: Queued) => Effect.Effect<void>,
  ): Effect.Effect<void> | undefined {
    const present = this.#pending.get(k)
    if (present !== undefined) {
      present.newest = queued
      present.waits = true
      return undefined
    }
    const pending: Pending = { newest: queued, waits: true, done: Deferred.makeUnsafe<void>() }
    this.#pending.set(k, pending)
    return this.#writeAll(k, pending, write)
  }

  /** Waits until nothing of the key is on its way. */
  settled(k: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const pending = this.#pending.get(k)
      return pending === undefined ? Effect.void : Deferred.await(pending.done)
    })
  }

  #writeAll(
    k: string,
    pending: Pending,
    write: (queued: Queued) => Effect.Effect<void>,
  ): Effect.Effect<void> {
    const once = Effect.suspend(() => {
      pending.waits = false
      return write(pending.newest)
    })
    const all: Effect.Effect<void> = Effect.flatMap(this.#writers.withPermits(1)(once), () =>
      pending.waits ? all : Effect.void,
    )
    return Effect.ensuring(
      all,
      Effect.suspend(() => {
        this.#pending.delete(k)
        Deferred.doneUnsafe(pending.done, Effect.void)
        return Effect.asVoid(this.#room.release(1))
      }),
    )
  }
}
