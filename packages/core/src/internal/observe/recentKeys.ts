/** When something last happened to a key, for the keys to which it happened last. */
import { stampedeKeys } from "../runtime/limits.ts"

export class RecentKeys {
  /** Two generations, as in `Stampedes`: the older one is forgotten when the younger one is full. */
  #younger = new Map<string, number>()
  #older = new Map<string, number>()

  get size(): number {
    return this.#younger.size + this.#older.size
  }

  add(key: string, at: number): void {
    if (this.#younger.size >= stampedeKeys / 2 && !this.#younger.has(key)) {
      this.#older = this.#younger
      this.#younger = new Map()
    }
    this.#younger.set(key, at)
  }

  /** `-Infinity` for a key that is not known. */
  lastAt(key: string): number {
    return this.#younger.get(key) ?? this.#older.get(key) ?? -Infinity
  }
}
