import { expect, it } from "vitest"
import { lines } from "../../src/worker/protocol.ts"

it("lines arrive whole, however they are cut", () => {
  const taken: Array<string> = []
  const take = lines((line) => taken.push(line))
  for (const chunk of ["a", "b\nc", "\n", "d\ne\nf"]) take(chunk)
  expect(taken).toEqual(["ab", "c", "d", "e"])
})
