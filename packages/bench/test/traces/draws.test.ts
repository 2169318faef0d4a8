import { expect, it } from "vitest"
import { generator, weighted } from "../../src/draw.ts"
import {
  apart,
  type Draw,
  inTurn,
  loop,
  mixed,
  moving,
  recent,
  twice,
  zipf,
} from "../../src/traces/draws.ts"

const take = (count: number, draw: Draw): ReadonlyArray<number> =>
  Array.from({ length: count }, () => draw())

const shareOf = (key: number, keys: ReadonlyArray<number>): number =>
  keys.filter((other) => other === key).length / keys.length

it("keys come with the shares they are given", () => {
  const keys = take(
    100_000,
    weighted(3, (n) => [1, 0, 3][n]!, generator(1)),
  )
  expect(shareOf(0, keys)).toBeCloseTo(0.25, 2)
  expect(shareOf(1, keys)).toBe(0)
  expect(shareOf(2, keys)).toBeCloseTo(0.75, 2)
})

it("Zipf's law goes by its exponent", () => {
  for (const exponent of [0.6, 1, 1.2]) {
    const keys = take(200_000, zipf(100, exponent, generator(2)))
    expect(shareOf(0, keys) / shareOf(3, keys) / 4 ** exponent).toBeCloseTo(1, 1)
  }
})

it("a loop begins again after its length", () => {
  expect(take(7, loop(3))).toEqual([0, 1, 2, 0, 1, 2, 0])
  expect(take(4, loop(Infinity))).toEqual([0, 1, 2, 3])
})

it("keys of a flood come twice, with so many others in between", () => {
  const keys = take(1_000, twice(10))
  const times = Map.groupBy(keys.keys(), (at) => keys[at]!)
  for (const key of keys.slice(20, -20)) {
    const [first, second, ...more] = times.get(key)!
    expect(new Set(keys.slice(first! + 1, second)).size).toBe(20)
    expect(more).toEqual([])
  }
})

it("what was asked for lately comes again before what was not, and new keys as often as said", () => {
  const options = { depth: 50, exponent: 1, fresh: 0.2 }
  const keys = take(50_000, recent(options, generator(3)))
  const stack: Array<number> = []
  const distances = keys.map((key) => {
    const distance = stack.indexOf(key)
    if (distance >= 0) stack.splice(distance, 1)
    stack.unshift(key)
    return distance
  })
  const settled = distances.slice(5_000)
  expect(shareOf(-1, settled)).toBeCloseTo(0.2, 1)
  expect(Math.max(...settled)).toBeLessThan(50)
  expect(shareOf(0, settled) / shareOf(4, settled)).toBeCloseTo(5, 0)
})

it("phases follow one another, again and again, and each goes on where it was", () => {
  const draw = inTurn([
    [2, loop(Infinity)],
    [3, () => -1],
  ])
  expect(take(12, draw)).toEqual([0, 1, -1, -1, -1, 2, 3, -1, -1, -1, 4, 5])
})

it("a mixture has its parts in their shares and does not mix their keys", () => {
  const random = generator(4)
  const keys = take(
    50_000,
    mixed(
      [
        [30, apart(0, 2, () => 0)],
        [70, apart(1, 2, () => 0)],
      ],
      random,
    ),
  )
  expect(shareOf(0, keys)).toBeCloseTo(0.3, 1)
  expect(shareOf(1, keys)).toBeCloseTo(0.7, 1)
})

it("what moves, moves all keys by its step after so many requests", () => {
  expect(take(7, moving(loop(2), { requests: 3, step: 10 }))).toEqual([0, 1, 0, 11, 10, 11, 20])
})
