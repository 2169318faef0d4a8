import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { vi } from "vitest"
import { Envelope, Wire } from "../src/index.ts"
import * as frozen from "./fixtures/wires1.ts"

const context = { larder: "products", key: "größe:42", schemaVersion: 3 }
const codec = Schema.toCodecJson(Schema.UndefinedOr(Schema.String))

describe("frozen samples of the wires", () => {
  for (const { bytes, data, name, wire } of frozen.samples) {
    it.effect(`decode for ever: ${name}`, () =>
      Effect.map(wire.decode(bytes, frozen.context), (decoded) =>
        assert.deepStrictEqual(decoded, data),
      ),
    )
  }

  for (const sample of [frozen.envelopes.text, frozen.envelopes.undefined]) {
    it.effect(`decode for ever: an envelope of ${String(sample.entry.value)}, encrypted`, () =>
      Effect.gen(function* () {
        const { wire } = frozen.envelopes
        assert.deepStrictEqual(yield* Envelope.decode(sample.bytes, codec, wire, context), {
          _tag: "Entry",
          entry: sample.entry,
        })
      }),
    )
  }

  it.effect("the encrypted ones are what is written today with that nonce", () =>
    Effect.gen(function* () {
      const chance = vi.spyOn(globalThis.crypto, "getRandomValues")
      chance.mockImplementation((array) => {
        for (let i = 0; i < array!.byteLength; i++) (array as Uint8Array)[i] = 100 + i
        return array
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => chance.mockRestore()))
      for (const { bytes, data, name } of frozen.samples) {
        if (name !== "encrypted" && name !== "encrypted, undefined") continue
        const wire = Wire.encrypted(Wire.json, { keys: frozen.keys, current: "2026-02" })
        assert.deepStrictEqual(yield* wire.encode(data, frozen.context), bytes)
      }
      const { text, wire } = frozen.envelopes
      const written = Envelope.parse(yield* Envelope.encode(text.entry, codec, wire, context))
      const before = Envelope.parse(text.bytes)
      assert(before._tag === "Value")
      assert.deepStrictEqual(written, { ...before, place: Envelope.placeOf(context) })
    }).pipe(Effect.scoped),
  )
})
