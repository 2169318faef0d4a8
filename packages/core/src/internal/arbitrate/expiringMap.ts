/**
 * A bounded map whose values have an end. No timers: what has ended is removed
 * when it is met, and every write meets a few.
 */

interface Ending {
  /** From this moment on the value is as good as absent. */
  readonly expiresAt: number
}

/** More than the one that a write adds, so that the sweep gains on the writes. */
const sweptPerWrite = 4

export class ExpiringMap<V extends Ending> {
  readonly #values = new Map<string, V>()
  readonly #capacity: number
  readonly #onLost: (value: V) => void
  #sweep: MapIterator<[string, V]> = this.#values.entries()

  /** `onLost` hears of values that expired or had to make room, not of those deleted or replaced. */
  constructor(capacity: number, onLost: (value: V) => void) {
    this.#capacity = capacity
    this.#onLost = onLost
  }

  get size(): number {
    return this.#values.size
  }

  get(key: string, now: number): V | undefined {
    const value = this.#values.get(key)
    if (value === undefined || now < value.expiresAt) return value
    this.#lose(key, value)
    return undefined
  }

  /** The key becomes the youngest; the oldest written one makes room where there is none. */
  set(key: string, value: V, now: number): void {
    this.#values.delete(key)
    this.#values.set(key, value)
    this.#removeExpired(now)
    for (const [oldest, lost] of this.#values) {
      if (this.#values.size <= this.#capacity) return
      this.#lose(oldest, lost)
    }
  }

  delete(key: string): void {
    this.#values.delete(key)
  }

  #lose(key: string, value: V): void {
    this.#values.delete(key)
    this.#onLost(value)
  }

  // Iterators of a Map survive deletions and see additions, so one goes round for ever.
  #removeExpired(now: number): void {
    for (let i = 0; i < sweptPerWrite; i++) {
      const next = this.#sweep.next()
      if (next.done) {
        this.#sweep = this.#values.entries()
        return
      }
      const [key, value] = next.value
      if (now >= value.expiresAt) this.#lose(key, value)
    }
  }
}
