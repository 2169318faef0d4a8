/** The meta part of an envelope is read as JSON says, or not read here at all. */
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { plainMeta } from "../../../src/internal/wire/plainMeta.ts"

const bytesOf = (text: string) => new TextEncoder().encode(text)

/** With something before and behind it, as in an envelope. */
const read = (bytes: Uint8Array) => {
  const all = new Uint8Array(bytes.length + 2).fill(0x22)
  all.set(bytes, 1)
  return plainMeta(all, 1, 1 + bytes.length)
}

const readText = (text: string) => read(bytesOf(text))

const plainText = fc.stringMatching(/^[ !#-[\]-~]*$/)
const count = fc.oneof(fc.maxSafeNat(), fc.nat(20))

const metas = fc
  .record({
    tags: fc.array(plainText),
    asOf: count,
    loadMillis: count,
    place: fc.option(plainText, { nil: undefined }),
    wire: plainText,
  })
  .map(({ place, wire, ...rest }) => ({
    ...rest,
    ...(place === undefined ? undefined : { place }),
    wire,
  }))

describe("law 16: the meta part", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(metas, (meta) => {
        expect(readText(JSON.stringify(meta))).toEqual(meta)
      }),
    )
  })

  it("that is damaged, or cut off, is what JSON says, or left to a reader of JSON", () => {
    const damaged = fc
      .tuple(metas, fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0x22, 0x2c, 0x30, 0x5c, 0x7f)))
      .chain(([meta, at, byte]) => {
        const bytes = bytesOf(JSON.stringify(meta))
        bytes[at % bytes.length] = byte
        return fc.nat(4).map((cut) => bytes.subarray(0, bytes.length - (cut === 4 ? 1 : 0)))
      })
    fc.assert(
      fc.property(damaged, (bytes) => {
        const meta = read(bytes)
        if (meta !== undefined) expect(meta).toEqual(JSON.parse(Buffer.from(bytes).toString()))
      }),
      { numRuns: 5_000 },
    )
  })

  it.each([
    ["text with an escape", '{"tags":["a\\"b"],"asOf":1,"loadMillis":2,"wire":"json"}'],
    ["text that is not ASCII", '{"tags":["é"],"asOf":1,"loadMillis":2,"wire":"json"}'],
    ["a control character", '{"tags":["\u0001"],"asOf":1,"loadMillis":2,"wire":"json"}'],
    ["a deleted character", '{"tags":["\u007f"],"asOf":1,"loadMillis":2,"wire":"json"}'],
    ["an etag", '{"tags":[],"asOf":1,"etag":"e","loadMillis":2,"wire":"json"}'],
    ["another order", '{"asOf":1,"tags":[],"loadMillis":2,"wire":"json"}'],
    ["a space", '{"tags": [],"asOf":1,"loadMillis":2,"wire":"json"}'],
    ["a number with a zero before it", '{"tags":[],"asOf":01,"loadMillis":2,"wire":"json"}'],
    ["no digits", '{"tags":[],"asOf":,"loadMillis":2,"wire":"json"}'],
    ["a number above 2^53", '{"tags":[],"asOf":9007199254740993,"loadMillis":2,"wire":"json"}'],
    ["a fraction", '{"tags":[],"asOf":1.5,"loadMillis":2,"wire":"json"}'],
    ["a tag that is no text", '{"tags":[1],"asOf":1,"loadMillis":2,"wire":"json"}'],
    ["a missing comma", '{"tags":["a""b"],"asOf":1,"loadMillis":2,"wire":"json"}'],
    ["a comma too many", '{"tags":["a",],"asOf":1,"loadMillis":2,"wire":"json"}'],
    ["more behind it", '{"tags":[],"asOf":1,"loadMillis":2,"wire":"json"} '],
    ["no end", '{"tags":[],"asOf":1,"loadMillis":2,"wire":"json"'],
    ["text without an end", '{"tags":[],"asOf":1,"loadMillis":2,"wire":"json}'],
    ["tags without an end", '{"tags":["a"'],
    ["nothing", ""],
  ])("with %s is left to a reader of JSON", (_, text) => {
    expect(readText(text)).toBe(undefined)
  })

  it("may have counts of 0 and of the highest safe integer", () => {
    const most = Number.MAX_SAFE_INTEGER
    const meta = { tags: [], asOf: most, loadMillis: 0, wire: "" }
    expect(readText(JSON.stringify(meta))).toEqual(meta)
  })
})
