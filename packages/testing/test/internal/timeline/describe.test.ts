import { Schema } from "effect"
import { expect, it } from "vitest"
import { short } from "../../../src/internal/timeline/describe.ts"

class Missing extends Schema.TaggedError<Missing>()("Missing", { id: Schema.Number }) {}

it("values are shown on one line, each as what it is", () => {
  const values = [Number.NaN, 5n, undefined, new Map([["a", 1]]), new Error("two\n  lines")]
  expect(values.map(short)).toEqual([
    "NaN",
    "5n",
    "undefined",
    'Map([["a",1]])',
    "Error: two lines",
  ])
  expect(short(new Missing({ id: 5 }))).toBe('Missing {"id":5}')
  expect(short(new TypeError())).toBe("TypeError")
  expect(short(() => 1)).toBe("function")
})
