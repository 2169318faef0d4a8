/**
 * Splits long work into turns of the event loop, so that other work in the process runs in between.
 *
 * Only the work of large calls queues for turns. A busy node has fewer turns than small calls have
 * steps, so a queue of them would only grow. A step of a small call waits for the next turn at most.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { monotonicMillis } from "./monotonic.ts"
import type { Soon } from "./nextTurn.ts"
import { fewKeys, keysPerPiece, pieceMillis } from "./limits.ts"

/** ms. A turn that has worked less counts as a new one. Work on {@link fewKeys} has so much of every turn. */
const littleMillis = 1

/** How work on many waits for its turns. */
export interface Patience {
  /** Each turn has a piece of the work, whatever else it has. So it is for work of one piece at most. */
  readonly isPrompt?: boolean
  /** In the turn after this moment of monotonic time, all the rest is done. */
  readonly by?: number
  /** No caller waits for the work: what callers wait for goes first. */
  readonly isLater?: boolean
}

const queued: Patience = {}

interface Waiting extends Patience {
  readonly begin: () => void
}

const isDue = ({ by = Infinity, isPrompt = false }: Patience, now: number): boolean =>
  isPrompt || by <= now

export class Turns {
  /** Runs a task in a later turn, beside other work. */
  readonly soon: Soon
  readonly #clock: Clock.Clock
  /** Work that callers wait for, and work that begins or ends something, which comes after it. */
  readonly #first = new Set<Waiting>()
  readonly #later = new Set<Waiting>()
  /** The last turn had no time for `#later`. */
  #owesLater = false
  /** The last turn had time for nothing that queues. */
  #isPutOff = false
  #isAsked = false
  /** For how long pieces have worked in the current turn, ms. */
  #worked = 0
  /** When the waiting work began that goes on now, in monotonic time. */
  #serving: number | undefined

  constructor(soon: Soon, clock: Clock.Clock) {
    this.soon = soon
    this.#clock = clock
  }

  /** Waits for a later turn, to begin something new, or to end something that no caller waits for. */
  readonly next: Effect.Effect<void> = this.#wait({ isLater: true })
  /** Waits for the turn after this one, whatever else it has. */
  readonly following: Effect.Effect<void> = this.#wait({ isLater: true, isPrompt: true })

  /**
   * Calls `work` for all in order: the first piece at once, each further piece in a later turn. A piece
   * ends after {@link keysPerPiece} or when it, with the pieces before it in its turn, has worked for
   * {@link pieceMillis}, whichever comes first. The first piece waits too where earlier ones have used
   * the turn up, but never for {@link fewKeys}.
   */
  each<A>(
    all: ReadonlyArray<A>,
    work: (one: A, place: number) => void,
    patience = queued,
  ): Effect.Effect<void> {
    const isPrompt = patience.isPrompt === true || all.length <= keysPerPiece
    const own = isPrompt ? { ...patience, isPrompt } : patience
    const from = (start: number, hasWaited: boolean): Effect.Effect<void> =>
      Effect.suspend(() => {
        const to = this.#piece(all, work, start, own, hasWaited)
        return to < all.length ? Effect.flatMap(this.#wait(own), () => from(to, true)) : Effect.void
      })
    return from(0, false)
  }

  /** Waits for a new turn if there are more than {@link keysPerPiece}: earlier work on them has used this turn. */
  forMany({ length }: ReadonlyArray<unknown>): Effect.Effect<void> {
    return length > keysPerPiece ? this.next : Effect.void
  }

  #wait(patience: Patience): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const lane = patience.isLater === true ? this.#later : this.#first
      const waiting = { ...patience, begin: () => resume(Effect.void) }
      lane.add(waiting)
      this.#ask()
      return Effect.sync(() => lane.delete(waiting))
    })
  }

  /** Does one piece; returns the index of the next. */
  #piece<A>(
    all: ReadonlyArray<A>,
    work: (one: A, place: number) => void,
    from: number,
    patience: Patience,
    hasWaited: boolean,
  ): number {
    if (from === all.length) return from
    const began = monotonicMillis(this.#clock)
    const isOverdue = (patience.by ?? Infinity) <= began
    const to = isOverdue ? all.length : Math.min(from + keysPerPiece, all.length)
    const until = isOverdue
      ? Infinity
      : began + this.#millisFor(patience, hasWaited, began, all.length)
    let now = began
    let place = from
    while (place < to && now < until) {
      work(all[place]!, place)
      place += 1
      now = monotonicMillis(this.#clock)
    }
    // The waiting work that this piece belongs to is counted as a whole.
    if (this.#serving === undefined) this.#count(now - began)
    return place
  }

  /** For how long a piece of work on `count` may work, ms. */
  #millisFor({ isPrompt }: Patience, hasWaited: boolean, now: number, count: number): number {
    const left = pieceMillis - this.#workedAt(now)
    // What has waited has its turn, whatever came before it there.
    if (hasWaited) return isPrompt === true || left <= 0 ? pieceMillis : left
    return count <= fewKeys ? Math.max(left, littleMillis) : left
  }

  /** For how long the current turn has worked by now. */
  #workedAt(now: number): number {
    return this.#serving === undefined ? this.#worked : this.#worked + now - this.#serving
  }

  #count(millis: number): void {
    this.#worked += millis
    // The next turn sets it to 0.
    if (this.#worked >= littleMillis) this.#ask()
  }

  #ask(): void {
    if (this.#isAsked) return
    this.#isAsked = true
    this.soon(this.#serve)
  }

  /** Begins work that waits: all that is due, then what there is time for. */
  readonly #serve = (): void => {
    this.#worked = 0
    // Asks for the next turn at the end: what this one begins may ask for its own before.
    if (this.#size > 0) this.#beginAll()
    this.#isAsked = false
    if (this.#size > 0 || this.#worked >= littleMillis) this.#ask()
  }

  #beginAll(): void {
    const now = monotonicMillis(this.#clock)
    // What waits again at the end of its piece has its next one in a later turn.
    const owed = this.#owesLater ? [...this.#later].slice(0, 1) : []
    const inOrder = [...owed, ...this.#first, ...this.#later]
    for (const waiting of inOrder) if (isDue(waiting, now)) this.#begin(waiting)
    // What queues has a piece in every other turn at least.
    this.#isPutOff = !this.#isPutOff && this.#worked >= pieceMillis
    if (!this.#isPutOff) this.#beginInTime(inOrder)
  }

  #beginInTime(inOrder: ReadonlyArray<Waiting>): void {
    this.#owesLater = this.#later.size > 0
    let isFirst = true
    for (const waiting of inOrder) {
      if (!isFirst && this.#worked >= pieceMillis) return
      const isLater = this.#later.has(waiting)
      if (!this.#begin(waiting)) continue
      isFirst = false
      if (isLater) this.#owesLater = false
    }
  }

  get #size(): number {
    return this.#first.size + this.#later.size
  }

  /** Begins work, and returns true, unless it was given up. */
  #begin(waiting: Waiting): boolean {
    if (!this.#first.delete(waiting) && !this.#later.delete(waiting)) return false
    const began = monotonicMillis(this.#clock)
    this.#serving = began
    waiting.begin()
    this.#serving = undefined
    this.#count(monotonicMillis(this.#clock) - began)
    return true
  }
}
