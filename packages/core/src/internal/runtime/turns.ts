/**
 * Splits long work into turns of the event loop, one piece in each turn, so that other work in the
 * process runs in between.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { monotonicMillis } from "./monotonic.ts"
import type { Soon } from "./nextTurn.ts"
import { keysPerPiece, pieceMillis } from "./limits.ts"

/** Keys between two readings of the clock. */
const keysALook = 4

export class Turns {
  readonly #soon: Soon
  readonly #clock: Clock.Clock
  readonly #waiting = new Set<() => void>()

  constructor(soon: Soon, clock: Clock.Clock) {
    this.#soon = soon
    this.#clock = clock
  }

  /** Waits for a turn of its own, first come, first served. */
  readonly next: Effect.Effect<void> = Effect.callback((resume) => {
    const begin = () => resume(Effect.void)
    this.#waiting.add(begin)
    if (this.#waiting.size === 1) this.#soon(this.#serve)
    return Effect.sync(() => this.#waiting.delete(begin))
  })

  /**
   * Calls `work` for all in order: the first piece at once, each further piece in a later turn. A piece
   * ends after {@link keysPerPiece} or {@link pieceMillis}, whichever comes first.
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

  /** Does one piece; returns the index of the next. */
  #piece<A>(all: ReadonlyArray<A>, work: (one: A, place: number) => void, from: number): number {
    const to = Math.min(from + keysPerPiece, all.length)
    const ends = to - from > keysALook ? monotonicMillis(this.#clock) + pieceMillis : Infinity
    for (let place = from; place < to; place++) {
      const isLook = place > from && (place - from) % keysALook === 0
      if (isLook && monotonicMillis(this.#clock) >= ends) return place
      work(all[place]!, place)
    }
    return to
  }

  /** Waits for a new turn if there are more than {@link keysPerPiece}: earlier work on them has used this turn. */
  forMany({ length }: ReadonlyArray<unknown>): Effect.Effect<void> {
    return length > keysPerPiece ? this.next : Effect.void
  }

  readonly #serve = (): void => {
    for (const begin of this.#waiting) {
      // Deleted after it has begun, so that a turn requested meanwhile is a later one.
      begin()
      this.#waiting.delete(begin)
      break
    }
    if (this.#waiting.size > 0) this.#soon(this.#serve)
  }
}
