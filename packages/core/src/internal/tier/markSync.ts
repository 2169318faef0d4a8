/**
 * Reads the marks that other nodes have set: asks the arbiter for unknown marks, together with reads,
 * when the last answer is too old. Many marks come in pages; entries that unread marks may cover are
 * stale until the last page has arrived.
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
  /** The longest time between two reads of the marks while the tier is read, ms. */
  readonly maxAgeMillis: number
  /** The steps of the server with the marks. */
  readonly steps: () => TierSteps
  /** Runs an effect in the background until the larder closes. */
  readonly fork: (effect: Effect.Effect<void>) => void
}

export class MarkReading {
  readonly #options: Options
  /** Concurrent requests share a trip. */
  readonly #shared = Coalesce.make<string, void, TierError>()
  /** The moment at which the newest answer was requested. */
  #readAt = -Infinity
  /** The same in monotonic time. */
  #sentAt = -Infinity
  #triedAt = -Infinity
  /** How often messages about marks may have been missed, in all and before the newest answer was requested. */
  #misses = 0
  #missesRead = 0
  #heardOf = 0
  #turn = 0
  #onTheirWay = 0
  #readsRest = false

  constructor(options: Options) {
    this.#options = options
  }

  /** The moment at which the newest answer was requested, to be compared with those of checked reads. */
  get readAt(): number {
    return this.#readAt
  }

  /** Whether the arbiter has answered at all. */
  get isKnown(): boolean {
    return this.#readAt > -Infinity
  }

  get isRecent(): boolean {
    const { marks, time } = this.#options
    const isWhole = this.#readsRest || !marks.isBehind
    const isYoung = this.#isYoung(this.#sentAt) && !time.isDoubtful
    return isWhole && this.isReadAfter(this.#misses) && marks.readUpTo >= this.#heardOf && isYoung
  }

  /** Records that the arbiter has a mark of this number: until it is read, the marks are not recent. */
  hear(number: number): void {
    this.#heardOf = Math.max(this.#heardOf, number)
  }

  /**
   * Records that messages about marks may be missing, or that the known marks are not good enough for
   * a checked read: the next read reads the marks with it, by a request from now on.
   */
  mayHaveMissed(): void {
    this.#misses += 1
  }

  /** How often messages about marks may have been missed so far. */
  get misses(): number {
    return this.#misses
  }

  /** Whether the arbiter has answered a request that was sent after so many misses. */
  isReadAfter(misses: number): boolean {
    return this.isKnown && this.#missesRead >= misses
  }

  /**
   * Whether readers of other tiers should ask the arbiter for marks. Where the arbiter does not
   * answer, they use the known marks, and ask again after `maxAgeMillis`.
   */
  get isDue(): boolean {
    return !this.#isYoung(this.#triedAt)
  }

  #isYoung(moment: number): boolean {
    const { clock, maxAgeMillis } = this.#options
    return monotonicMillis(clock) - moment < maxAgeMillis
  }

  /** Reads the unknown marks, or their first page. */
  get page(): Effect.Effect<void, TierError> {
    // Not shared with a request that was sent before messages may have been missed.
    return Effect.suspend(() => this.#shared(`page ${this.#misses}`, this.#ask))
  }

  /**
   * As `page`, but with a request that begins from now on. Callers within one turn of the event loop
   * share the trip, which begins after the turn.
   */
  get latest(): Effect.Effect<void, TierError> {
    return Effect.suspend(() => {
      const begun = Effect.suspend(() => {
        this.#turn += 1
        return this.#onTheirWay > 0 ? Effect.andThen(Effect.exit(this.page), this.page) : this.page
      })
      return this.#shared(`turn ${this.#turn}`, Effect.andThen(Effect.yieldNow, begun))
    })
  }

  get #ask(): Effect.Effect<void, TierError> {
    const { arbiter, clock, marks } = this.#options
    return Effect.suspend(() => {
      const askedAt = clock.moment()
      // A moment may be ahead of the clock: the tier's time would look too early, and the marks too young.
      const sent = monotonicMillis(clock)
      const since = marks.readUpTo
      const heardOf = this.#heardOf
      const misses = this.#misses
      this.#triedAt = sent
      this.#onTheirWay += 1
      const asked = Effect.map(arbiter.marks(since), (page) => {
        this.#options.time.heard(page.time, sent, monotonicMillis(clock))
        marks.merge(page, since, clock.currentTimeMillisUnsafe())
        this.#readAt = Math.max(this.#readAt, askedAt)
        this.#sentAt = Math.max(this.#sentAt, sent)
        this.#missesRead = Math.max(this.#missesRead, misses)
        // The arbiter may have lost the mark since: stop waiting for it.
        if (this.#heardOf === heardOf) this.#heardOf = 0
        this.#followUp()
      })
      const ended = Effect.sync(() => {
        this.#onTheirWay -= 1
      })
      return Effect.ensuring(asked, ended)
    })
  }

  /**
   * Reads the remaining pages in the background. Where the arbiter does not answer, the next read
   * continues.
   */
  #followUp(): void {
    const { fork, marks, steps } = this.#options
    if (this.#readsRest || !marks.isBehind) return
    this.#readsRest = true
    const next: Effect.Effect<void> = Effect.suspend(() => {
      const before = marks.readUpTo
      // `latest`, not `page`: the request for the previous page has not ended yet, and would be shared.
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
