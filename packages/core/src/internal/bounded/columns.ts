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

const chunkBits = 12
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

  /** At a slot that was set before, or the next one. */
  set(slot: number, value: A): void {
    const at = slot >>> chunkBits
    const chunk = (this.#chunks[at] ??= [])
    const place = slot & chunkMask
    while (chunk.length < place) chunk.push(this.#filler)
    chunk[place] = value
  }

  delete(slot: number): void {
    this.set(slot, this.#filler)
  }
}
