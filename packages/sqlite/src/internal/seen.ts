/**
 * The highest numbers of one larder that this process has seen in its file. A file
 * that was lost, or replaced by an older one, must not count from below: what was
 * marked or removed would come back.
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

  /** Whether a mark was seen that leaves no value for error grace. */
  get drops(): boolean {
    return this.#drops
  }

  /**
   * Whether a floor of the file is from before what was seen, in a file that took
   * the place of another; `losses` counts those of this process.
   */
  isBehind(floor: number, losses: number): boolean {
    if (this.#losses !== losses) {
      this.#losses = losses
      this.#lostUpTo = this.#highest
    }
    return this.#lostUpTo > 0 && floor <= this.#lostUpTo
  }
}
