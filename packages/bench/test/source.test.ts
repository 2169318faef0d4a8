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

it("products are about 200 bytes, and 100 more for each detail", () => {
  const bytes = (details: number) =>
    JSON.stringify(Source.make(1, "none", { details }).expected("product/0")).length
  expect(bytes(0)).toBeGreaterThan(180)
  expect(bytes(0)).toBeLessThan(260)
  expect(bytes(100)).toBeGreaterThan(9_500)
  expect(bytes(100)).toBeLessThan(11_500)
})

it("a source that fails counts, and its failure is known also where it is wrapped", () => {
  const source = Source.make(2, "none", { fails: true })
  const failure = new Source.Unavailable("product/1")
  expect(() => source.take("product/1")).toThrow(failure)
  expect(source.lookups()).toBe(1)
  const wrapped = new Error("factory failed", { cause: new Error("twice", { cause: failure }) })
  expect(Source.tellsUnavailable(wrapped, "product/1")).toBe(true)
  expect(Source.tellsUnavailable(wrapped, "product/0")).toBe(false)
  expect(Source.tellsUnavailable(new Error("something else"), "product/1")).toBe(false)
})
