import { expect, it } from "vitest"
import { invalid, ofPrimitive, show } from "../../src/internal/key.ts"

it("numbers and strings are different keys", () => {
  const keys = [1, "1", "#1", "##1", 0, "#0", -1, 1.5, "", "#"].map(ofPrimitive)
  expect(new Set(keys).size).toBe(keys.length)
  expect(ofPrimitive(1)).toBe("#1")
  expect(ofPrimitive("1")).toBe("1")
  expect(ofPrimitive({})).toBe(undefined)
})

it.each(["", "a", "x".repeat(1024), "é".repeat(512), "👍".repeat(256), "__proto__", "a b/c:d{e}%"])(
  "%j is a key",
  (key) => expect(invalid(key)).toBe(undefined),
)

it.each([
  ["x".repeat(1025), "longer"],
  ["é".repeat(513), "longer"],
  ["👍".repeat(257), "longer"],
  ["a\n", "control"],
  ["\u0000", "control"],
  ["\u007f", "control"],
  ["\ud800", "surrogate"],
  ["a\udc00b", "surrogate"],
  [undefined, "key` function"],
  [null, "null"],
  [{ id: 1 }, "key` function"],
  [Symbol("s"), "symbol"],
])("%j is none, and why is said", (key, why) => {
  expect(invalid(key)).toContain(why)
  expect(show(key).length).toBeLessThanOrEqual(80)
})
