/** Which keys are asked for, drawn before any clock starts and the same in every run. */

/** How keys are chosen of those that are known: evenly, by Zipf's law with exponent 1, or each once before any again. */
export type Draw = "uniform" | "zipf" | "each"

/** A generator of numbers in [0, 1) (mulberry32): the same seed draws the same keys for every library. */
export const generator = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

/** Draws numbers below `count`, `n` with a share proportional to `weight(n)`. */
export const weighted = (
  count: number,
  weight: (n: number) => number,
  random: () => number,
): (() => number) => {
  const cumulative = new Float64Array(count)
  let total = 0
  for (let n = 0; n < count; n++) cumulative[n] = total += weight(n)
  return () => {
    const target = random() * total
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (cumulative[middle]! > target) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** Draws a rank below `count`; rank `r` has a share proportional to `1 / (r + 1)`. */
export const zipf = (count: number, random: () => number): (() => number) =>
  weighted(count, (rank) => 1 / (rank + 1), random)

const shuffle = <A>(items: ReadonlyArray<A>, random: () => number): ReadonlyArray<A> => {
  const shuffled = [...items]
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    ;[shuffled[last], shuffled[other]] = [shuffled[other]!, shuffled[last]!]
  }
  return shuffled
}

/** Lists that are drawn beforehand and then asked for in turn. */
const drawnLists = 64

/**
 * The lists of `size` keys that samples ask for, by the number of the sample.
 * Popular keys are scattered over `keys`, so that popularity does not go along
 * with the order in which a cache was filled.
 */
export const lists = (
  draw: Draw,
  keys: ReadonlyArray<string>,
  options: { readonly size: number; readonly seed: number },
): ((sample: number) => ReadonlyArray<string>) => {
  const { size } = options
  const random = generator(options.seed)
  const scattered = shuffle(keys, random)
  const rank =
    draw === "zipf" ? zipf(keys.length, random) : () => Math.floor(random() * keys.length)
  const drawn =
    draw === "each"
      ? slices(scattered, size)
      : Array.from({ length: drawnLists }, () =>
          Array.from({ length: size }, () => scattered[rank()]!),
        )
  return (sample) => drawn[sample % drawn.length]!
}

/** The keys in lists of `size`, without those that do not fill one. */
const slices = (
  keys: ReadonlyArray<string>,
  size: number,
): ReadonlyArray<ReadonlyArray<string>> => {
  if (size > keys.length) throw new RangeError(`only ${keys.length} keys for a list of ${size}`)
  return Array.from({ length: Math.floor(keys.length / size) }, (_, place) =>
    keys.slice(place * size, (place + 1) * size),
  )
}

/** The keys in groups of a hundred, for what asks for many at once. */
export const hundreds = (keys: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  Array.from({ length: Math.ceil(keys.length / 100) }, (_, group) =>
    keys.slice(group * 100, group * 100 + 100),
  )
