/**
 * A 32-bit hash of a string: FxHash's rotate, xor, multiply over pairs of UTF-16
 * units, with a secret multiplier, so that nobody can prepare keys that collide,
 * and the finalizer of MurmurHash3, since Fx leaves the low bits weak.
 */
export interface HashKey {
  readonly start: number
  readonly multiplier: number
}

/** From a random 32-bit number. */
export const hashKey = (seed: number): HashKey => {
  const start = finish(seed ^ 0x2545f491)
  return { start, multiplier: finish(start ^ 0x68e31da4) | 1 }
}

export const stringHash = (text: string, { multiplier, start }: HashKey): number => {
  const { length } = text
  let hash = start ^ length
  let i = 0
  for (; i + 1 < length; i += 2) {
    const pair = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16)
    hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ pair, multiplier)
  }
  if (i < length) {
    hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ text.charCodeAt(i), multiplier)
  }
  return finish(hash)
}

/** Every bit of the input reaches every bit of the output. */
export const finish = (hash: number): number => {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
