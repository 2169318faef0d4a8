import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { effectful, lookup as lookupEffect } from "../../src/contenders/effectful.ts"
import { lookup, promised } from "../../src/contenders/promised.ts"
import type { Contender, Shape } from "../../src/Contender.ts"
import * as Source from "../../src/source.ts"

/** Keeps nothing but what is set and asked for, of promises and of effects. */
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
        set: async (key, product) => kept.set(key, product),
        dropTagged: async () => kept.clear(),
        close: async () => {},
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
        set: (key: string, product: Source.Product) => Effect.sync(() => kept.set(key, product)),
        dropTagged: Effect.sync(() => kept.clear()),
        close: Effect.void,
      })
    }),
  ],
]

const shapes: ReadonlyArray<Shape> = [
  "fiber",
  "promise",
  "stampede",
  "together",
  "window64",
  "window256",
  "many",
  "mixed",
  "tags",
]

describe.each(both)("%s", (_, contender) => {
  it.each(shapes)("%s asks for every key, and gives the sum and the last", async (shape) => {
    const source = Source.make(250, "turn")
    const { run } = await contender({ source })
    const { last, sum } = await run[shape]!(source.keys)
    expect(sum).toBe((249 * 250) / 2)
    expect(last).toEqual(source.expected("product/249"))
    // Each hundredth is set, not looked up.
    expect(source.lookups()).toBe(shape === "mixed" ? 248 : 250)
  })

  it("failing calls are as many as keys, and each tells of the failure", async () => {
    const source = Source.make(3, "turn", { fails: true })
    const { run } = await contender({ source })
    await expect(run.failing!(source.keys)).resolves.toMatchObject({ sum: 0, last: undefined })
    expect(source.lookups()).toBe(3)
  })

  it("a call that does not fail with its source is told", async () => {
    const source = Source.make(3, "turn")
    const { run } = await contender({ source })
    await expect(run.failing!(source.keys)).rejects.toThrow("no failure, but")
  })
})
