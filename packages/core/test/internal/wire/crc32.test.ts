import { crc32 as zlib } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { crc32, crc32OfJson } from "../../../src/internal/wire/crc32.ts"

describe("crc32", () => {
  it("gives the check value of the catalogue of CRC algorithms", () => {
    assert.strictEqual(crc32(new TextEncoder().encode("123456789")), 0xcbf43926)
    assert.strictEqual(crc32(new Uint8Array()), 0)
  })

  it("is zlib's, of a range and continued", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(), fc.nat(), fc.uint8Array(), (bytes, a, b, before) => {
        const [from, to] = [a % (bytes.length + 1), b % (bytes.length + 1)].toSorted(
          (x, y) => x - y,
        )
        const ranged = bytes.subarray(from, to)
        assert.strictEqual(crc32(bytes), zlib(bytes))
        assert.strictEqual(crc32(bytes, from, to), zlib(ranged))
        assert.strictEqual(crc32(bytes, from, to, crc32(before)), zlib(ranged, zlib(before)))
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
