import { describe, expect, it } from "vitest"
import {
  by,
  invalid,
  noKeyFunction,
  ofPrimitive,
  problemOf,
  show,
} from "../../../src/internal/state/key.ts"

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

// From 342 code units on a key may be too long; below that its bytes need no counting.
it.each(["\u20ac".repeat(341), "x".repeat(342), "\u20ac".repeat(341) + "x"])(
  "a key of up to 1,024 bytes is one, whatever its characters take",
  (key) => {
    expect(new TextEncoder().encode(key).byteLength).toBeLessThanOrEqual(1024)
    expect(invalid(key)).toBe(undefined)
  },
)

it("a key of 342 characters of three bytes is too long", () =>
  expect(invalid("\u20ac".repeat(342))).toContain("longer than 1024 bytes"))

describe("a `key` function", () => {
  it("gives the key; one that throws, or gives no string, gives none", () => {
    expect(by((asked) => `k${String(asked)}`)(1)).toBe("k1")
    expect(by(() => 1 as never)(1)).toBe(undefined)
    const throwing = () => {
      throw new Error("no id")
    }
    expect(by(throwing)(1)).toBe(undefined)
  })

  it.each([
    [1, "a value of type number"],
    [undefined, "a value of type undefined"],
    [null, "returned null"],
  ])("that gives %s is told so, and what to give", (given, why) => {
    const problem = problemOf(() => given as never)(1)
    expect(problem).toContain(why)
    expect(problem).toContain("return a string")
  })

  it.each([
    [new Error("no id"), "threw: no id"],
    ["a string", "threw: a string"],
  ])("that throws %s is told so, and what to give", (cause, why) => {
    const problem = problemOf(() => {
      throw cause
    })(1)
    expect(problem).toContain(why)
    expect(problem).toContain("return a string")
  })
})

it("without a `key` function what is no string or number is told what it is", () => {
  expect(noKeyFunction(null)).toContain("it is null")
  expect(noKeyFunction({})).toContain("of type object")
})

it("messages show a key in at most 80 characters, whatever it is", () => {
  expect(show("a")).toBe('"a"')
  expect(show(1)).toBe("1")
  expect(show({ id: 1 })).toBe('{"id":1}')
  expect(show(undefined)).toBe("undefined")
  expect(show(Symbol("s"))).toBe("Symbol(s)")
  expect(show(1n)).toBe("1n")
  expect(show(NaN)).toBe("NaN")
  const circular: { self?: unknown } = {}
  circular.self = circular
  expect(show(circular)).toBe("[object Object]")
  // With its quotes 80 characters, and 81.
  expect(show("x".repeat(78))).toBe(`"${"x".repeat(78)}"`)
  expect(show("x".repeat(79))).toBe(`"${"x".repeat(76)}...`)
})
