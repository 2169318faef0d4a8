/** The shapes for caches whose `get` returns a promise: the same loops for all. */
import { now, sleep, turn } from "../clock.ts"
import type { Contender, Sample, Setup, Subject } from "../Contender.ts"
import { hundreds } from "../draw.ts"
import type { Product, Source } from "../source.ts"

/** The answer by the library's type, which allows none even when there is always one. */
type Answer = Product | null | undefined

export interface Promised {
  /** The library's own call, without a wrapper. */
  readonly get: (key: string) => Promise<Answer>
  /** The products in the order of the keys; all keys are different. */
  readonly getMany?: ((keys: ReadonlyArray<string>) => Promise<ReadonlyArray<Answer>>) | undefined
  /** Drops the entries with the tag of the setup. */
  readonly dropTagged?: (() => Promise<unknown>) | undefined
}

type Get = Promised["get"]

const found = (answer: Answer): Product => {
  if (answer === undefined || answer === null)
    throw new Error("found nothing at a key that has a value")
  return answer
}

/** `clock`: the clock for `millis`. */
export const oneByOne = async (
  get: Get,
  keys: ReadonlyArray<string>,
  clock = now,
): Promise<Sample> => {
  let sum = 0
  let last: Product | undefined
  const start = clock()
  for (const key of keys) {
    last = found(await get(key))
    sum += last.number
  }
  return { millis: clock() - start, sum, last }
}

const inFlight = async (get: Get, keys: ReadonlyArray<string>, most: number): Promise<Sample> => {
  let next = 0
  let sum = 0
  let last: Product | undefined
  const worker = async () => {
    while (next < keys.length) {
      const place = next++
      const product = found(await get(keys[place]!))
      sum += product.number
      if (place === keys.length - 1) last = product
    }
  }
  const start = now()
  await Promise.all(Array.from({ length: Math.min(most, keys.length) }, worker))
  return { millis: now() - start, sum, last }
}

const many = async (
  getMany: NonNullable<Promised["getMany"]>,
  keys: ReadonlyArray<string>,
): Promise<Sample> => {
  let sum = 0
  let last: Product | undefined
  const start = now()
  for (const hundred of hundreds(keys)) {
    for (const answer of await getMany(hundred)) {
      last = found(answer)
      sum += last.number
    }
  }
  return { millis: now() - start, sum, last }
}

/** The time to drop the entries with a tag, and then to read all of them back by `read`. */
export const dropAndRead = async (
  drop: () => Promise<unknown>,
  read: () => Promise<Sample>,
): Promise<Sample> => {
  const start = now()
  await drop()
  const dropped = now() - start
  const sample = await read()
  return { ...sample, millis: dropped + sample.millis }
}

/** A lookup in the source that takes the source's latency. */
export const lookup = ({ latency, take }: Source): ((key: string) => Promise<Product>) => {
  if (latency === "none") return async (key) => take(key)
  if (latency === "turn") return (key) => turn().then(() => take(key))
  return (key) => sleep(latency).then(() => take(key))
}

/** Every shape that the cache has. */
export const shapes = ({ dropTagged, get, getMany }: Promised, most: number): Subject => ({
  fiber: (keys) => oneByOne(get, keys),
  promise: (keys) => oneByOne(get, keys),
  inFlight: (keys) => inFlight(get, keys, most),
  together: (keys) => inFlight(get, keys, most),
  ...(getMany && { many: (keys) => many(getMany, keys) }),
  ...(dropTagged && { tags: (keys) => dropAndRead(dropTagged, () => oneByOne(get, keys)) }),
})

export const promised =
  (open: (setup: Setup) => Promise<Promised>): Contender =>
  async (setup) =>
    shapes(await open(setup), setup.inFlight)
