/**
 * Estimates how often a key was requested lately: a count-min sketch of 4-bit
 * counters in four rows. All counters are halved from time to time, so that old
 * requests count less (G. Einziger, R. Friedman, B. Manes, "TinyLFU: A Highly
 * Efficient Cache Admission Policy", ACM TOS 2017). The four counters of a key lie
 * in one block of 64 bytes, so that counting touches one cache line.
 */

const blockBits = 4
const blockLength = 1 << blockBits
/** One block counts for this many entries: 8 bytes for each. */
const entriesPerBlock = 8
/** Counters are halved after this many counts for each entry. */
const sampleFactor = 10
const fewestEntries = 16
/** While counters are being halved, each count halves this many words of eight counters. */
const halvedPerCount = 256

export class FrequencySketch {
  #counters = new Int32Array((fewestEntries / entriesPerBlock) * blockLength)
  #blockMask = fewestEntries / entriesPerBlock - 1
  #entries = fewestEntries
  #counted = 0
  /** The number of words that have been halved; the length of `#counters` when none is left to halve. */
  #halved = this.#counters.length

  /** Makes room for this many entries, and keeps the counts. */
  ensure(entries: number): void {
    if (entries <= this.#entries) return
    this.#entries = entries
    let blocks = this.#blockMask + 1
    while (entries > blocks * entriesPerBlock) blocks *= 2
    if (blocks - 1 > this.#blockMask) this.#grow(blocks)
  }

  #grow(blocks: number): void {
    const before = this.#counters
    while (this.#halved < before.length) this.#halve()
    const grown = new Int32Array(blocks * blockLength)
    this.#halved = grown.length
    this.#counters = grown
    this.#blockMask = blocks - 1
    if (this.#counted === 0) return
    // The new mask sends a hash to one of the copies of its old block, so all copies have its counts.
    for (let at = 0; at < grown.length; at += before.length) grown.set(before, at)
  }

  /** The estimate for a hash, from 0 to 15. */
  of(hash: number): number {
    const counters = this.#counters
    const block = (hash & this.#blockMask) << blockBits
    let picks = picksOf(hash)
    let least = 15
    for (let row = 0; row < blockLength; row += 4) {
      const count = (counters[block + row + (picks & 3)]! >>> (picks & 28)) & 15
      if (count < least) least = count
      picks >>>= 5
    }
    return least
  }

  add(hash: number): void {
    const counters = this.#counters
    const block = (hash & this.#blockMask) << blockBits
    const picks = picksOf(hash)
    // Not a loop over the rows: these four lines are most of the cost of a hit.
    const added =
      raise(counters, block + (picks & 3), picks & 28) |
      raise(counters, block + 4 + ((picks >>> 5) & 3), (picks >>> 5) & 28) |
      raise(counters, block + 8 + ((picks >>> 10) & 3), (picks >>> 10) & 28) |
      raise(counters, block + 12 + ((picks >>> 15) & 3), (picks >>> 15) & 28)
    this.#counted += added
    if (this.#counted >= this.#entries * sampleFactor) {
      this.#counted >>>= 1
      this.#halved = 0
    }
    if (this.#halved < counters.length) this.#halve()
  }

  /** Halves the next part of the counters: all counters of a million entries at once take too long for one write. */
  #halve(): void {
    const counters = this.#counters
    const end = Math.min(this.#halved + halvedPerCount, counters.length)
    for (let i = this.#halved; i < end; i += 1) counters[i] = (counters[i]! >>> 1) & 0x77777777
    this.#halved = end
  }
}

/** Adds 1 to a counter; returns 1, or 0 when the counter is at its maximum. */
const raise = (counters: Int32Array, at: number, shift: number): number => {
  const word = counters[at]!
  if (((word >>> shift) & 15) === 15) return 0
  counters[at] = word + (1 << shift)
  return 1
}

/** Five bits for each row: two choose one of four words, three choose one of its eight counters. */
const picksOf = (hash: number): number => {
  const mixed = Math.imul(hash, 0x31848bab)
  return mixed ^ (mixed >>> 14)
}
