/**
 * Arrays by slot number ("columns"). Each column doubles its length, from a first
 * length of its own, so that no write has to copy all of them.
 */

/** Entries use the slots from here on: 0 means "no slot", and 1 to 3 are the ends of lists. */
export const firstSlot = 4
export const none = 0

type Column = Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Uint8Array<ArrayBuffer>

/** Returns a copy of twice the length, but at most `most`, unless the column is that long already. */
export const grown = <A extends Column>(column: A, most: number): A => {
  const doubled = column.length * 2
  const length = column.length < most ? Math.min(doubled, most) : doubled
  const longer = new (column.constructor as new (length: number) => A)(length)
  longer.set(column)
  return longer
}

const chunkBits = 11
const chunkMask = (1 << chunkBits) - 1

/** Objects by slot number, in chunks: copying one array of a million pointers takes too long. */
export class Objects<A> {
  readonly #chunks: Array<Array<A>> = []
  readonly #filler: A

  /** Slots that were never set hold `filler`. */
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
    // Fill up: V8 reads arrays with holes more slowly.
    while (chunk.length < place) chunk.push(this.#filler)
    chunk[place] = value
  }
}

/** Keys and values by slot number, side by side: a hit compares the key and then reads the value. */
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

  /** Sets a slot that was set before, or the next new one. */
  set(slot: number, key: string, value: V): void {
    const at = slot >>> chunkBits
    const chunk = (this.#chunks[at] ??= [])
    const place = (slot & chunkMask) * 2
    // Fill up: V8 reads arrays with holes more slowly.
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
