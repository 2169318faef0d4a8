import { expect, it } from "vitest"
import * as Source from "../src/source.ts"

it("a lookup is counted, what is expected is not", () => {
  const source = Source.make(3, "none")
  expect(source.expected("product/2")).toEqual(source.take("product/2"))
  expect(source.lookups()).toBe(1)
  expect(() => source.take("product/3")).toThrow("there is no product product/3")
})

it("keys that nobody asked for are new each time, and have products until the next", () => {
  const source = Source.make(3, "none")
  expect(source.unasked(2)).toEqual(["product/3", "product/4"])
  expect(source.take("product/4").number).toBe(4)
  expect(source.unasked(1)).toEqual(["product/5"])
  expect(() => source.expected("product/4")).toThrow("there is no product")
})

it("a product is about 200 bytes", () => {
  const bytes = JSON.stringify(Source.make(1, "none").expected("product/0")).length
  expect(bytes).toBeGreaterThan(180)
  expect(bytes).toBeLessThan(260)
})
