/**
 * The time of a tier as this node knows it: an offset to the node's clock, between two bounds, since a
 * reading takes a round trip.
 */
import { setForwardMillis } from "../runtime/limits.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import type { TierScope } from "../../Tier.ts"

/**
 * Bounds of an offset. Entries that are read count as older, and entries that are written live
 * shorter, so that no life grows on the way.
 */
export interface Bounds {
  readonly least: number
  readonly most: number
}

/** How far two clocks may drift apart, in milliseconds per millisecond: the slew rate of NTP. */
const drift = 0.0005

export class TierTime {
  readonly #clock: SteadyClock
  readonly #scope: TierScope
  /** The offset of the tier's clock to monotonic time; undefined until the tier has told its time. */
  #ahead: Bounds | undefined
  /** When the tier last told its time, in monotonic time. */
  #heardAt = 0
  /** The lead of this node's time of day over monotonic time then. */
  #leadThen = Infinity
  /** The highest version that the tier gave to this node, as far as it can be the tier's time. */
  #given = 0

  constructor(clock: SteadyClock, scope: TierScope) {
    this.#clock = clock
    this.#scope = scope
  }

  get isKnown(): boolean {
    return this.#ahead !== undefined
  }

  /** Whether the tier's time is known up to so many milliseconds. */
  isWithin(millis: number): boolean {
    if (this.#ahead === undefined) return false
    const { least, most } = this.#ahead
    return most - least + 2 * this.#drifted(monotonicMillis(this.#clock)) <= millis
  }

  /** How far the two clocks may have drifted apart between the last answer and a moment of monotonic time. */
  #drifted(moment: number): number {
    return Math.abs(moment - this.#heardAt) * drift
  }

  /**
   * Takes in the tier's time, told between two moments of monotonic time. Earlier bounds stay where
   * they are tighter: after a slow trip, the place of a missed change would otherwise be above those
   * of later changes. If the bounds contradict each other, the clock was set, and only the new ones
   * count.
   */
  heard(time: number, sent: number, received: number): void {
    const heard = { least: time - received, most: time - sent }
    const known = this.#ahead ?? heard
    const drifted = this.#drifted(received)
    this.#heardAt = received
    this.#leadThen = this.#lead
    const least = Math.max(heard.least, known.least - drifted)
    const most = Math.min(heard.most, known.most + drifted)
    // The tier tells whole milliseconds.
    this.#ahead = least < most + 1 ? { least, most } : heard
  }

  /**
   * Whether this node's clock was set forward since the tier told its time. A tier on the same machine
   * was set with it: an entry that is written with the old offset ends when the new one is known.
   */
  get isDoubtful(): boolean {
    return this.#lead - this.#leadThen > setForwardMillis
  }

  get #lead(): number {
    return this.#clock.currentTimeMillisUnsafe() - monotonicMillis(this.#clock)
  }

  /**
   * The place in the tier's order of an event at a moment of monotonic time: the tier's time then, in
   * microseconds, known up to the duration of a trip, and to how far the clocks may have drifted apart
   * between the moment and the last answer. `least` is above no later event, `most` is above all earlier
   * ones. Undefined while the tier's time is unknown.
   *
   * For a moment after the last answer, `most` leaves the drift out: after an hour without an answer, a
   * change of this node would stay above those that others make for seconds. Its replay asks again.
   */
  placeOf(moment: number, bound: keyof Bounds): number | undefined {
    if (this.#ahead === undefined) return undefined
    const millis = this.#ahead[bound] + moment
    const drifted = this.#drifted(moment)
    if (bound === "least") return Math.floor((millis - drifted) * 1000)
    const later = moment > this.#heardAt ? 0 : drifted
    // The tier tells whole milliseconds.
    return Math.ceil((millis + later + 1) * 1000) - 1
  }

  /**
   * The highest version that the tier gave to this node, or told it of. A change of this node now comes
   * after it, however exactly the tier's time is known.
   */
  get given(): number {
    return this.#given
  }

  /** Records a version that the tier gave, or told of, unless it is ahead of the tier's time. */
  wasGiven(version: number): void {
    if (version <= this.#given) return
    const now = this.placeOf(monotonicMillis(this.#clock), "most") ?? 0
    if (version <= now) this.#given = version
  }

  get now(): number {
    return this.#clock.currentTimeMillisUnsafe() + this.offset("least")
  }

  /**
   * How far the tier's time is ahead of the node's now, ms. A tier without a clock uses the time of day,
   * so that other processes read it right; a tier of scope `"process"` uses the node's time.
   */
  offset(bound: keyof Bounds): number {
    const clock = this.#clock
    if (this.#ahead === undefined) return this.#scope === "process" ? 0 : -clock.behindUnsafe()
    const offset = this.#ahead[bound] + monotonicMillis(clock) - clock.currentTimeMillisUnsafe()
    return bound === "least" ? Math.floor(offset) : Math.ceil(offset)
  }
}
