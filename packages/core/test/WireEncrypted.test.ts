import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { vi } from "vitest"
import { Entry, Envelope, Wire } from "../src/index.ts"

const keyOf = (byte: number) => new Uint8Array(32).fill(byte)
const base64Of = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64")
const keys = { a: keyOf(1), b: keyOf(2) }
const wire = Wire.encrypted(Wire.json, { keys, current: "a" })

const context: Wire.WireContext = {
  larder: "people",
  key: "1",
  schemaVersion: 3,
  staleUntil: 9000,
  storedAt: 1000,
  asOf: 7,
  loadMillis: 12,
  tags: ["x", "y"],
  etag: "e",
}

const failure = (bytes: Uint8Array, given: Wire.WireContext = context, by: Wire.Wire = wire) =>
  Effect.flip(by.decode(bytes, given))

describe("Wire.encrypted", () => {
  it.effect("gives back all JSON data, and undefined", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.option(fc.jsonValue({ noUnicodeString: false }), { nil: undefined }),
          async (json) => {
            const bytes = await Effect.runPromise(wire.encode(json, context))
            const expected = json === undefined ? undefined : JSON.parse(JSON.stringify(json))
            const back = await Effect.runPromise(wire.decode(bytes, context))
            assert.deepStrictEqual(back, expected)
          },
        ),
      ),
    ),
  )

  it.effect("shows nothing of the value but its length, and is another text each time", () =>
    Effect.gen(function* () {
      const secret = "a secret that is long enough to be found"
      const first = yield* wire.encode(secret, context)
      const second = yield* wire.encode(secret, context)
      assert.notDeepEqual(first, second)
      assert.isFalse(Buffer.from(first).includes("secret"))
      const json = yield* Wire.json.encode(secret, context)
      // Format, length of the id, id, nonce, one byte for undefined, tag.
      assert.strictEqual(first.length, 1 + 1 + 1 + 12 + 1 + json.length + 16)
    }),
  )

  it.effect("no nonce comes twice", () =>
    Effect.gen(function* () {
      const nonces = new Set<string>()
      for (let i = 0; i < 1000; i++) {
        const bytes = yield* wire.encode(i, context)
        nonces.add(base64Of(bytes.subarray(3, 15)))
      }
      assert.strictEqual(nonces.size, 1000)
    }),
  )

  it.effect("takes a key as bytes, redacted, as redacted Base64, and as a CryptoKey", () =>
    Effect.gen(function* () {
      const imported = yield* Effect.promise(() =>
        globalThis.crypto.subtle.importKey("raw", keyOf(1), "AES-GCM", false, [
          "encrypt",
          "decrypt",
        ]),
      )
      const bytes = yield* wire.encode("Ada", context)
      for (const key of [
        keyOf(1),
        Buffer.from(keyOf(1)),
        Redacted.make(keyOf(1)),
        Redacted.make(base64Of(keyOf(1))),
        Redacted.make(`${base64Of(keyOf(1))}\n`),
        imported,
      ]) {
        const other = Wire.encrypted(Wire.json, { keys: { a: key }, current: "a" })
        assert.strictEqual(yield* other.decode(bytes, context), "Ada")
        const back = yield* other.encode("Ada", context)
        assert.strictEqual(yield* wire.decode(back, context), "Ada")
      }
    }),
  )

  it.effect("keeps a copy of the key", () =>
    Effect.gen(function* () {
      const key = keyOf(1)
      const redacted = Redacted.make(keyOf(1))
      const one = Wire.encrypted(Wire.json, { keys: { a: key }, current: "a" })
      const two = Wire.encrypted(Wire.json, { keys: { a: redacted }, current: "a" })
      key.fill(0)
      Redacted.wipeUnsafe(redacted)
      const bytes = yield* one.encode("Ada", context)
      assert.strictEqual(yield* two.decode(bytes, context), "Ada")
    }),
  )

  it.effect("law 16: what belongs to something else does not decrypt", () =>
    Effect.gen(function* () {
      const bytes = yield* wire.encode({ name: "Ada" }, context)
      const { etag: _, ...withoutEtag } = context
      const others: Record<string, Wire.WireContext> = {
        larder: { ...context, larder: "persons" },
        key: { ...context, key: "2" },
        schemaVersion: { ...context, schemaVersion: 4 },
        "a longer life": { ...context, staleUntil: 9001 },
        "for ever": { ...context, staleUntil: Entry.forever },
        storedAt: { ...context, storedAt: 1001 },
        "a later mark": { ...context, asOf: 8 },
        loadMillis: { ...context, loadMillis: 0 },
        "a tag less": { ...context, tags: ["x"] },
        "no tags": { ...context, tags: [] },
        "tags joined": { ...context, tags: ["x,y"] },
        "tags in another order": { ...context, tags: ["y", "x"] },
        etag: { ...context, etag: "f" },
        "no etag": withoutEtag,
        "larder and key shifted": { ...context, larder: "people1", key: "" },
      }
      for (const [what, other] of Object.entries(others)) {
        const error = yield* failure(bytes, other)
        assert.strictEqual(error._tag, "WireError", what)
        assert.match(error.reason, /^not authentic/, what)
      }
      assert.deepStrictEqual(yield* wire.decode(bytes, context), { name: "Ada" })
    }),
  )

  it.effect("what is bound to a value is unambiguous, also in ill-formed text", () =>
    Effect.promise(() => {
      const text = fc.string({
        unit: fc.constantFrom("a", '"', ",", "[", "\\", "\ud800", "\udc00", "\ufffd"),
        maxLength: 3,
      })
      const contexts = fc.record({
        larder: text,
        key: text,
        schemaVersion: fc.nat(12),
        staleUntil: fc.nat(12),
        tags: fc.array(text, { maxLength: 2 }),
        etag: fc.option(text, { nil: undefined }),
      })
      return fc.assert(
        fc.asyncProperty(contexts, contexts, async (one, other) => {
          const bytes = await Effect.runPromise(wire.encode(1, one))
          const decoded = await Effect.runPromise(Effect.result(wire.decode(bytes, other)))
          assert.strictEqual(decoded._tag === "Success", inspect(one) === inspect(other))
        }),
        { numRuns: 500 },
      )
    }),
  )

  it.effect("law 16: any changed, cut or added byte is found", () =>
    Effect.gen(function* () {
      const bytes = yield* wire.encode("Ada", context)
      for (let i = 0; i < bytes.length; i++) {
        for (const bit of [1, 128]) {
          const changed = new Uint8Array(bytes)
          changed[i]! ^= bit
          assert.strictEqual((yield* failure(changed))._tag, "WireError")
        }
        assert.strictEqual((yield* failure(bytes.subarray(0, i)))._tag, "WireError")
      }
      assert.match((yield* failure(Uint8Array.of(...bytes, 0))).reason, /not authentic/)
      assert.match((yield* failure(bytes.subarray(0, 20))).reason, /truncated/)
      assert.match((yield* failure(Uint8Array.of(2, ...bytes.subarray(1)))).reason, /not written/)
      assert.match((yield* failure(Uint8Array.of())).reason, /not written/)
    }),
  )

  it.effect("the id of the key is authenticated too", () =>
    Effect.gen(function* () {
      const same = Wire.encrypted(Wire.json, { keys: { a: keyOf(1), b: keyOf(1) }, current: "a" })
      const bytes = yield* same.encode("Ada", context)
      bytes[2] = "b".charCodeAt(0)
      assert.match((yield* failure(bytes, context, same)).reason, /not authentic/)
    }),
  )

  it.effect("rotation: older keys decrypt, the current one encrypts, a removed one is named", () =>
    Effect.gen(function* () {
      const before = Wire.encrypted(Wire.json, { keys: { a: keyOf(1) }, current: "a" })
      const during = Wire.encrypted(Wire.json, { keys, current: "b" })
      const after = Wire.encrypted(Wire.json, { keys: { b: keyOf(2) }, current: "b" })
      assert.strictEqual(new Set([before.name, during.name, after.name]).size, 1)
      const old = yield* before.encode("old", context)
      const recent = yield* during.encode("new", context)
      assert.strictEqual(yield* during.decode(old, context), "old")
      assert.strictEqual(yield* after.decode(recent, context), "new")
      assert.strictEqual(
        (yield* failure(old, context, after)).reason,
        'there is no key "a", only "b"; add the key to read the values that it encrypted',
      )
      const reused = Wire.encrypted(Wire.json, { keys: { a: keyOf(9) }, current: "a" })
      assert.match((yield* failure(old, context, reused)).reason, /now called "a"/)
    }),
  )

  it.effect("ids that are names of what every object has are ids like any other", () =>
    Effect.gen(function* () {
      const odd = Wire.encrypted(Wire.json, {
        keys: JSON.parse('{"__proto__":0,"constructor":0}', (key, value) =>
          value === 0 ? keyOf(key.length) : value,
        ),
        current: "__proto__",
      })
      const bytes = yield* odd.encode("Ada", context)
      assert.strictEqual(yield* odd.decode(bytes, context), "Ada")
      assert.match((yield* failure(bytes)).reason, /there is no key "__proto__", only "a", "b"/)
      const plain = Wire.encrypted(Wire.json, { keys: { toString: keyOf(1) }, current: "toString" })
      const other = yield* plain.encode("Ada", context)
      assert.match((yield* failure(other)).reason, /there is no key "toString"/)
    }),
  )

  it.effect("goes around other wires, by their names", () =>
    Effect.gen(function* () {
      const options = { keys, current: "a" }
      const inside = Wire.encrypted(Wire.compressed(Wire.json), options)
      const outside = Wire.compressed(Wire.encrypted(options)(Wire.json), { threshold: 0 })
      assert.strictEqual(inside.name, "encrypted(compressed(json))")
      assert.strictEqual(outside.name, "compressed(encrypted(json))")
      for (const both of [inside, outside, Wire.encrypted(wire, options)]) {
        for (const json of ["x".repeat(2000), undefined, null]) {
          const bytes = yield* both.encode(json, context)
          assert.strictEqual(yield* both.decode(bytes, context), json)
          assert.isTrue(both.seals)
        }
      }
      const bytes = yield* inside.encode(1, context)
      assert.match((yield* failure(bytes)).reason, /^not authentic/)
    }),
  )

  it.effect("errors show neither value nor key", () =>
    Effect.gen(function* () {
      const lying: Wire.Wire = { ...Wire.json, encode: () => Effect.succeed(Buffer.from("hush")) }
      const hides = Wire.encrypted(lying, { keys: { a: Redacted.make(keyOf(7)) }, current: "a" })
      const bytes = yield* hides.encode(1, context)
      const errors = [
        yield* failure(bytes, context, hides),
        yield* failure(bytes, { ...context, key: "2" }, hides),
        yield* Effect.flip(wire.encode({ hush: () => "hush-hush" }, context)),
      ]
      assert.match(errors[0]!.reason, /not JSON/)
      for (const error of errors) {
        assert.notMatch(inspect(error, { depth: 9 }), /hush-hush|unexpected token|07,|7, 7/i)
        assert.isUndefined(error.cause)
      }
      assert.notMatch(inspect(hides, { depth: 9 }), /7, 7|0707/)
    }),
  )

  it.effect("says where the platform has no Web Crypto", () =>
    Effect.gen(function* () {
      const bytes = yield* wire.encode(1, context)
      vi.stubGlobal("crypto", {})
      yield* Effect.addFinalizer(() => Effect.sync(() => vi.unstubAllGlobals()))
      const bare = Wire.encrypted(Wire.json, { keys, current: "a" })
      for (const error of [
        yield* Effect.flip(bare.encode(1, context)),
        yield* failure(bytes, context, bare),
      ]) {
        assert.match(error.reason, /Web Crypto is not available/)
      }
    }).pipe(Effect.scoped),
  )

  it.effect("takes ids of up to 255 bytes", () =>
    Effect.gen(function* () {
      const id = `${"é".repeat(127)}x`
      const longest = Wire.encrypted(Wire.json, { keys: { [id]: keyOf(1) }, current: id })
      const bytes = yield* longest.encode(1, context)
      assert.strictEqual(yield* longest.decode(bytes, context), 1)
    }),
  )

  it.effect("takes a key that may only decrypt, unless it is the current one", () =>
    Effect.gen(function* () {
      const old = yield* Effect.promise(() =>
        globalThis.crypto.subtle.importKey("raw", keyOf(1), "AES-GCM", false, ["decrypt"]),
      )
      const before = Wire.encrypted(Wire.json, { keys: { old: keyOf(1) }, current: "old" })
      const after = Wire.encrypted(Wire.json, { keys: { a: keyOf(2), old }, current: "a" })
      const bytes = yield* before.encode(1, context)
      assert.strictEqual(yield* after.decode(bytes, context), 1)
    }),
  )
})

describe("an envelope whose wire seals", () => {
  const Name = Schema.toCodecJson(Schema.UndefinedOr(Schema.String))
  const place: Envelope.EnvelopeContext = { larder: "people", key: "1", schemaVersion: 3 }
  const entryOf = <A>(value: A): Entry.Entry<A> => ({
    value,
    storedAt: 1000,
    freshUntil: 2000,
    revalidateUntil: 3000,
    staleUntil: 9000,
    loadMillis: 12,
    version: 5,
    asOf: 4,
    tags: ["a", "b"],
    etag: "e",
  })
  const encode = (value: string | undefined) => Envelope.encode(entryOf(value), Name, wire, place)
  const decode = (bytes: Uint8Array) => Envelope.decode(bytes, Name, wire, place)
  /** An envelope as an attacker with write access may forge it: other parts around the same value bytes. */
  const forged = (bytes: Uint8Array, change: Partial<Envelope.Parts>) => {
    const parsed = Envelope.parse(bytes)
    assert.strictEqual(parsed._tag, "Value")
    return Envelope.make({ ...(parsed as Envelope.Parts), ...change })
  }

  it.effect("law 5: undefined is sealed like any value", () =>
    Effect.gen(function* () {
      for (const value of [undefined, "Ada", ""]) {
        const bytes = yield* encode(value)
        const parsed = Envelope.parse(bytes)
        assert.isDefined(parsed._tag === "Value" ? parsed.value : undefined)
        assert.deepStrictEqual(yield* decode(bytes), { _tag: "Entry", entry: entryOf(value) })
      }
      const any = Schema.toCodecJson(Schema.Any)
      for (const value of [undefined, null]) {
        const bytes = yield* Envelope.encode(entryOf(value), any, wire, place)
        const decoded = yield* Envelope.decode(bytes, any, wire, place)
        assert.deepStrictEqual(decoded, { _tag: "Entry", entry: entryOf(value) })
      }
    }),
  )

  it.effect("what is written once cannot be changed", () =>
    Effect.gen(function* () {
      const bytes = yield* encode("Ada")
      const changes: ReadonlyArray<Partial<Envelope.Parts>> = [
        { tags: [] },
        { tags: ["a"] },
        { asOf: 5 },
        { etag: "f" },
        { etag: undefined },
        { storedAt: 1001 },
        { loadMillis: 1_000_000 },
        { staleUntil: 9001 },
        { value: undefined },
        { wire: "json" },
      ]
      for (const change of changes) {
        const decoded = yield* decode(forged(bytes, change))
        assert.strictEqual(decoded._tag, "Undecodable", JSON.stringify(change))
        if (decoded._tag !== "Undecodable") continue
        assert.match(decoded.reason, /not authentic|stored unencrypted|written by the wire json/)
        assert.strictEqual(decoded.version, 5)
      }
      assert.strictEqual((yield* decode(forged(bytes, { schemaVersion: 2 })))._tag, "OlderSchema")
      const older = { ...place, schemaVersion: 2 }
      const downgraded = forged(bytes, { schemaVersion: 2 })
      const decoded = yield* Envelope.decode(downgraded, Name, wire, older)
      assert.strictEqual(decoded._tag, "Undecodable")
    }),
  )

  it.effect("what servers patch in place can be, within the entry's life", () =>
    Effect.gen(function* () {
      const bytes = yield* encode("Ada")
      const entry = entryOf("Ada")
      assert.deepStrictEqual(
        yield* decode(Envelope.expireAt(Envelope.withVersion(bytes, 6), 1500)),
        {
          _tag: "Entry",
          entry: { ...entry, version: 6, freshUntil: 1500, revalidateUntil: 1500 },
        },
      )
      const longer = forged(bytes, { freshUntil: 99_000, revalidateUntil: 99_000 })
      assert.deepStrictEqual(yield* decode(longer), {
        _tag: "Entry",
        entry: { ...entry, freshUntil: 9000, revalidateUntil: 9000 },
      })
    }),
  )

  it.effect("complaints of a schema do not quote the value", () =>
    Effect.gen(function* () {
      const secret = "4111 1111 1111 1111"
      const Short = Schema.toCodecJson(Schema.String.check(Schema.isMaxLength(3)))
      const throwing = Schema.toCodecJson(
        Schema.String.check(
          Schema.makeFilter((text: string) => {
            throw new Error(text)
          }),
        ),
      )
      const bytes = yield* encode(secret)
      for (const codec of [Short, throwing]) {
        const decoded = yield* Envelope.decode(bytes, codec, wire, place)
        assert.strictEqual(decoded._tag, "Undecodable")
        assert.match(JSON.stringify(decoded), /details are withheld/)
        assert.notInclude(inspect(decoded, { depth: 9 }), "4111")
        const refused = yield* Effect.flip(Envelope.encode(entryOf(secret), codec, wire, place))
        assert.match(refused.reason, /details are withheld/)
        assert.notInclude(inspect(refused, { depth: 9 }), "4111")
      }
      const open = yield* Envelope.encode(entryOf(secret), Name, Wire.json, place)
      const decoded = yield* Envelope.decode(open, throwing, Wire.json, place)
      assert.include(inspect(decoded), "4111")
    }),
  )
})
