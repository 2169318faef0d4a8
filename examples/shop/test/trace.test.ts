import { fileURLToPath } from "node:url"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { shelfOf, shelfSize } from "../src/product.ts"
import { listingEvery, parse, read, requestAt } from "../src/trace.ts"

const data = (name: string) => fileURLToPath(new URL(`../data/${name}`, import.meta.url))

describe("trace", () => {
  it("reads numbers line by line, with or without an end to the last line", () => {
    assert.deepStrictEqual(
      parse("3\n1\n4"),
      Result.succeed([3, 1, 4] as [number, ...Array<number>]),
    )
    assert.deepStrictEqual(parse("3\n1\n4\n"), parse("3\n1\n4"))
  })

  for (const [name, text, line] of [
    ["nothing", "", 1],
    ["a word", "1\nkettle\n3", 2],
    ["an empty line", "1\n\n3", 2],
    ["a negative number", "-1", 1],
    ["a fraction", "1\n2\n3.5", 3],
    ["a number beyond 2^53", "99999999999999999", 1],
  ] as const) {
    it(`refuses ${name} and names the line`, () => {
      const parsed = parse(text)
      assert(Result.isFailure(parsed))
      assert.strictEqual(parsed.failure._tag, "InvalidTrace")
      assert.include(parsed.failure.message, `line ${line} `)
    })
  }

  it.effect("reads the recording in the example's data", () =>
    Effect.gen(function* () {
      const trace = yield* read(data("web12.txt.gz"))
      assert.strictEqual(trace.length, 95_607)
      assert.strictEqual(new Set(trace).size, 13_756)
      assert.deepStrictEqual(trace.slice(0, 9), [0, 1, 2, 3, 4, 5, 1, 6, 6])
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.effect("says which file cannot be read, and which is not compressed", () =>
    Effect.gen(function* () {
      for (const name of ["nowhere.txt.gz", "LICENCE.md"]) {
        const error = yield* Effect.flip(read(data(name)))
        assert.strictEqual(error._tag, "InvalidTrace")
        assert.include(error.message, name)
      }
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it("takes every tenth request for the listing page of the product's shelf", () => {
    const requests = Array.from({ length: 20 }, (_, place) => requestAt([20, 21], place))
    requests.forEach((request, place) => {
      const id = 20 + (place % 2)
      assert.deepStrictEqual(
        request,
        place % listingEvery === listingEvery - 1
          ? { _tag: "Listing", ids: [16, 17, 18, 19, 20, 21, 22, 23] }
          : { _tag: "Page", id },
      )
    })
  })

  it("begins again after the end", () => {
    assert.deepStrictEqual(requestAt([7, 8, 9], 4), { _tag: "Page", id: 8 })
  })

  it("puts on a shelf what is on sale there", () => {
    assert.strictEqual(shelfOf(7).length, shelfSize)
    assert.deepStrictEqual(shelfOf(90), [89, 90, 91, 92, 93, 94, 95])
  })
})
