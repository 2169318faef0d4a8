/**
 * Writes of the source under way where no arbiter orders changes. A change of their key in between, in
 * this node or told by another one, leaves them without a value to store.
 */

/** One write under way. */
export interface SourceWriteUnderWay {
  /** The key has changed since the write began. */
  readonly isOvertaken: boolean
}

export class SourceWrites {
  readonly #ofKey = new Map<string, Set<{ isOvertaken: boolean }>>()

  /** Keys with a write under way. */
  get size(): number {
    return this.#ofKey.size
  }

  begin(k: string): SourceWriteUnderWay {
    const write = { isOvertaken: false }
    this.#ofKey.set(k, (this.#ofKey.get(k) ?? new Set()).add(write))
    return write
  }

  end(k: string, write: SourceWriteUnderWay): void {
    const all = this.#ofKey.get(k)
    all?.delete(write)
    if (all?.size === 0) this.#ofKey.delete(k)
  }

  /** The key changes. */
  overtake(k: string): void {
    for (const write of this.#ofKey.get(k) ?? []) write.isOvertaken = true
  }
}
