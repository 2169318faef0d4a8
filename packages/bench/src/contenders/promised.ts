/** The shapes for caches whose `get` is a promise: the same loops for each of them. */
import { now, sleep, turn } from "../clock.ts"
import type { Contender, Sample } from "../Contender.ts"
import { hundreds } from "../draw.ts"
import type { Product, Source } from "../source.ts"

export interface Promised {
  readonly get: (key: string) => Promise<Product>
  /** The products in the order of the keys. */
  readonly getMany?: (keys: ReadonlyArray<string>) => Promise<ReadonlyArray<Product>>
  readonly close: () => Promise<void>
}

const oneByOne = async ({ get }: Promised, keys: ReadonlyArray<string>): Promise<Sample> => {
  let sum = 0
  let last: Product | undefined
  const start = now()
  for (const key of keys) {
    last = await get(key)
    sum += last.number
  }
  return { millis: now() - start, sum, last }
}

const inFlight = async (
  { get }: Promised,
  keys: ReadonlyArray<string>,
  most: number,
): Promise<Sample> => {
  let next = 0
  let sum = 0
  let last: Product | undefined
  const worker = async () => {
    while (next < keys.length) {
      const place = next++
      const product = await get(keys[place]!)
      sum += product.number
      if (place === keys.length - 1) last = product
    }
  }
  const start = now()
  await Promise.all(Array.from({ length: Math.min(most, keys.length) }, worker))
  return { millis: now() - start, sum, last }
}

const many = async ({ getMany }: Promised, keys: ReadonlyArray<string>): Promise<Sample> => {
  if (getMany === undefined) throw new Error("it has no getMany")
  let sum = 0
  let last: Product | undefined
  const start = now()
  for (const hundred of hundreds(keys)) {
    for (last of await getMany(hundred)) sum += last.number
  }
  return { millis: now() - start, sum, last }
}

/** A lookup in the source that takes the source's latency. */
export const lookup = ({ latency, take }: Source): ((key: string) => Promise<Product>) => {
  if (latency === "none") return async (key) => take(key)
  if (latency === "turn") return (key) => turn().then(() => take(key))
  return (key) => sleep(latency).then(() => take(key))
}

export const promised = (library: {
  readonly title: string
  readonly setup: (source: Source) => Promise<Promised>
}): Contender => ({
  title: library.title,
  setup: async (source) => {
    const subject = await library.setup(source)
    return {
      run: {
        fiber: (keys) => oneByOne(subject, keys),
        promise: (keys) => oneByOne(subject, keys),
        stampede: (keys) => inFlight(subject, keys, Infinity),
        window64: (keys) => inFlight(subject, keys, 64),
        window256: (keys) => inFlight(subject, keys, 256),
        ...(subject.getMany && { many: (keys) => many(subject, keys) }),
      },
      close: () => subject.close(),
    }
  },
})
