/**
 * A 32-bit hash of a string. Each pair of UTF-16 units takes an xor, a product, a
 * rotation and a second product; the finalizer of MurmurHash3 ends the hash. The
 * multipliers are secret, so that an attacker cannot prepare keys that collide. One
 * product for each pair is not enough: two hashes that differ only in the highest
 * bit still differ only there after a product with any odd number, and the next
 * pair of an attacker could cancel the difference under every secret.
 */
export interface HashKey {
  readonly start: number
  readonly first: number
  readonly second: number
}

/** Makes a hash key from a random 32-bit number. */
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

/** The finalizer of MurmurHash3: every bit of the input affects every bit of the output. */
export const finish = (hash: number): number => {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
