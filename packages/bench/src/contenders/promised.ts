/** The shapes for caches whose `get` is a promise: the same loops for each of them. */
import { now, sleep, turn } from "../clock.ts"
import { type Contender, isWrite, type Sample, type Setup } from "../Contender.ts"
import { hundreds } from "../draw.ts"
import { type Product, type Source, tellsUnavailable } from "../source.ts"

/** What a library may answer by its type, also where there is always something. */
export type Answer = Product | null | undefined

export interface Promised {
  /** The library's own call, with nothing around it. */
  readonly get: (key: string) => Promise<Answer>
  /** The products in the order of the keys, which differ. */
  readonly getMany?: ((keys: ReadonlyArray<string>) => Promise<ReadonlyArray<Answer>>) | undefined
  readonly set?: ((key: string, product: Product) => Promise<unknown>) | undefined
  /** Drops what has the tag of the setup. */
  readonly dropTagged?: (() => Promise<unknown>) | undefined
  readonly close: () => Promise<void>
}

type Get = Promised["get"]

export const found = (answer: Answer): Product => {
  if (answer === undefined || answer === null)
    throw new Error("nothing found where there is something")
  return answer
}

const oneByOne = async (get: Get, keys: ReadonlyArray<string>): Promise<Sample> => {
  let sum = 0
  let last: Product | undefined
  const start = now()
  for (const key of keys) {
    last = found(await get(key))
    sum += last.number
  }
  return { millis: now() - start, sum, last }
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

const failing = async (get: Get, keys: ReadonlyArray<string>): Promise<Sample> => {
  const start = now()
  const answers = await Promise.all(
    keys.map((key) =>
      get(key).then(
        (product) => ({ product, error: undefined }),
        (error: unknown) => ({ product: undefined, error }),
      ),
    ),
  )
  const millis = now() - start
  for (const [place, { error, product }] of answers.entries()) {
    const key = keys[place]!
    if (error === undefined) throw new Error(`no failure, but ${JSON.stringify(product)}`)
    if (!tellsUnavailable(error, key)) throw error
  }
  return { millis, sum: 0, last: undefined }
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

const mixed = async (
  get: Get,
  set: NonNullable<Promised["set"]>,
  productOf: Source["expected"],
  keys: ReadonlyArray<string>,
): Promise<Sample> => {
  let sum = 0
  let last: Product | undefined
  const start = now()
  for (let place = 0; place < keys.length; place++) {
    const key = keys[place]!
    if (isWrite(place)) {
      last = productOf(key)
      await set(key, last)
    } else last = found(await get(key))
    sum += last.number
  }
  return { millis: now() - start, sum, last }
}

const dropAndRead = async (
  dropTagged: NonNullable<Promised["dropTagged"]>,
  get: Get,
  keys: ReadonlyArray<string>,
): Promise<Sample> => {
  const start = now()
  await dropTagged()
  const dropped = now() - start
  const read = await oneByOne(get, keys)
  return { ...read, millis: dropped + read.millis }
}

/** A lookup in the source that takes the source's latency. */
export const lookup = ({ latency, take }: Source): ((key: string) => Promise<Product>) => {
  if (latency === "none") return async (key) => take(key)
  if (latency === "turn") return (key) => turn().then(() => take(key))
  return (key) => sleep(latency).then(() => take(key))
}

export const promised =
  (open: (setup: Setup) => Promise<Promised>): Contender =>
  async (setup) => {
    const { close, dropTagged, get, getMany, set } = await open(setup)
    const { expected } = setup.source
    return {
      run: {
        fiber: (keys) => oneByOne(get, keys),
        promise: (keys) => oneByOne(get, keys),
        stampede: (keys) => inFlight(get, keys, Infinity),
        together: (keys) => inFlight(get, keys, Infinity),
        failing: (keys) => failing(get, keys),
        window64: (keys) => inFlight(get, keys, 64),
        window256: (keys) => inFlight(get, keys, 256),
        ...(getMany && { many: (keys) => many(getMany, keys) }),
        ...(set && { mixed: (keys) => mixed(get, set, expected, keys) }),
        ...(dropTagged && { tags: (keys) => dropAndRead(dropTagged, get, keys) }),
      },
      close,
    }
  }
