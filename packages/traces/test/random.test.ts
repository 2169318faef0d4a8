import { expect, it } from "vitest"
import { generator, shuffled, weighted, zipf } from "../src/index.ts"

const shares = (count: number, draw: () => number, draws = 200_000): ReadonlyArray<number> => {
  const counts = new Array<number>(count).fill(0)
  for (let n = 0; n < draws; n++) counts[draw()]! += 1
  return counts.map((each) => each / draws)
}

it("numbers come with the shares that they are given", () => {
  const [first, never, last] = shares(
    3,
    weighted(3, (n) => [1, 0, 3][n]!, generator(1)),
  )
  expect(first).toBeCloseTo(0.25, 2)
  expect(never).toBe(0)
  expect(last).toBeCloseTo(0.75, 2)
})

it("Zipf's law goes by its exponent", () => {
  for (const exponent of [0.6, 1, 1.2]) {
    const drawn = shares(100, zipf(100, exponent, generator(2)))
    for (const rank of [3, 9]) {
      expect(drawn[0]! / drawn[rank]! / (rank + 1) ** exponent).toBeCloseTo(1, 0)
    }
  }
})

it("Zipf's law: the second is drawn half as often as the first, the third a third as often", () => {
  const key = zipf(4, 1, generator(1))
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < 25_000; i++) counts[key()]! += 1
  // 12, 6, 4 and 3 of 25.
  expect(counts.map((count) => Math.round(count / 1_000))).toEqual([12, 6, 4, 3])
})

it("a generator gives the same numbers for the same seed, whatever others have drawn", () => {
  const [one, same, other] = [generator(7), generator(7), generator(8)]
  const numbers = Array.from({ length: 5 }, one)
  expect(Array.from({ length: 5 }, other)).not.toEqual(numbers)
  expect(Array.from({ length: 5 }, same)).toEqual(numbers)
})

it("what is shuffled has all it had, in another order, and leaves the original as it was", () => {
  const items = Array.from({ length: 50 }, (_, n) => n)
  const mixed = shuffled(items, generator(1))
  expect(mixed).not.toEqual(items)
  expect(mixed.toSorted((a, b) => a - b)).toEqual(items)
  expect(items[49]).toBe(49)
})
