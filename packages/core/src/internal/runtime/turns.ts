/**
 * Turns of the event loop for work that is more than a little. One piece of it is done
 * in a turn, so that everything else in the process has its turn in between.
 */
import * as Effect from "effect/Effect"
import type { Soon } from "./nextTurn.ts"

/** Keys that are worked on in one turn of the event loop: together they take a few milliseconds. */
export const fewKeys = 100

export class Turns {
  readonly #soon: Soon
  readonly #waiting = new Set<() => void>()

  constructor(soon: Soon) {
    this.#soon = soon
  }

  /** Waits for a turn that no other piece of work has. First come, first served. */
  readonly next: Effect.Effect<void> = Effect.callback((resume) => {
    const begin = () => resume(Effect.void)
    this.#waiting.add(begin)
    if (this.#waiting.size === 1) this.#soon(this.#serve)
    return Effect.sync(() => this.#waiting.delete(begin))
  })

  /** Calls `work` for all of them in their order: for the first {@link fewKeys} at once, for as many more in each later turn. */
  each<A>(
    all: ReadonlyArray<A>,
    work: (one: A, place: number) => void,
    from = 0,
  ): Effect.Effect<void> {
    return Effect.suspend(() => {
      const to = Math.min(from + fewKeys, all.length)
      for (let place = from; place < to; place++) work(all[place]!, place)
      return to < all.length
        ? Effect.flatMap(this.next, () => this.each(all, work, to))
        : Effect.void
    })
  }

  /** Waits for a new turn if there are more than {@link fewKeys}: what was done for them before has used up this one. */
  forMany({ length }: ReadonlyArray<unknown>): Effect.Effect<void> {
    return length > fewKeys ? this.next : Effect.void
  }

  readonly #serve = (): void => {
    for (const begin of this.#waiting) {
      // Taken out after it has begun: what it asks for meanwhile is for a later turn.
      begin()
      this.#waiting.delete(begin)
      break
    }
    if (this.#waiting.size > 0) this.#soon(this.#serve)
  }
}
