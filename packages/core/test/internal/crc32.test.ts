import { crc32 as zlib } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { crc32, crc32OfJson } from "../../src/internal/crc32.ts"

describe("crc32", () => {
  it("gives the check value of the catalogue of CRC algorithms", () => {
    assert.strictEqual(crc32(new TextEncoder().encode("123456789")), 0xcbf43926)
    assert.strictEqual(crc32(), 0)
  })

  it("is zlib's, over the chunks as one", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (chunks) => {
        assert.strictEqual(crc32(...chunks), zlib(Buffer.concat(chunks)))
      }),
    )
  })

  it("is that of JSON, which is not made; of what JSON escapes, or is not ASCII, there is none", () => {
    const text = fc.option(fc.string({ unit: "binary-ascii" }), { nil: undefined })
    fc.assert(
      fc.property(fc.array(text, { minLength: 1 }), (texts) => {
        const json = JSON.stringify(texts.map((one) => one ?? null))
        const isPlain = texts.every((one) => one === undefined || /^[ !#-[\]-~]*$/.test(one))
        assert.strictEqual(crc32OfJson(texts), isPlain ? zlib(Buffer.from(json)) : undefined)
      }),
    )
    assert.strictEqual(crc32OfJson(["caché"]), undefined)
  })
})
