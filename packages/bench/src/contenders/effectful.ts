/** The shapes for caches whose `get` is an Effect: the same loops for each of them. */
import * as Effect from "effect/Effect"
import { now } from "../clock.ts"
import type { Contender, Sample } from "../Contender.ts"
import { hundreds } from "../draw.ts"
import type { Product, Source } from "../source.ts"

export interface Effectful {
  readonly get: (key: string) => Effect.Effect<Product, unknown>
  /** The products in the order of the keys. */
  readonly getMany?: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Product>, unknown>
  readonly close: Effect.Effect<void>
}

/** A lookup in the source that takes the source's latency. */
export const lookup = (source: Source): ((key: string) => Effect.Effect<Product>) => {
  const { latency, take } = source
  if (latency === "none") return (key) => Effect.sync(() => take(key))
  if (latency === "turn") {
    return (key) =>
      Effect.callback<Product>((resume) => {
        setImmediate(() => resume(Effect.succeed(take(key))))
      })
  }
  return (key) =>
    Effect.andThen(
      Effect.sleep(latency),
      Effect.sync(() => take(key)),
    )
}

const inFiber = (subject: Effectful, keys: ReadonlyArray<string>): Promise<Sample> => {
  const { get } = subject
  return Effect.runPromise(
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
}

const byPromise = async (subject: Effectful, keys: ReadonlyArray<string>): Promise<Sample> => {
  const { get } = subject
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
  { get }: Effectful,
  keys: ReadonlyArray<string>,
  concurrency: number | "unbounded",
): Promise<Sample> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const start = now()
      const products = yield* Effect.forEach(keys, (key) => get(key), { concurrency })
      const millis = now() - start
      const sum = products.reduce((total, product) => total + product.number, 0)
      return { millis, sum, last: products.at(-1) }
    }),
  )

const many = ({ getMany }: Effectful, keys: ReadonlyArray<string>): Promise<Sample> => {
  if (getMany === undefined) throw new Error("it has no getMany")
  return Effect.runPromise(
    Effect.gen(function* () {
      let sum = 0
      let last: Product | undefined
      const start = now()
      for (const hundred of hundreds(keys)) {
        for (last of yield* getMany(hundred)) sum += last.number
      }
      return { millis: now() - start, sum, last }
    }),
  )
}

export const effectful = (library: {
  readonly title: string
  readonly setup: (source: Source) => Effect.Effect<Effectful>
}): Contender => ({
  title: library.title,
  setup: async (source) => {
    const subject = await Effect.runPromise(library.setup(source))
    return {
      run: {
        fiber: (keys) => inFiber(subject, keys),
        promise: (keys) => byPromise(subject, keys),
        stampede: (keys) => inFlight(subject, keys, "unbounded"),
        window64: (keys) => inFlight(subject, keys, 64),
        window256: (keys) => inFlight(subject, keys, 256),
        ...(subject.getMany && { many: (keys) => many(subject, keys) }),
      },
      close: () => Effect.runPromise(subject.close),
    }
  },
})
