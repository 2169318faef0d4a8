/**
 * Which numbered messages have arrived at one subscription. A late message is not a missing one, so
 * holes count only when a heartbeat says how many messages there are.
 */
export class Arrivals {
  /** Messages up to this number have arrived, or were reported as missing. */
  #upTo: number
  readonly #later = new Set<number>()

  /** `upTo`: the number of the last message before the subscription began. */
  constructor(upTo: number) {
    this.#upTo = upTo
  }

  /** A message has arrived: late, twice and in any order too. */
  add(number: number): void {
    if (number <= this.#upTo) return
    this.#later.add(number)
    while (this.#later.delete(this.#upTo + 1)) this.#upTo += 1
  }

  /** Whether a message up to this number is missing. Reports each one once. */
  lacks(number: number): boolean {
    if (number <= this.#upTo) return false
    this.#upTo = number
    for (const later of this.#later) if (later <= number) this.#later.delete(later)
    while (this.#later.delete(this.#upTo + 1)) this.#upTo += 1
    return true
  }
}
