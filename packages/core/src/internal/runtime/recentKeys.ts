/** What is remembered of the keys that were set last: at most so many. */
export class RecentKeys<V> {
  readonly #perGeneration: number
  /**
   * Two generations: when the younger one is full it becomes the older one, whose keys are forgotten. A
   * map that deletes its oldest key for each new one must search for it.
   */
  #younger = new Map<string, V>()
  #older = new Map<string, V>()

  constructor(most: number) {
    this.#perGeneration = most / 2
  }

  get size(): number {
    return this.#younger.size + this.#older.size
  }

  get(key: string): V | undefined {
    return this.#younger.get(key) ?? this.#older.get(key)
  }

  set(key: string, value: V): void {
    if (this.#younger.size >= this.#perGeneration && !this.#younger.has(key)) {
      this.#older = this.#younger
      this.#younger = new Map()
    }
    this.#younger.set(key, value)
  }

  delete(key: string): void {
    this.#younger.delete(key)
    this.#older.delete(key)
  }
}
