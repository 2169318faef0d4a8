/**
 * The sequences of requested keys, drawn before any clock starts and the same in every run. There
 * are three generators: by popularity (`zipf` of @larder/traces), a loop, and by recency.
 */
import { generator, shuffled, zipf } from "@larder/traces"

/** The numbers below `length` over and over: LRU gets no hit unless all of them fit. */
export const loop = (length: number): (() => number) => {
  let next = 0
  return () => next++ % length
}

/**
 * The key requested `d` different keys ago, with a share proportional to `1 / (d + 1) ** 0.9`, and
 * a new key in a tenth of all requests: the best case for LRU.
 */
export const recent = (depth: number): (() => number) => {
  const random = generator(1)
  const stack = Float64Array.from({ length: depth }, (_, place) => place)
  const distance = zipf(depth, 0.9, random)
  let unused = depth
  return () => {
    const isNew = random() < 0.1
    const place = isNew ? depth - 1 : distance()
    const key = isNew ? unused++ : stack[place]!
    stack.copyWithin(1, 0, place)
    stack[0] = key
    return key
  }
}

/**
 * How keys are drawn from the cached ones: evenly, by Zipf's law with exponent 1, or each once
 * before any again.
 */
export type Draw = "uniform" | "zipf" | "each"

/** How many lists are drawn beforehand; samples use them in turn. */
const drawnLists = 64

/**
 * Returns the next list of `size` keys. Popular keys are scattered over `keys`, so that popularity
 * is independent of the order in which a cache was filled.
 */
export const lists = (
  draw: Draw,
  keys: ReadonlyArray<string>,
  size: number,
  seed = 1,
): (() => ReadonlyArray<string>) => {
  const random = generator(seed)
  const scattered = shuffled(keys, random)
  const isEach = draw === "each"
  const key = isEach ? loop(keys.length) : zipf(keys.length, draw === "zipf" ? 1 : 0, random)
  // Each list of a pass has other keys; keys that would fill only a part of a list are left out.
  const count = isEach ? Math.floor(keys.length / size) : drawnLists
  const drawn = Array.from({ length: count }, () =>
    Array.from({ length: size }, () => scattered[key()]!),
  )
  const place = loop(count)
  return () => drawn[place()]!
}

/** The keys in groups of a hundred, for batch reads. */
export const hundreds = (keys: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  Array.from({ length: Math.ceil(keys.length / 100) }, (_, group) =>
    keys.slice(group * 100, group * 100 + 100),
  )
