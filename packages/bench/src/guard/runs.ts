/**
 * Ways to ask for a list of keys. Each gives the milliseconds of processor time that
 * the asking alone took, and checks the last answer.
 */
import { strictEqual } from "node:assert"
import * as Effect from "effect/Effect"
import { worked } from "../clock.ts"
import type { Product } from "../source.ts"

export type Keys = ReadonlyArray<string>
export type Get = (key: string) => Effect.Effect<Product, unknown>

const answered = (keys: Keys, last: Product | undefined): void =>
  strictEqual(last?.id, keys.at(-1), "the answer is not that of the last key")

/** One after another in one fiber. */
export const inFiber = (get: Get, keys: Keys): Promise<number> =>
  Effect.runPromise(
    Effect.gen(function* () {
      let last: Product | undefined
      const start = worked()
      for (const key of keys) last = yield* get(key)
      const millis = worked() - start
      answered(keys, last)
      return millis
    }),
  )

/** One after another by a promise each. */
export const byPromise = async (get: Get, keys: Keys): Promise<number> => {
  let last: Product | undefined
  const start = worked()
  for (const key of keys) last = await Effect.runPromise(get(key))
  const millis = worked() - start
  answered(keys, last)
  return millis
}

/** So many callers of one key, all at once. */
export const stampede = (get: Get, key: string, callers: number): Promise<number> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const keys = new Array<string>(callers).fill(key)
      const start = worked()
      const products = yield* Effect.forEach(keys, get, { concurrency: "unbounded" })
      const millis = worked() - start
      answered(keys, products.at(-1))
      return millis
    }),
  )

/** An effect as a whole. */
export const once = (effect: Effect.Effect<unknown, unknown>): Promise<number> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const start = worked()
      yield* effect
      return worked() - start
    }),
  )
