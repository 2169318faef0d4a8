/**
 * Turns of the event loop for work that is more than a little. One piece of it is done
 * in a turn, so that everything else in the process has its turn in between.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { monotonicMillis } from "./monotonic.ts"
import type { Soon } from "./nextTurn.ts"

/** Keys that are worked on in one turn of the event loop at most: together they take a few milliseconds. */
export const fewKeys = 100

/**
 * Milliseconds after which a piece of work leaves the rest for a later turn. Code that has
 * run only a few times is not compiled yet, and takes ten times as long for each key.
 */
export const longestPiece = 3

/** Keys between two looks at the clock. */
const keysALook = 4

export class Turns {
  readonly #soon: Soon
  readonly #clock: Clock.Clock
  readonly #waiting = new Set<() => void>()

  constructor(soon: Soon, clock: Clock.Clock) {
    this.#soon = soon
    this.#clock = clock
  }

  /** Waits for a turn that no other piece of work has. First come, first served. */
  readonly next: Effect.Effect<void> = Effect.callback((resume) => {
    const begin = () => resume(Effect.void)
    this.#waiting.add(begin)
    if (this.#waiting.size === 1) this.#soon(this.#serve)
    return Effect.sync(() => this.#waiting.delete(begin))
  })

  /**
   * Calls `work` for all of them in their order: for the first at once, for more in each
   * later turn, for {@link fewKeys} or {@link longestPiece} at a time, whichever ends first.
   */
  each<A>(
    all: ReadonlyArray<A>,
    work: (one: A, place: number) => void,
    from = 0,
  ): Effect.Effect<void> {
    return Effect.suspend(() => {
      const to = this.#piece(all, work, from)
      return to < all.length
        ? Effect.flatMap(this.next, () => this.each(all, work, to))
        : Effect.void
    })
  }

  /** Does one piece of it; gives where the next one begins. */
  #piece<A>(all: ReadonlyArray<A>, work: (one: A, place: number) => void, from: number): number {
    const to = Math.min(from + fewKeys, all.length)
    const ends = to - from > keysALook ? monotonicMillis(this.#clock) + longestPiece : Infinity
    for (let place = from; place < to; place++) {
      const isLook = place > from && (place - from) % keysALook === 0
      if (isLook && monotonicMillis(this.#clock) >= ends) return place
      work(all[place]!, place)
    }
    return to
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
