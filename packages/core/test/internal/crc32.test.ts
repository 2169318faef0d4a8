import { crc32 as zlib } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { crc32, crc32OfAscii } from "../../src/internal/crc32.ts"

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

  it("is the same of a text of ASCII without its bytes; of others there is none", () => {
    const ascii = fc.string({ unit: "binary-ascii" })
    fc.assert(
      fc.property(ascii, (text) => {
        assert.strictEqual(crc32OfAscii(text), zlib(Buffer.from(text)))
      }),
    )
    assert.strictEqual(crc32OfAscii("caché"), undefined)
  })
})
