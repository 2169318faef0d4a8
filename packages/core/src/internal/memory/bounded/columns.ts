/**
 * Columns: what is known of a slot, in arrays by slot number. They grow by
 * doubling, each from a length of its own, so that no single write pays for all.
 */

/** Slot 0 is no slot, and a few after it are the ends of lists. */
export const firstSlot = 4
export const none = 0

type Column = Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Uint8Array<ArrayBuffer>

/** A copy with twice the room; no more than `most`, unless it has that already. */
export const grown = <A extends Column>(column: A, most: number): A => {
  const doubled = column.length * 2
  const length = column.length < most ? Math.min(doubled, most) : doubled
  const longer = new (column.constructor as new (length: number) => A)(length)
  longer.set(column)
  return longer
}

const chunkBits = 11
const chunkMask = (1 << chunkBits) - 1

/** Objects by slot number, in chunks: an array of a million pointers takes too long to copy. */
export class Objects<A> {
  readonly #chunks: Array<Array<A>> = []
  readonly #filler: A

  /** `filler` stands where nothing is. */
  constructor(filler: A) {
    this.#filler = filler
  }

  get(slot: number): A {
    return this.#chunks[slot >>> chunkBits]![slot & chunkMask]!
  }

  set(slot: number, value: A): void {
    const at = slot >>> chunkBits
    while (this.#chunks.length <= at) this.#chunks.push([])
    const chunk = this.#chunks[at]!
    const place = slot & chunkMask
    // Without holes, which would make every read of the array look for them.
    while (chunk.length < place) chunk.push(this.#filler)
    chunk[place] = value
  }
}

/**
 * Keys and values by slot number, side by side, since who compares the key reads
 * the value next.
 */
export class Pairs<V> {
  readonly #chunks: Array<Array<string | V | undefined>> = []

  key(slot: number): string {
    return this.#chunks[slot >>> chunkBits]![(slot & chunkMask) * 2] as string
  }

  value(slot: number): V {
    return this.#chunks[slot >>> chunkBits]![(slot & chunkMask) * 2 + 1] as V
  }

  setValue(slot: number, value: V): void {
    this.#chunks[slot >>> chunkBits]![(slot & chunkMask) * 2 + 1] = value
  }

  /** At a slot that was set before, or the next one. */
  set(slot: number, key: string, value: V): void {
    const at = slot >>> chunkBits
    const chunk = (this.#chunks[at] ??= [])
    const place = (slot & chunkMask) * 2
    // Without holes, which would make every read of the array look for them.
    while (chunk.length < place) chunk.push(undefined)
    chunk[place] = key
    chunk[place + 1] = value
  }

  delete(slot: number): void {
    const chunk = this.#chunks[slot >>> chunkBits]!
    const place = (slot & chunkMask) * 2
    chunk[place] = undefined
    chunk[place + 1] = undefined
  }
}
