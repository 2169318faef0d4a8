import { expect, it } from "vitest"
import { lines } from "../src/lines.ts"

const given = (pieces: ReadonlyArray<Buffer>): ReadonlyArray<readonly [number, string]> => {
  const seen: Array<readonly [number, string]> = []
  const { end, write } = lines((line, number) => seen.push([number, line]))
  for (const piece of pieces) write(piece)
  end()
  return seen
}

it("lines and their numbers are the same however the bytes are cut, in the middle of a character too", () => {
  const bytes = Buffer.from("plain\nkäse/ 日本\r\n\n a b \nlast")
  const expected = [
    [1, "plain"],
    [2, "käse/ 日本"],
    [4, " a b "],
    [5, "last"],
  ]
  expect(given([bytes])).toEqual(expected)
  for (const length of [1, 2, 3, 7]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / length) }, (_, piece) =>
      bytes.subarray(piece * length, (piece + 1) * length),
    )
    expect(given(pieces)).toEqual(expected)
  }
})

it("an end of line at the end begins no further line", () => {
  expect(given([Buffer.from("a\nb\n")])).toEqual([
    [1, "a"],
    [2, "b"],
  ])
  expect(given([Buffer.from("a\r")])).toEqual([[1, "a"]])
  expect(given([])).toEqual([])
})

it("a line without end comes in parts of the same number", () => {
  const pieces = Array.from({ length: 40 }, () => Buffer.alloc(65_536, "x"))
  const parts = given([...pieces, Buffer.from("\nnext")])
  expect(parts.map(([number]) => number)).toEqual([1, 1, 1, 2])
  expect(parts.reduce((sum, [, part]) => sum + part.length, 0)).toBe(40 * 65_536 + 4)
})
