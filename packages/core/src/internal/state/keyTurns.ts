/** Tracks which change of a key began last, among changes under way in tiers behind memory. */

/** One change under way. */
export interface Turn {
  /** The highest version of the key in a message since the change began. */
  readonly heard: number
}

interface OfKey {
  last: Turn
  readonly active: Set<{ heard: number }>
}

export class KeyTurns {
  readonly #ofKey = new Map<string, OfKey>()

  /** Begins a change of the key. */
  take(k: string): Turn {
    const turn = { heard: 0 }
    const known = this.#ofKey.get(k)
    if (known === undefined) this.#ofKey.set(k, { last: turn, active: new Set([turn]) })
    else {
      known.last = turn
      known.active.add(turn)
    }
    return turn
  }

  /** Whether a change of the key has begun and not ended. */
  isUnderWay(k: string): boolean {
    return this.#ofKey.has(k)
  }

  /** Takes a message that the key has this version now. */
  hear(k: string, version: number): void {
    const turns = this.#ofKey.get(k)?.active ?? []
    for (const turn of turns) turn.heard = Math.max(turn.heard, version)
  }

  /**
   * Ends a change that got this version; says whether no other change of the key has begun in this node
   * meanwhile, and no message told of a later one.
   */
  end(k: string, turn: Turn, version: number): boolean {
    const known = this.#ofKey.get(k)
    if (known === undefined) return false
    known.active.delete(turn)
    if (known.active.size === 0) this.#ofKey.delete(k)
    return known.last === turn && turn.heard <= version
  }
}
