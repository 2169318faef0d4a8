/**
 * Ways to request a list of keys. Each returns the milliseconds of processor time of the requests
 * alone, and checks the last answer.
 */
import { strictEqual } from "node:assert"
import * as Effect from "effect/Effect"
import { worked } from "../clock.ts"
import * as effectful from "../contenders/effectful.ts"
import { oneByOne } from "../contenders/promised.ts"
import type { Sample } from "../Contender.ts"

export type Keys = ReadonlyArray<string>
export type Get = effectful.Get

const checked = async (keys: Keys, sample: Promise<Sample>): Promise<number> => {
  const { last, millis } = await sample
  strictEqual(last?.id, keys.at(-1), "the answer is not that of the last key")
  return millis
}

/** One after another in one fiber. */
export const inFiber = (get: Get, keys: Keys): Promise<number> =>
  checked(keys, effectful.inFiber(get, keys, worked))

/** One after another by a promise each. */
export const byPromise = (get: Get, keys: Keys): Promise<number> =>
  checked(
    keys,
    oneByOne((key) => Effect.runPromise(get(key)), keys, worked),
  )

/** Asks for all keys at once. */
export const together = (get: Get, keys: Keys): Promise<number> =>
  checked(keys, effectful.inFlight(get, keys, Infinity, worked))

/** Times an effect as a whole. */
export const once = (effect: Effect.Effect<unknown, unknown>): Promise<number> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const start = worked()
      yield* effect
      return worked() - start
    }),
  )
