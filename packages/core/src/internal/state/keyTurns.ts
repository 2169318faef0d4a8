/** Which change of a key began last, among those that are being made in tiers behind memory. */
export class KeyTurns {
  readonly #latest = new Map<string, number>()
  #turn = 0

  /** Begins a change of the key. */
  take(k: string): number {
    this.#turn += 1
    this.#latest.set(k, this.#turn)
    return this.#turn
  }

  /** Ends it; says whether no other change of the key has begun since. */
  end(k: string, turn: number): boolean {
    if (this.#latest.get(k) !== turn) return false
    this.#latest.delete(k)
    return true
  }
}
