/**
 * A 32-bit hash of a string: over pairs of UTF-16 units xor, multiply, rotate and
 * multiply, with secret multipliers, so that nobody can prepare keys that collide,
 * and the finalizer of MurmurHash3. One product for each pair would not do: two
 * hashes that differ in the highest bit alone still do after any odd product, so
 * that the next pair could undo it under every secret.
 */
export interface HashKey {
  readonly start: number
  readonly first: number
  readonly second: number
}

/** From a random 32-bit number. */
export const hashKey = (seed: number): HashKey => {
  const start = finish(seed ^ 0x2545f491)
  const first = finish(start ^ 0x68e31da4) | 1
  return { start, first, second: finish(first ^ 0x1b56c4e9) | 1 }
}

export const stringHash = (text: string, { first, second, start }: HashKey): number => {
  const { length } = text
  let hash = start ^ length
  let i = 0
  for (; i + 1 < length; i += 2) {
    const pair = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16)
    hash = Math.imul(hash ^ pair, first)
    hash = Math.imul((hash << 15) | (hash >>> 17), second)
  }
  if (i < length) {
    hash = Math.imul(hash ^ text.charCodeAt(i), first)
    hash = Math.imul((hash << 15) | (hash >>> 17), second)
  }
  return finish(hash)
}

/** Every bit of the input reaches every bit of the output. */
export const finish = (hash: number): number => {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
