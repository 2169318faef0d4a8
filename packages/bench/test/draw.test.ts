import { describe, expect, it } from "vitest"
import { lists } from "../src/draw.ts"

const keys = Array.from({ length: 100 }, (_, index) => `key/${index}`)

const shares = (asked: ReadonlyArray<string>): ReadonlyArray<number> => {
  const counts = Map.groupBy(asked, (key) => key)
  return [...counts.values()].map((same) => same.length / asked.length).toSorted((a, b) => b - a)
}

describe("draws", () => {
  it("the same seed asks for the same keys", () => {
    const [first, second] = [
      lists("zipf", keys, { size: 50, seed: 3 }),
      lists("zipf", keys, { size: 50, seed: 3 }),
    ]
    expect([0, 1, 2].map(first)).toEqual([0, 1, 2].map(second))
    expect(lists("zipf", keys, { size: 50, seed: 4 })(0)).not.toEqual(first(0))
  })

  it("uniform keys are all asked for about as often", () => {
    const found = shares(lists("uniform", keys, { size: 20_000, seed: 1 })(0))
    expect(found).toHaveLength(100)
    expect(found[0]!).toBeLessThan(0.013)
    expect(found[99]!).toBeGreaterThan(0.007)
  })

  it("each key is asked for once in a pass, and then again", () => {
    const each = lists("each", keys, { size: 30, seed: 1 })
    const pass = [each(0), each(1), each(2)].flat()
    expect(new Set(pass).size).toBe(90)
    expect(each(3)).toEqual(each(0))
    expect(() => lists("each", keys, { size: 101, seed: 1 })).toThrow("only 100 keys for a list")
  })
})
