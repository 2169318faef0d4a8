/** Tracks which change of a key began last, among changes under way in tiers behind memory. */
interface Turn {
  readonly turn: number
  /** The highest version of the key in a message since the change began. */
  heard: number
}

export class KeyTurns {
  readonly #latest = new Map<string, Turn>()
  #turn = 0

  /** Begins a change of the key. */
  take(k: string): number {
    this.#turn += 1
    this.#latest.set(k, { turn: this.#turn, heard: 0 })
    return this.#turn
  }

  /** Whether a change of the key has begun and not ended. */
  isUnderWay(k: string): boolean {
    return this.#latest.has(k)
  }

  /** Takes a message that the key has this version now. */
  hear(k: string, version: number): void {
    const latest = this.#latest.get(k)
    if (latest !== undefined) latest.heard = Math.max(latest.heard, version)
  }

  /**
   * Ends a change that got this version; says whether no other change of the key has begun in this node
   * meanwhile, and no message told of a later one.
   */
  end(k: string, turn: number, version: number): boolean {
    const latest = this.#latest.get(k)
    if (latest?.turn !== turn) return false
    this.#latest.delete(k)
    return latest.heard <= version
  }
}
