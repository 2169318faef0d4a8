import { expect, it } from "vitest"
import { lines } from "../../src/traces/lines.ts"

const given = (pieces: ReadonlyArray<Buffer>): ReadonlyArray<string> => {
  const seen: Array<string> = []
  const { end, write } = lines((line) => seen.push(line))
  for (const piece of pieces) write(piece)
  end()
  return seen
}

it("lines are the same however the bytes are cut, in the middle of a character too", () => {
  const bytes = Buffer.from("plain\nkäse/ 日本\r\n\n a b \nlast")
  const expected = ["plain", "käse/ 日本", " a b ", "last"]
  expect(given([bytes])).toEqual(expected)
  for (const length of [1, 2, 3, 7]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / length) }, (_, piece) =>
      bytes.subarray(piece * length, (piece + 1) * length),
    )
    expect(given(pieces)).toEqual(expected)
  }
})

it("an end of line at the end begins no further line", () => {
  expect(given([Buffer.from("a\nb\n")])).toEqual(["a", "b"])
  expect(given([Buffer.from("a\nb\r")])).toEqual(["a", "b"])
  expect(given([])).toEqual([])
})
