/**
 * The pauses between questions to an arbiter about a lease, such as those for one that another caller has:
 * each twice as long as the one before, and shortened by chance, so that those who wait do not ask all at
 * once.
 */
import { firstLeasePauseMillis, leasePauseJitter, longestLeasePauseMillis } from "./limits.ts"

export class LeasePauses {
  #millis = firstLeasePauseMillis

  /** The next pause, ms. `draw`: a random number in [0, 1). */
  next(draw: number): number {
    const pause = this.#millis * (1 - leasePauseJitter * draw)
    this.#millis = Math.min(2 * this.#millis, longestLeasePauseMillis)
    return pause
  }
}
