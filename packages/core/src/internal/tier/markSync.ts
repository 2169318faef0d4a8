/**
 * How a node learns of the marks that others have set: it asks the arbiter for
 * those that it does not know, beside a read and now and then. Many marks come in
 * pages; what they may cover is stale until the last page is there.
 */
import * as Effect from "effect/Effect"
import * as Coalesce from "../../Coalesce.ts"
import type { Arbiter, TierError } from "../../Tier.ts"
import type { Marks } from "../invalidation/marks.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import type { TierSteps } from "./guardedCalls.ts"
import type { TierTime } from "./tierClock.ts"

export interface Options {
  readonly arbiter: Arbiter
  readonly marks: Marks
  readonly clock: SteadyClock
  readonly time: TierTime
  /** Marks that nodes set elsewhere are looked for at most this much later, while the tier is read. */
  readonly maxAgeMillis: number
  /** Of the server that has the marks. */
  readonly steps: () => TierSteps
  /** Runs in the background, until the larder closes. */
  readonly fork: (effect: Effect.Effect<void>) => void
}

export class MarkReading {
  readonly #options: Options
  /** Those who ask at the same time share a trip. */
  readonly #shared = Coalesce.make<string, void, TierError>()
  /** In monotonic time: when the newest answer was asked for. */
  #readAt = -Infinity
  #triedAt = -Infinity
  #heardOf = 0
  #turn = 0
  #isOnItsWay = false
  #readsRest = false

  constructor(options: Options) {
    this.#options = options
  }

  /** When the marks were read last, in monotonic time. */
  get readAt(): number {
    return this.#readAt
  }

  /** Whether there was any answer so far. */
  get isKnown(): boolean {
    return this.#readAt > -Infinity
  }

  get isRecent(): boolean {
    const { marks } = this.#options
    const isWhole = this.#readsRest || !marks.isBehind
    return isWhole && marks.readUpTo >= this.#heardOf && this.#isYoung(this.#readAt)
  }

  /** The arbiter has a mark of this number: as long as it is not known, nothing is recent. */
  hear(number: number): void {
    this.#heardOf = Math.max(this.#heardOf, number)
  }

  /**
   * Whether those who do not ask the arbiter should ask it for marks. Where it does not
   * answer, they go on by the marks that are known, and ask again after a while.
   */
  get isDue(): boolean {
    return !this.#isYoung(this.#triedAt)
  }

  #isYoung(moment: number): boolean {
    const { clock, maxAgeMillis } = this.#options
    return monotonicMillis(clock) - moment < maxAgeMillis
  }

  /** The marks that are not known yet, or the first page of them. */
  get page(): Effect.Effect<void, TierError> {
    return this.#shared("page", this.#ask)
  }

  /**
   * As `page`, but for an answer that is asked for from now on. Those who want that in one turn of
   * the event loop share the trip, which begins after the turn.
   */
  get latest(): Effect.Effect<void, TierError> {
    return Effect.suspend(() => {
      const begun = Effect.suspend(() => {
        this.#turn += 1
        return this.#isOnItsWay ? Effect.andThen(Effect.exit(this.page), this.page) : this.page
      })
      return this.#shared(`turn ${this.#turn}`, Effect.andThen(Effect.yieldNow, begun))
    })
  }

  get #ask(): Effect.Effect<void, TierError> {
    const { arbiter, clock, marks } = this.#options
    return Effect.suspend(() => {
      const sent = monotonicMillis(clock)
      const since = marks.readUpTo
      const heardOf = this.#heardOf
      this.#triedAt = sent
      this.#isOnItsWay = true
      const asked = Effect.map(arbiter.marks(since), (page) => {
        this.#options.time.heard(page.time, sent, monotonicMillis(clock))
        marks.merge(page, since, clock.currentTimeMillisUnsafe())
        this.#readAt = sent
        // What the arbiter has lost since will never be known.
        if (this.#heardOf === heardOf) this.#heardOf = 0
        this.#followUp()
      })
      const ended = Effect.sync(() => {
        this.#isOnItsWay = false
      })
      return Effect.ensuring(asked, ended)
    })
  }

  /**
   * Reads the pages that are left in the background: nobody waits for all of them. Where the
   * arbiter does not answer, whoever reads next goes on.
   */
  #followUp(): void {
    const { fork, marks, steps } = this.#options
    if (this.#readsRest || !marks.isBehind) return
    this.#readsRest = true
    const next: Effect.Effect<void> = Effect.suspend(() => {
      const before = marks.readUpTo
      // Not the page that has just come: this begins before it has ended.
      return Effect.flatMap(steps().run("marks", Effect.as(this.latest, true)), (done) => {
        const goesOn = done === true && marks.isBehind && marks.readUpTo > before
        return goesOn ? next : Effect.void
      })
    })
    const ended = Effect.sync(() => {
      this.#readsRest = false
    })
    fork(Effect.ensuring(next, ended))
  }
}
