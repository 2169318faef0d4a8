/**
 * Reads of farther tiers that callers of `read` share, by key. Race: a read of the old value is under
 * way when this node changes the key, or a message tells of a change. A caller that comes after that must
 * not share it.
 */
import * as Effect from "effect/Effect"
import * as Coalesce from "../../Coalesce.ts"

export class CoalescedReads<A> {
  readonly #shared = Coalesce.make<string, A>()
  /** Keys that are being read: how many, and how many changes this node has heard of meanwhile. */
  readonly #reading = new Map<string, { count: number; heard: number }>()

  /** Shares one run of `effect` among callers since the last change of the key. */
  share(k: string, effect: Effect.Effect<A>): Effect.Effect<A> {
    return Effect.suspend(() => {
      const reading = this.#reading.get(k) ?? { count: 0, heard: 0 }
      this.#reading.set(k, reading)
      reading.count += 1
      const ended = Effect.sync(() => {
        reading.count -= 1
        if (reading.count === 0) this.#reading.delete(k)
      })
      return Effect.ensuring(this.#shared(`${reading.heard}:${k}`, effect), ended)
    })
  }

  /** The key has changed, here or on another node. */
  hear(k: string): void {
    const reading = this.#reading.get(k)
    if (reading !== undefined) reading.heard += 1
  }
}
