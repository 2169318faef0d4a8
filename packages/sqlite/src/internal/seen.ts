/**
 * The highest numbers of one larder that this process has seen in its file. A new or older file
 * must not number from below them: marked and removed values would come back.
 */
import type { Tier } from "@larder/core"

export class Seen {
  #highest = 0
  #drops = false
  #losses = 0
  #lostUpTo = 0

  /** A version, token or mark number. */
  number(number: number): void {
    if (number > this.#highest) this.#highest = number
  }

  page({ dropFloor, last, marks }: Tier.MarkPage): void {
    this.number(last)
    if (dropFloor > 0 || marks.some(({ keepStale }) => !keepStale)) this.#drops = true
  }

  get highest(): number {
    return this.#highest
  }

  /** Whether this process saw a mark that drops stale values (no stale-if-error for them). */
  get drops(): boolean {
    return this.#drops
  }

  /**
   * Whether a floor of the current file is older than the numbers seen in the file that it
   * replaced; `losses` counts the replaced files in this process.
   */
  isBehind(floor: number, losses: number): boolean {
    if (this.#losses !== losses) {
      this.#losses = losses
      this.#lostUpTo = this.#highest
    }
    return this.#lostUpTo > 0 && floor <= this.#lostUpTo
  }
}
