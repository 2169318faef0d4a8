/**
 * A bounded map whose values expire. It has no timers: a read removes an expired value, and each
 * write sweeps a few.
 */
import { recordsSweptPerWrite } from "../runtime/limits.ts"

interface Ending {
  /** From this moment on the value counts as absent. */
  readonly expiresAt: number
}

export class ExpiringMap<V extends Ending> {
  readonly #values = new Map<string, V>()
  readonly #capacity: number
  readonly #onLost: (value: V) => void
  #sweep: MapIterator<[string, V]> = this.#values.entries()

  /** Calls `onLost` for values that expired or were evicted, not for deleted or replaced ones. */
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

  /** Sets a value; beyond the capacity, evicts the key with the oldest write. */
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

  /** Loses the values whose key is chosen, expired or not. */
  loseWhere(isChosen: (key: string) => boolean): void {
    for (const [key, value] of this.#values) if (isChosen(key)) this.#lose(key, value)
  }

  /** The keys, expired or not, with that prefix, whose value is chosen. */
  keysWith(prefix: string, isChosen: (value: V) => boolean): ReadonlyArray<string> {
    const keys: Array<string> = []
    for (const [key, value] of this.#values) {
      if (key.startsWith(prefix) && isChosen(value)) keys.push(key)
    }
    return keys
  }

  /** All values as they are now, for {@link restore}. */
  copied(): ReadonlyArray<readonly [string, V]> {
    return [...this.#values]
  }

  /** Has these values instead of its own, which are lost. */
  restore(values: ReadonlyArray<readonly [string, V]>): void {
    this.loseWhere(() => true)
    for (const [key, value] of values) this.#values.set(key, value)
  }

  #lose(key: string, value: V): void {
    this.#values.delete(key)
    this.#onLost(value)
  }

  // An iterator of a Map survives deletions and sees additions, so one iterator serves many sweeps.
  #removeExpired(now: number): void {
    for (let i = 0; i < recordsSweptPerWrite; i++) {
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
