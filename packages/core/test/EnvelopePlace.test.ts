/** Law 16: bytes that were written for another place are not believed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { crc32 } from "node:zlib"
import { Envelope } from "../src/index.ts"
import * as frozen from "./fixtures/places1.ts"
import { envelopes } from "./fixtures/wires1.ts"

const codec = Schema.toCodecJson(Schema.UndefinedOr(Schema.String))

for (const { bytes, wire } of frozen.samples) {
  describe(`an envelope that names its place, ${wire.name}`, () => {
    const decode = (change: Partial<Envelope.EnvelopeContext>, from = bytes) =>
      Envelope.decode(from, codec, wire, { ...frozen.context, ...change })

    it.effect("decodes for ever", () =>
      Effect.map(decode({}), (decoded) =>
        assert.deepStrictEqual(decoded, { _tag: "Entry", entry: frozen.entry }),
      ),
    )

    it.effect("is undecodable under another key, larder or namespace", () =>
      Effect.gen(function* () {
        for (const change of [
          { key: "größe:43" },
          { key: "" },
          { larder: "people" },
          { larder: 'products","' },
          { namespace: "prod" },
          { namespace: undefined },
          { larder: "staging", namespace: "products" },
        ]) {
          const decoded = yield* decode(change)
          assert(decoded._tag === "Undecodable", JSON.stringify(change))
          assert.match(decoded.reason, /written for another (?:key|larder)/)
          assert.strictEqual(decoded.version, frozen.entry.version)
        }
      }),
    )

    it.effect("stays so when it is expired or given another version in place", () =>
      Effect.gen(function* () {
        const patched = Envelope.expireAt(Envelope.withVersion(bytes, 7), 1)
        assert.strictEqual((yield* decode({}, patched))._tag, "Entry")
        assert.strictEqual((yield* decode({ key: "x" }, patched))._tag, "Undecodable")
      }),
    )
  })
}

it.effect("a sealed value is not moved by taking its place away, or giving it another", () =>
  Effect.gen(function* () {
    const { bytes, wire } = frozen.samples[1]
    const parsed = Envelope.parse(bytes)
    assert(parsed._tag === "Value")
    const prod = { ...frozen.context, namespace: "prod" }
    for (const place of [undefined, Envelope.placeOf(prod)]) {
      const forged = Envelope.make({ ...parsed, place })
      const decoded = yield* Envelope.decode(forged, codec, wire, prod)
      assert(decoded._tag === "Undecodable")
      assert.match(decoded.reason, /not authentic/)
    }
  }),
)

it.effect("one that names no place, of an older release, is read in any namespace", () =>
  Effect.gen(function* () {
    const { text, wire } = envelopes
    const decoded = yield* Envelope.decode(text.bytes, codec, wire, frozen.context)
    assert.deepStrictEqual(decoded, { _tag: "Entry", entry: text.entry })
  }),
)

it("names the place by the checksum of its JSON, whatever the characters", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom('"', "\\", "\n", "\u007f"),
  )
  fc.assert(
    fc.property(text, text, fc.option(text, { nil: undefined }), (larder, key, namespace) => {
      const json = JSON.stringify([namespace ?? null, larder, key])
      const expected = crc32(Buffer.from(json)).toString(16).padStart(8, "0")
      assert.strictEqual(Envelope.placeOf({ larder, key, namespace }), expected)
    }),
  )
})
