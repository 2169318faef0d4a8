/**
 * Splits long work into turns of the event loop, one piece in each turn, so that other work in the
 * process runs in between.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { monotonicMillis } from "./monotonic.ts"
import type { Soon } from "./nextTurn.ts"
import { keysPerPiece, pieceMillis } from "./limits.ts"

/** ms. A turn that has worked less is not remembered: the next piece in it has a full {@link pieceMillis}. */
const littleMillis = 1

export class Turns {
  /** Runs a task in a later turn, beside other work. */
  readonly soon: Soon
  readonly #clock: Clock.Clock
  readonly #waiting = new Set<() => void>()
  #isAsked = false
  /** When the current turn began to work, in monotonic time; undefined while it has hardly worked. */
  #began: number | undefined

  constructor(soon: Soon, clock: Clock.Clock) {
    this.soon = soon
    this.#clock = clock
  }

  /** Waits for a turn of its own, first come, first served. */
  readonly next: Effect.Effect<void> = Effect.callback((resume) => {
    const begin = () => resume(Effect.void)
    this.#waiting.add(begin)
    this.#ask()
    return Effect.sync(() => this.#waiting.delete(begin))
  })

  /**
   * Calls `work` for all in order: the first piece at once, each further piece in a later turn. A piece
   * ends after {@link keysPerPiece} or when its turn has worked for {@link pieceMillis}, whichever comes
   * first. The first piece waits too where earlier pieces have used the turn up.
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
    if (from === to) return to
    let now = monotonicMillis(this.#clock)
    const began = this.#began ?? now
    let place = from
    while (place < to && (now === began || now < began + pieceMillis)) {
      work(all[place]!, place)
      place += 1
      now = monotonicMillis(this.#clock)
    }
    this.#worked(began, now)
    return place
  }

  /** Remembers until the next turn for how long this one has worked. */
  #worked(began: number, now: number): void {
    this.#began = now - began < littleMillis ? undefined : began
    if (this.#began !== undefined) this.#ask()
  }

  /** Waits for a new turn if there are more than {@link keysPerPiece}: earlier work on them has used this turn. */
  forMany({ length }: ReadonlyArray<unknown>): Effect.Effect<void> {
    return length > keysPerPiece ? this.next : Effect.void
  }

  #ask(): void {
    if (this.#isAsked) return
    this.#isAsked = true
    this.soon(this.#serve)
  }

  readonly #serve = (): void => {
    this.#isAsked = false
    this.#began = undefined
    const [begin] = this.#waiting
    if (begin === undefined) return
    const began = monotonicMillis(this.#clock)
    this.#began = began
    begin()
    this.#waiting.delete(begin)
    this.#worked(began, monotonicMillis(this.#clock))
    if (this.#waiting.size > 0) this.#ask()
  }
}
