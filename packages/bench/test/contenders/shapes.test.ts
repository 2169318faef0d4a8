import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { effectful, lookup as lookupEffect } from "../../src/contenders/effectful.ts"
import { lookup, promised } from "../../src/contenders/promised.ts"
import type { Contender, Shape } from "../../src/Contender.ts"
import * as Source from "../../src/source.ts"

/** Keeps nothing, of promises and of effects. */
const both: ReadonlyArray<readonly [string, Contender]> = [
  [
    "promises",
    promised(async ({ source }) => {
      const kept = new Map<string, Source.Product>()
      const load = lookup(source)
      const get = async (key: string) => kept.get(key) ?? load(key)
      return {
        get,
        getMany: (keys) => Promise.all(keys.map(get)),
        dropTagged: async () => kept.clear(),
      }
    }),
  ],
  [
    "effects",
    effectful(({ source }) => {
      const kept = new Map<string, Source.Product>()
      const load = lookupEffect(source)
      const get = (key: string) =>
        Effect.suspend(() => {
          const product = kept.get(key)
          return product === undefined ? load(key) : Effect.succeed(product)
        })
      return Effect.succeed({
        get,
        getMany: (keys: ReadonlyArray<string>) =>
          Effect.forEach(keys, (key) => Effect.exit(get(key))),
        dropTagged: Effect.sync(() => kept.clear()),
        close: Effect.void,
      })
    }),
  ],
]

const shapes: ReadonlyArray<Shape> = ["fiber", "promise", "inFlight", "together", "many", "tags"]

describe.each(both)("%s", (_, contender) => {
  it.each(shapes)("%s asks for every key, and gives the sum and the last", async (shape) => {
    const source = Source.make(250, "turn")
    const subject = await contender({ source, inFlight: 64, redis: "" })
    const { last, sum } = await subject[shape]!(source.keys)
    expect(sum).toBe((249 * 250) / 2)
    expect(last).toEqual(source.expected("product/249"))
    expect(source.lookups()).toBe(250)
  })
})
