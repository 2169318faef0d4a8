/** The shapes for caches whose `get` is an Effect: the same loops for each of them. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { now } from "../clock.ts"
import { type Contender, isWrite, type Sample, type Setup } from "../Contender.ts"
import { hundreds } from "../draw.ts"
import { type Product, type Source, tellsUnavailable, Unavailable } from "../source.ts"

export interface Effectful {
  readonly get: (key: string) => Effect.Effect<Product, unknown>
  /** The products in the order of the keys. */
  readonly getMany?:
    | ((
        keys: ReadonlyArray<string>,
      ) => Effect.Effect<Iterable<Exit.Exit<Product, unknown>>, unknown>)
    | undefined
  readonly set?: ((key: string, product: Product) => Effect.Effect<unknown, unknown>) | undefined
  /** Drops what has the tag of the setup. */
  readonly dropTagged?: Effect.Effect<unknown, unknown> | undefined
  readonly close: Effect.Effect<void>
}

type Get = Effectful["get"]

const taken = ({ fails, take }: Source, key: string): Effect.Effect<Product, Unavailable> =>
  fails
    ? Effect.try({ try: () => take(key), catch: () => new Unavailable(key) })
    : Effect.sync(() => take(key))

/** A lookup in the source that takes the source's latency. */
export const lookup = (source: Source): ((key: string) => Effect.Effect<Product, Unavailable>) => {
  const { latency } = source
  if (latency === "none") return (key) => taken(source, key)
  if (latency === "turn") {
    return (key) =>
      Effect.callback<Product, Unavailable>((resume) => {
        setImmediate(() => resume(taken(source, key)))
      })
  }
  return (key) => Effect.andThen(Effect.sleep(latency), taken(source, key))
}

const summed = (products: ReadonlyArray<Product>): Pick<Sample, "sum" | "last"> => ({
  sum: products.reduce((total, product) => total + product.number, 0),
  last: products.at(-1),
})

const inFiber = (get: Get, keys: ReadonlyArray<string>): Promise<Sample> =>
  Effect.runPromise(
    Effect.gen(function* () {
      let sum = 0
      let last: Product | undefined
      const start = now()
      for (const key of keys) {
        last = yield* get(key)
        sum += last.number
      }
      return { millis: now() - start, sum, last }
    }),
  )

const byPromise = async (get: Get, keys: ReadonlyArray<string>): Promise<Sample> => {
  let sum = 0
  let last: Product | undefined
  const start = now()
  for (const key of keys) {
    last = await Effect.runPromise(get(key))
    sum += last.number
  }
  return { millis: now() - start, sum, last }
}

const inFlight = (
  get: Get,
  keys: ReadonlyArray<string>,
  concurrency: number | "unbounded",
): Promise<Sample> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const start = now()
      const products = yield* Effect.forEach(keys, (key) => get(key), { concurrency })
      const millis = now() - start
      return { millis, ...summed(products) }
    }),
  )

const together = async (get: Get, keys: ReadonlyArray<string>): Promise<Sample> => {
  const start = now()
  const products = await Promise.all(keys.map((key) => Effect.runPromise(get(key))))
  return { millis: now() - start, ...summed(products) }
}

const failing = (get: Get, keys: ReadonlyArray<string>): Promise<Sample> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const start = now()
      const exits = yield* Effect.forEach(keys, (key) => Effect.exit(get(key)), {
        concurrency: "unbounded",
      })
      const millis = now() - start
      for (const [place, exit] of exits.entries()) {
        if (Exit.isSuccess(exit)) throw new Error(`no failure, but ${JSON.stringify(exit.value)}`)
        const error = Cause.squash(exit.cause)
        if (!tellsUnavailable(error, keys[place]!)) throw error
      }
      return { millis, sum: 0, last: undefined }
    }),
  )

const productOf = (exit: Exit.Exit<Product, unknown>): Product => {
  if (Exit.isSuccess(exit)) return exit.value
  throw new Error(`no product but ${String(exit)}`)
}

const many = (
  getMany: NonNullable<Effectful["getMany"]>,
  keys: ReadonlyArray<string>,
): Promise<Sample> =>
  Effect.runPromise(
    Effect.gen(function* () {
      let sum = 0
      let last: Product | undefined
      const start = now()
      for (const hundred of hundreds(keys)) {
        for (const exit of yield* getMany(hundred)) {
          last = productOf(exit)
          sum += last.number
        }
      }
      return { millis: now() - start, sum, last }
    }),
  )

const mixed = (
  get: Get,
  set: NonNullable<Effectful["set"]>,
  productOf: Source["expected"],
  keys: ReadonlyArray<string>,
): Promise<Sample> =>
  Effect.runPromise(
    Effect.gen(function* () {
      let sum = 0
      let last: Product | undefined
      const start = now()
      for (let place = 0; place < keys.length; place++) {
        const key = keys[place]!
        if (isWrite(place)) {
          last = productOf(key)
          yield* set(key, last)
        } else last = yield* get(key)
        sum += last.number
      }
      return { millis: now() - start, sum, last }
    }),
  )

const dropAndRead = async (
  dropTagged: NonNullable<Effectful["dropTagged"]>,
  get: Get,
  keys: ReadonlyArray<string>,
): Promise<Sample> => {
  const start = now()
  await Effect.runPromise(dropTagged)
  const dropped = now() - start
  const read = await inFiber(get, keys)
  return { ...read, millis: dropped + read.millis }
}

export const effectful =
  (open: (setup: Setup) => Effect.Effect<Effectful>): Contender =>
  async (setup) => {
    const { close, dropTagged, get, getMany, set } = await Effect.runPromise(open(setup))
    const { expected } = setup.source
    return {
      run: {
        fiber: (keys) => inFiber(get, keys),
        promise: (keys) => byPromise(get, keys),
        stampede: (keys) => inFlight(get, keys, "unbounded"),
        together: (keys) => together(get, keys),
        failing: (keys) => failing(get, keys),
        window64: (keys) => inFlight(get, keys, 64),
        window256: (keys) => inFlight(get, keys, 256),
        ...(getMany && { many: (keys) => many(getMany, keys) }),
        ...(set && { mixed: (keys) => mixed(get, set, expected, keys) }),
        ...(dropTagged && { tags: (keys) => dropAndRead(dropTagged, get, keys) }),
      },
      close: () => Effect.runPromise(close),
    }
  }
