/** The shapes for caches whose `get` is an Effect: inside fibers, where a shape requires them. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { now } from "../clock.ts"
import type { Contender, Sample, Setup } from "../Contender.ts"
import { hundreds } from "../draw.ts"
import type { Product, Source } from "../source.ts"
import { dropAndRead, shapes } from "./promised.ts"

interface Effectful {
  readonly get: (key: string) => Effect.Effect<Product, unknown>
  /** The products in the order of the keys. */
  readonly getMany?:
    | ((
        keys: ReadonlyArray<string>,
      ) => Effect.Effect<Iterable<Exit.Exit<Product, unknown>>, unknown>)
    | undefined
  /** Drops the entries with the tag of the setup. */
  readonly dropTagged?: Effect.Effect<unknown, unknown> | undefined
}

export type Get = Effectful["get"]

/** A lookup in the source that takes the source's latency. */
export const lookup = ({ latency, take }: Source): ((key: string) => Effect.Effect<Product>) => {
  if (latency === "none") return (key) => Effect.sync(() => take(key))
  if (latency === "turn") {
    return (key) =>
      Effect.callback<Product>((resume) => {
        setImmediate(() => resume(Effect.sync(() => take(key))))
      })
  }
  return (key) =>
    Effect.andThen(
      Effect.sleep(latency),
      Effect.sync(() => take(key)),
    )
}

/** `clock`: the clock for `millis`. */
export const inFiber = (get: Get, keys: ReadonlyArray<string>, clock = now): Promise<Sample> =>
  Effect.runPromise(
    Effect.gen(function* () {
      let sum = 0
      let last: Product | undefined
      const start = clock()
      for (const key of keys) {
        last = yield* get(key)
        sum += last.number
      }
      return { millis: clock() - start, sum, last }
    }),
  )

export const inFlight = (
  get: Get,
  keys: ReadonlyArray<string>,
  concurrency: number,
  clock = now,
): Promise<Sample> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const start = clock()
      const products = yield* Effect.forEach(keys, (key) => get(key), { concurrency })
      const millis = clock() - start
      const sum = products.reduce((total, product) => total + product.number, 0)
      return { millis, sum, last: products.at(-1) }
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

export const effectful =
  (open: (setup: Setup) => Effect.Effect<Effectful>): Contender =>
  async (setup) => {
    const { dropTagged, get, getMany } = await Effect.runPromise(open(setup))
    const drop = dropTagged && (() => Effect.runPromise(dropTagged))
    return {
      ...shapes({ get: (key) => Effect.runPromise(get(key)) }, setup.inFlight),
      fiber: (keys) => inFiber(get, keys),
      inFlight: (keys) => inFlight(get, keys, setup.inFlight),
      ...(getMany && { many: (keys) => many(getMany, keys) }),
      ...(drop && { tags: (keys) => dropAndRead(drop, () => inFiber(get, keys)) }),
    }
  }
