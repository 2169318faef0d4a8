/** Tags of keys that are built in levels. */
import { expect, it } from "@effect/vitest"
import { InvalidOptions, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect } from "effect"
import * as fc from "fast-check"

const tagsOf = (separator: string, key: string) => Larder.prefixTags(separator)(undefined, key)

it.each([
  [":", "shop:7:prices:milk", ["shop:", "shop:7:", "shop:7:prices:"]],
  [":", "milk", []],
  [":", "shop:", ["shop:"]],
  [":", ":milk", [":"]],
  [":", "a::b", ["a:", "a::"]],
  ["::", "a:::b", ["a::"]],
  ["/", "shop:7/milk", ["shop:7/"]],
])("with %j the key %j has the tags %j", (separator, key, tags) => {
  expect(tagsOf(separator, key)).toEqual(tags)
})

it("each tag is a prefix of the key that ends with the separator, the shorter first, and none twice", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", ":") })
  fc.assert(
    fc.property(text, (key) => {
      const tags = tagsOf(":", key)
      for (const tag of tags) expect(key.startsWith(tag) && tag.endsWith(":")).toBe(true)
      expect(tags.length).toBe(key.split(":").length - 1)
      expect([...new Set(tags)].toSorted((a, b) => a.length - b.length)).toEqual(tags)
    }),
  )
})

it.effect("a prefix invalidates the keys under it, and no others", () =>
  Effect.gen(function* () {
    const asked: Array<string> = []
    const larder = yield* Larder.make({
      name: "levels",
      upstream: Upstream.make({ lookup: (key: string) => Effect.sync(() => asked.push(key)) }),
      policy: Policy.make({ freshFor: "1 hour" }),
      tags: Larder.prefixTags(":"),
    })
    const keys = ["shop:7:milk", "shop:70:milk", "shop:7", "shop:7:a:b"]
    yield* larder.getMany(keys)
    asked.length = 0
    yield* larder.invalidateTags("shop:7:")
    yield* larder.getMany(keys)
    expect(asked.toSorted()).toEqual(["shop:7:a:b", "shop:7:milk"])
  }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer()))),
)

it.each([
  ["", '""'],
  [5, "5"],
  [undefined, "undefined"],
])("refuses the separator %j", (separator, got) => {
  let error: unknown
  try {
    Larder.prefixTags(separator as string)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(InvalidOptions)
  expect((error as Error).message).toBe(
    `Larder: prefixTags must be a non-empty text, such as ":", got ${got}`,
  )
})
