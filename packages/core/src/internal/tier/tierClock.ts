/**
 * The time of a tier, as far as this node knows it: how far it is ahead of the
 * node's own, between two bounds, since a reading takes time.
 */
import { monotonicMillis } from "../runtime/monotonic.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import type { TierScope } from "../../Tier.ts"

/**
 * What is read is taken to be older, what is written to live shorter, so that no
 * life grows on its way.
 */
export interface Bounds {
  readonly least: number
  readonly most: number
}

/** How far two clocks may drift apart, in milliseconds per millisecond: what is slewed by NTP drifts as much. */
const drift = 0.0005

export class TierTime {
  readonly #clock: SteadyClock
  readonly #scope: TierScope
  /** Of the tier's clock to monotonic time; undefined for a tier that has the time of day. */
  #ahead: Bounds | undefined
  /** In monotonic time. */
  #heardAt = 0
  /** The highest number that this node was given, as far as it can be the tier's time. */
  #given = 0

  constructor(clock: SteadyClock, scope: TierScope) {
    this.#clock = clock
    this.#scope = scope
  }

  get isKnown(): boolean {
    return this.#ahead !== undefined
  }

  /**
   * What the tier told when it was asked between two moments of monotonic time. What is known from
   * earlier answers stays where it says more: over a slow way the place of a change that was missed
   * would else be above those that came after it. Not where this answer shows that the clock was set.
   */
  heard(time: number, sent: number, received: number): void {
    const heard = { least: time - received, most: time - sent }
    const known = this.#ahead ?? heard
    const drifted = (received - this.#heardAt) * drift
    this.#heardAt = received
    const least = Math.max(heard.least, known.least - drifted)
    const most = Math.min(heard.most, known.most + drifted)
    // The tier tells whole milliseconds.
    this.#ahead = least < most + 1 ? { least, most } : heard
  }

  /**
   * The place in the tier's order of what happened at a moment of monotonic time: its time
   * then, in microseconds, which the node knows but for the duration of a trip. `least` is
   * above nothing that came later, `most` above all that came before. Undefined while the
   * tier's time is not known.
   */
  placeOf(moment: number, bound: keyof Bounds): number | undefined {
    if (this.#ahead === undefined) return undefined
    const millis = this.#ahead[bound] + moment
    // The tier tells whole milliseconds.
    return bound === "least" ? Math.floor(millis * 1000) : Math.ceil((millis + 1) * 1000) - 1
  }

  /**
   * The highest number that this node was given so far. What it does now comes after that, also
   * where the tier's time is known less exactly.
   */
  get given(): number {
    return this.#given
  }

  /** A number that runs ahead of the tier's time says nothing of what comes next. */
  wasGiven(version: number): void {
    const now = this.placeOf(monotonicMillis(this.#clock), "most") ?? 0
    if (version <= now) this.#given = Math.max(this.#given, version)
  }

  get now(): number {
    return this.#clock.currentTimeMillisUnsafe() + this.offset("least")
  }

  /**
   * How much the tier's time is ahead of the node's as both are now. A tier without
   * a time of its own keeps the time of day, so that another process reads it right;
   * where no other process can, the node's.
   */
  offset(bound: keyof Bounds): number {
    const clock = this.#clock
    if (this.#ahead === undefined) return this.#scope === "process" ? 0 : -clock.behindUnsafe()
    const offset = this.#ahead[bound] + monotonicMillis(clock) - clock.currentTimeMillisUnsafe()
    return bound === "least" ? Math.floor(offset) : Math.ceil(offset)
  }
}
