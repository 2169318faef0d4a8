/** The requested keys, drawn before any clock starts and the same in every run. */
import { generator, shuffled, zipf } from "@larder/traces"

/**
 * How keys are drawn from the cached ones: evenly, by Zipf's law with exponent 1, or each once
 * before any again.
 */
export type Draw = "uniform" | "zipf" | "each"

/** How many lists are drawn beforehand; samples use them in turn. */
const drawnLists = 64

/**
 * The lists of `size` keys, by the number of the sample. Popular keys are scattered over `keys`, so
 * that popularity is independent of the order in which a cache was filled.
 */
export const lists = (
  draw: Draw,
  keys: ReadonlyArray<string>,
  options: { readonly size: number; readonly seed: number },
): ((sample: number) => ReadonlyArray<string>) => {
  const { size } = options
  const random = generator(options.seed)
  const scattered = shuffled(keys, random)
  const rank =
    draw === "zipf" ? zipf(keys.length, 1, random) : () => Math.floor(random() * keys.length)
  const drawn =
    draw === "each"
      ? slices(scattered, size)
      : Array.from({ length: drawnLists }, () =>
          Array.from({ length: size }, () => scattered[rank()]!),
        )
  return (sample) => drawn[sample % drawn.length]!
}

/** The keys in lists of `size`, without an incomplete last one. */
const slices = (
  keys: ReadonlyArray<string>,
  size: number,
): ReadonlyArray<ReadonlyArray<string>> => {
  if (size > keys.length) throw new RangeError(`only ${keys.length} keys for a list of ${size}`)
  return Array.from({ length: Math.floor(keys.length / size) }, (_, place) =>
    keys.slice(place * size, (place + 1) * size),
  )
}

/** The keys in groups of a hundred, for batch reads. */
export const hundreds = (keys: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  Array.from({ length: Math.ceil(keys.length / 100) }, (_, group) =>
    keys.slice(group * 100, group * 100 + 100),
  )
