/** Tracks which change of a key began last, among changes under way in tiers behind memory. */
export class KeyTurns {
  readonly #latest = new Map<string, number>()
  #turn = 0

  /** Begins a change of the key. */
  take(k: string): number {
    this.#turn += 1
    this.#latest.set(k, this.#turn)
    return this.#turn
  }

  /** Ends a change; says whether no other change of the key has begun meanwhile. */
  end(k: string, turn: number): boolean {
    if (this.#latest.get(k) !== turn) return false
    this.#latest.delete(k)
    return true
  }
}
