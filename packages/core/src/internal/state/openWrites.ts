/**
 * Writes of the source under way. A larder that closes waits for them: the source may have changed
 * already, and the cache is told only at their end.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

export class OpenWrites {
  readonly #doubts = new Set<{ readonly ends: Effect.Effect<unknown> }>()
  readonly #ended = Latch.makeUnsafe(true)
  /** The larder is closing: no further write begins. */
  isClosing = false

  /** How many are under way. */
  get size(): number {
    return this.#doubts.size
  }

  /** Waits until no write is under way. */
  get ended(): Effect.Effect<void> {
    return this.#ended.await
  }

  /** Ends the freshness of what the writes under way are to change. */
  get doubted(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.#doubts], ({ ends }) => ends, {
        concurrency: "unbounded",
        discard: true,
      }),
    )
  }

  /**
   * Runs a write, or `closed` in its place once the larder closes. `doubt` ends the freshness of what the
   * write is to change.
   */
  run<A, E, R>(
    write: Effect.Effect<A, E, R>,
    doubt: Effect.Effect<unknown>,
    closed: Effect.Effect<never>,
  ): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      if (this.isClosing) return closed
      const own = { ends: doubt }
      this.#doubts.add(own)
      this.#ended.closeUnsafe()
      const left = Effect.sync(() => {
        this.#doubts.delete(own)
        if (this.#doubts.size === 0) this.#ended.openUnsafe()
      })
      return Effect.ensuring(write, left)
    })
  }
}
