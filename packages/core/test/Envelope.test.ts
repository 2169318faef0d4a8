import { crc32 } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as fc from "fast-check"
import { Entry, Envelope, Wire } from "../src/index.ts"
import * as frozen from "./fixtures/envelope1.ts"

const context: Envelope.EnvelopeContext = { larder: "products", key: "k", schemaVersion: 3 }
const Text = Schema.toCodecJson(Schema.String)

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
})

const encodeText = (entry: Entry.Entry<string>) => Envelope.encode(entry, Text, Wire.json, context)
const decodeText = (bytes: Uint8Array) => Envelope.decode(bytes, Text, Wire.json, context)
const sample = Effect.runSync(encodeText(entryOf("value")))

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1")
const fromLatin1 = (text: string) => new Uint8Array(Buffer.from(text, "latin1"))
const patched = (bytes: Uint8Array, offset: number, text: string) => {
  const copy = new Uint8Array(bytes)
  copy.set(fromLatin1(text), offset)
  return copy
}
const unreadable = (bytes: Uint8Array) => {
  const parsed = Envelope.parse(bytes)
  assert.strictEqual(parsed._tag, "Unreadable")
  return parsed as Envelope.Unreadable
}

/** An envelope of an undefined value with this meta part, and a checksum that is not Larder's own. */
const sealed = (meta: string, value = "") => {
  const length = String(meta.length).padStart(8, "0")
  const header = latin1(sample).slice(0, 79) + "0" + length
  const sum = crc32(Buffer.from(header.slice(45) + meta + value, "latin1"))
  return fromLatin1(header + sum.toString(16).padStart(8, "0") + meta + value)
}

const time = fc.oneof(
  fc.integer({ min: 0, max: 9_999_999_999_998 }),
  fc.constant(Entry.forever),
  fc.constant(0),
)
const count = fc.oneof(fc.maxSafeNat(), fc.constant(0), fc.constant(Number.MAX_SAFE_INTEGER))
const entries = fc
  .record(
    {
      value: fc.string({ unit: "binary" }),
      storedAt: time,
      times: fc.tuple(time, time, time),
      loadMillis: count,
      version: count,
      asOf: count,
      tags: fc.array(fc.string({ unit: "binary" })),
      etag: fc.string(),
    },
    { requiredKeys: ["value", "storedAt", "times", "loadMillis", "version", "asOf", "tags"] },
  )
  .map(({ times, ...rest }): Entry.Entry<string> => {
    const [freshUntil, revalidateUntil, staleUntil] = times.toSorted((a, b) => a - b)
    return {
      ...rest,
      freshUntil: freshUntil!,
      revalidateUntil: revalidateUntil!,
      staleUntil: staleUntil!,
    }
  })

describe("format 1", () => {
  it.effect("frozen samples decode for ever", () =>
    Effect.gen(function* () {
      const Product = Schema.Struct({
        id: Schema.String,
        price: Schema.Number,
        at: Schema.Date,
        more: Schema.UndefinedOr(Schema.String),
      })
      const decoded = <A>(
        { bytes, schemaVersion }: { bytes: Uint8Array; schemaVersion: number },
        schema: Schema.Codec<A, unknown>,
      ) =>
        Envelope.decode(bytes, Schema.toCodecJson(schema), Wire.json, { ...context, schemaVersion })
      assert.deepStrictEqual(yield* decoded(frozen.product, Product), {
        _tag: "Entry",
        entry: frozen.product.entry,
      })
      assert.deepStrictEqual(yield* decoded(frozen.forEver, Schema.String), {
        _tag: "Entry",
        entry: frozen.forEver.entry,
      })
      assert.deepStrictEqual(yield* decoded(frozen.undefinedValue, Schema.Any), {
        _tag: "Entry",
        entry: frozen.undefinedValue.entry,
      })
      assert.deepStrictEqual(Envelope.parse(frozen.tombstone.bytes), {
        _tag: "Tombstone",
        version: frozen.tombstone.version,
      })
    }),
  )

  it("has its fields where it says", () => {
    assert.strictEqual(
      latin1(sample).slice(0, 88),
      "L1V" +
        "0000000000000005" +
        "0000000002000" +
        "0000000003000" +
        "0000000009000" +
        "0000000001000" +
        "00000003" +
        "1" +
        "00000076",
    )
    assert.strictEqual(
      latin1(sample).slice(96),
      `{"tags":["a","b"],"asOf":4,"loadMillis":12,"place":"${Envelope.placeOf(context)}","wire":"json"}"value"`,
    )
  })

  it("a tombstone is 19 bytes", () => {
    assert.strictEqual(latin1(Envelope.tombstone(7)), "L1T0000000000000007")
    assert.isTrue(Envelope.isTombstone(Envelope.tombstone(7)))
    assert.isFalse(Envelope.isTombstone(sample))
    assert.isFalse(Envelope.isTombstone(patched(Envelope.tombstone(7), 5, "x")))
  })
})

describe("encode and decode", () => {
  it.effect("times are read in the time of the reader, but for those that never come", () =>
    Effect.gen(function* () {
      const entry = { ...entryOf("value"), staleUntil: Entry.forever }
      const bytes = yield* encodeText(entry)
      for (const offset of [undefined, 0, 250, -250]) {
        const decoded = yield* Envelope.decode(bytes, Text, Wire.json, { ...context, offset })
        assert.deepStrictEqual(decoded, { _tag: "Entry", entry: Entry.shift(entry, offset ?? 0) })
      }
      const ahead = yield* Envelope.decode(bytes, Text, Wire.json, { ...context, offset: -250 })
      assert.deepStrictEqual(ahead._tag === "Entry" && ahead.entry.freshUntil, 1750)
    }),
  )

  it("give the entry back", () => {
    fc.assert(
      fc.property(entries, (entry) => {
        assert.deepStrictEqual(Effect.runSync(decodeText(Effect.runSync(encodeText(entry)))), {
          _tag: "Entry",
          entry,
        })
      }),
    )
  })

  it("law 5: values that look like none come back as they are", () => {
    const returns = <A>(schema: Schema.Codec<A, unknown>, value: A) => {
      const codec = Schema.toCodecJson(schema)
      const bytes = Effect.runSync(Envelope.encode(entryOf(value), codec, Wire.json, context))
      const decoded = Effect.runSync(Envelope.decode(bytes, codec, Wire.json, context))
      assert.deepStrictEqual(decoded, { _tag: "Entry", entry: entryOf(value) })
    }
    returns(Schema.UndefinedOr(Schema.String), undefined)
    returns(Schema.Undefined, undefined)
    returns(Schema.Void, undefined)
    returns(Schema.Any, undefined)
    returns(Schema.Any, null)
    returns(Schema.Unknown, null)
    returns(Schema.NullOr(Schema.String), null)
    returns(Schema.Finite, 0)
    returns(Schema.String, "")
    returns(Schema.Boolean, false)
    returns(Schema.Number, Number.NaN)
    returns(Schema.Number, -Infinity)
    returns(Schema.Option(Schema.String), Option.none())
    returns(Schema.Option(Schema.UndefinedOr(Schema.String)), Option.some(undefined))
  })

  it.effect("write times as the header can hold them", () =>
    Effect.gen(function* () {
      const bytes = yield* encodeText({
        ...entryOf("x"),
        storedAt: -1,
        freshUntil: 10.7,
        revalidateUntil: 9_999_999_999_998,
        staleUntil: 9_999_999_999_999,
        loadMillis: Number.NaN,
        asOf: -3,
        version: 2 ** 60,
      })
      assert.deepStrictEqual(yield* decodeText(bytes), {
        _tag: "Entry",
        entry: {
          ...entryOf("x"),
          storedAt: 0,
          freshUntil: 10,
          revalidateUntil: 9_999_999_999_998,
          staleUntil: Entry.forever,
          loadMillis: 0,
          asOf: 0,
          version: Number.MAX_SAFE_INTEGER,
        },
      })
    }),
  )

  it.effect("hand the wire what the bytes belong to, and the same again when decoding", () =>
    Effect.gen(function* () {
      const seen: Array<Wire.WireContext> = []
      const spying: Wire.Wire = {
        name: "spying",
        encode: (json, given) => {
          seen.push(given)
          return Wire.json.encode(json, given)
        },
        decode: (bytes, given) => {
          seen.push(given)
          return Wire.json.decode(bytes, given)
        },
      }
      const written = { ...entryOf("x"), storedAt: 1000.7, asOf: -1, etag: "e" }
      const bytes = yield* Envelope.encode(written, Text, spying, context)
      const later = Envelope.expireAt(Envelope.withVersion(bytes, 77), 1500)
      const decoded = yield* Envelope.decode(later, Text, spying, context)
      assert.strictEqual(decoded._tag, "Entry")
      const bound = {
        ...context,
        staleUntil: 9000,
        storedAt: 1000,
        asOf: 0,
        loadMillis: 12,
        tags: ["a", "b"],
        etag: "e",
      }
      assert.deepStrictEqual(seen, [bound, bound])
    }),
  )

  it.effect("leave the services of the schema to the caller", () =>
    Effect.gen(function* () {
      class Unit extends Context.Service<Unit, { readonly factor: number }>()("test/Unit") {}
      const Scaled = Schema.Finite.pipe(
        Schema.decodeTo(Schema.Finite, {
          decode: SchemaGetter.transformEffect((n: number) =>
            Effect.map(Unit, ({ factor }) => n * factor),
          ),
          encode: SchemaGetter.transformEffect((n: number) =>
            Effect.map(Unit, ({ factor }) => n / factor),
          ),
        }),
      )
      const codec = Schema.toCodecJson(Scaled)
      const provide = Effect.provideService(Unit, { factor: 100 })
      const bytes = yield* provide(Envelope.encode(entryOf(300), codec, Wire.json, context))
      assert.isTrue(latin1(bytes).endsWith("}3"))
      const decoded = yield* provide(Envelope.decode(bytes, codec, Wire.json, context))
      assert.deepStrictEqual(decoded, { _tag: "Entry", entry: entryOf(300) })
    }),
  )

  it.effect("take their subject last as well", () =>
    Effect.gen(function* () {
      const bytes = yield* Envelope.encode(Text, Wire.json, context)(entryOf("x"))
      const decoded = yield* Envelope.decode(Text, Wire.json, context)(bytes)
      assert.deepStrictEqual(decoded, { _tag: "Entry", entry: entryOf("x") })
      assert.strictEqual(Envelope.version(Envelope.withVersion(9)(bytes)), 9)
      assert.deepStrictEqual(Envelope.expireAt(1500)(bytes), Envelope.expireAt(bytes, 1500))
    }),
  )

  it.effect("another schemaVersion is neither decoded nor taken for corruption", () =>
    Effect.gen(function* () {
      const as = (schemaVersion: number) =>
        Envelope.decode(sample, Text, Wire.json, { ...context, schemaVersion })
      assert.deepStrictEqual(yield* as(2), { _tag: "NewerSchema", version: 5, schemaVersion: 3 })
      assert.deepStrictEqual(yield* as(4), { _tag: "OlderSchema", version: 5, schemaVersion: 3 })
      const tombstone = yield* decodeText(Envelope.tombstone(8))
      assert.deepStrictEqual(tombstone, { _tag: "Tombstone", version: 8 })
    }),
  )

  it.effect("law 16: what cannot be decoded says why, with the version it stands at", () =>
    Effect.gen(function* () {
      const throwing = Schema.toCodecJson(
        Schema.String.pipe(
          Schema.decodeTo(Schema.String, {
            decode: SchemaGetter.transform((_: string): string => {
              throw new Error("boom")
            }),
            encode: SchemaGetter.transform((_: string): string => {
              throw new Error("bang")
            }),
          }),
        ),
      )
      const Finite = Schema.toCodecJson(Schema.Finite)
      const other: Wire.Wire = { ...Wire.json, name: "other" }
      const cases = [
        [yield* Envelope.decode(sample, Finite, Wire.json, context), /number/, 5],
        [yield* Envelope.decode(sample, throwing, Wire.json, context), /boom/, 5],
        [yield* Envelope.decode(sample, Text, other, context), /wire json, not other/, 5],
        [yield* decodeText(patched(sample, sample.length - 2, "!")), /checksum/, 5],
        [yield* decodeText(fromLatin1("garbage")), /not an envelope/, undefined],
      ] as const
      for (const [decoded, reason, version] of cases) {
        assert.strictEqual(decoded._tag, "Undecodable")
        if (decoded._tag !== "Undecodable") continue
        assert.match(decoded.reason, reason)
        assert.strictEqual(decoded.version, version)
      }
      const error = yield* Effect.flip(Envelope.encode(entryOf("x"), throwing, Wire.json, context))
      assert.match(error.reason, /bang/)
    }),
  )

  it.effect(
    "what cannot be encoded is one error that names the larder, the key and the reason",
    () =>
      Effect.gen(function* () {
        const any = Schema.toCodecJson(Schema.Any)
        const wireRefuses = yield* Effect.flip(
          Envelope.encode(entryOf({ f: () => 1 }), any, Wire.json, context),
        )
        assert.match(
          wireRefuses.message,
          /^products: the entry of "k" cannot be written: Wire json/,
        )
        assert.instanceOf(wireRefuses.cause, Wire.WireError)
        const outOfRange = [-1, 1.5, Number.NaN, Envelope.maxSchemaVersion + 1]
        for (const schemaVersion of outOfRange) {
          const error = yield* Effect.flip(
            Envelope.encode(entryOf("x"), Text, Wire.json, { ...context, schemaVersion }),
          )
          assert.strictEqual(error._tag, "EnvelopeError")
          assert.match(error.reason, /schemaVersion .* is not an integer from 0 to 99999999/)
        }
      }),
  )

  it("an interruption while encoding or decoding stays an interruption", () => {
    const never: Wire.Wire = {
      name: "json",
      encode: () => Effect.interrupt,
      decode: () => Effect.interrupt,
    }
    const encoded = Effect.runSyncExit(Envelope.encode(entryOf("x"), Text, never, context))
    const decoded = Effect.runSyncExit(Envelope.decode(sample, Text, never, context))
    for (const exit of [encoded, decoded]) {
      assert.strictEqual(exit._tag, "Failure")
      if (exit._tag !== "Failure") continue
      assert.strictEqual(exit.cause.reasons[0]?._tag, "Interrupt")
    }
  })
})

describe("the header", () => {
  it("is read without the rest", () => {
    assert.strictEqual(Envelope.version(sample), 5)
    assert.strictEqual(Envelope.schemaVersion(sample), 3)
    assert.strictEqual(Envelope.staleUntil(sample), 9000)
    assert.strictEqual(Envelope.staleUntil(frozen.forEver.bytes), Entry.forever)
    assert.strictEqual(Envelope.version(Envelope.tombstone(7)), 7)
    assert.isUndefined(Envelope.schemaVersion(Envelope.tombstone(7)))
    assert.isUndefined(Envelope.staleUntil(Envelope.tombstone(7)))
    assert.strictEqual(Envelope.storedAt(sample), 1000)
    const others = [Envelope.tombstone(7), patched(sample, 1, "2"), patched(sample, 2, "T")]
    for (const other of others) {
      assert.isUndefined(Envelope.schemaVersion(other))
      assert.isUndefined(Envelope.staleUntil(other))
      assert.isUndefined(Envelope.storedAt(other))
    }
    for (const none of [
      "",
      "L1",
      "L2V0000000000000005",
      "L1V0000000000000005",
      "L1T000000000000000x",
    ]) {
      assert.isUndefined(Envelope.version(fromLatin1(none)))
    }
    assert.isUndefined(Envelope.version(patched(sample, 3, "9999999999999999")))
  })

  it("withVersion and expireAt do on bytes what is done on entries, and leave the given bytes alone", () => {
    fc.assert(
      fc.property(entries, count, time, (entry, version, now) => {
        const bytes = Effect.runSync(encodeText(entry))
        const before = latin1(bytes)
        const changed = Envelope.expireAt(Envelope.withVersion(bytes, version), now)
        const expected = Entry.expireAt({ ...entry, version }, now)
        fc.pre(expected !== undefined)
        assert.deepStrictEqual(Effect.runSync(decodeText(changed)), {
          _tag: "Entry",
          entry: expected,
        })
        assert.strictEqual(latin1(bytes), before)
      }),
    )
  })

  it("withVersion changes tombstones too; expireAt and unknown bytes give copies", () => {
    const tombstone = Envelope.tombstone(7)
    assert.deepStrictEqual(Envelope.withVersion(tombstone, 8), Envelope.tombstone(8))
    const garbage = fromLatin1("garbage that is long enough to have digits patched into it")
    const copies: ReadonlyArray<readonly [Uint8Array, Uint8Array]> = [
      [tombstone, Envelope.expireAt(tombstone, 1)],
      [garbage, Envelope.expireAt(garbage, 1)],
      [garbage, Envelope.withVersion(garbage, 1)],
    ]
    for (const [given, copy] of copies) {
      assert.notStrictEqual(copy.buffer, given.buffer)
      assert.deepStrictEqual(copy, given)
    }
  })

  it("a Buffer is copied, not shared", () => {
    const buffer = Buffer.from(sample)
    Envelope.withVersion(buffer, 99)
    Envelope.expireAt(buffer, 1)
    assert.strictEqual(latin1(buffer), latin1(sample))
  })
})

describe("parse", () => {
  it("tells another format from garbage", () => {
    assert.strictEqual(unreadable(fromLatin1("L2V000")).format, 2)
    assert.strictEqual(unreadable(patched(sample, 1, "7")).format, 7)
    for (const garbage of [
      "",
      "L",
      "LX",
      "l1V",
      "garbage",
      "\u0000\u0001",
      "L1",
      "L1X",
      "L1T",
      "L1V",
    ]) {
      assert.isUndefined(unreadable(fromLatin1(garbage)).format)
    }
  })

  it("names what is wrong", () => {
    const cases: ReadonlyArray<readonly [Uint8Array, RegExp]> = [
      [sample.subarray(0, 95), /truncated: 95 bytes, less than a header/],
      [sample.subarray(0, 100), /truncated: 100 bytes, less than its header says/],
      [sample.subarray(0, sample.length - 1), /checksum/],
      [patched(sample, 3, "9007199254740992"), /version is not a number below 2\^53/],
      [patched(sample, 3, "               5"), /version is not a number/],
      [patched(sample, 19, "-"), /freshUntil is not a number/],
      [patched(sample, 32, "."), /revalidateUntil is not a number/],
      [patched(sample, 45, "x"), /staleUntil is not a number/],
      [patched(sample, 58, "x"), /storedAt is not a number/],
      [patched(sample, 71, "x"), /schemaVersion is not a number/],
      [patched(sample, 79, "2"), /presence/],
      [patched(sample, 79, "0"), /checksum/],
      [patched(sample, 80, "x"), /metaLength is not a number/],
      [patched(sample, 80, "99999999"), /truncated/],
      [patched(sample, 88, "G"), /checksum/],
      [patched(sample, 45, "9"), /checksum/],
      [patched(sample, 71, "1"), /checksum/],
      [fromLatin1("L1T000000000000000"), /tombstone/],
      [fromLatin1("L1T00000000000000055"), /tombstone/],
    ]
    for (const [bytes, reason] of cases) assert.match(unreadable(bytes).reason, reason)
  })

  it("refuses contents of another shape although the checksum is right", () => {
    const meta = { tags: [], asOf: 0, loadMillis: 0, wire: "json" }
    const cases: ReadonlyArray<readonly [string, RegExp]> = [
      ["", /^meta: SyntaxError/],
      ["{} trailing", /^meta: SyntaxError/],
      ["\u00ff", /^meta: TypeError/],
      ["[]", /^meta: SchemaError/],
      [JSON.stringify({ ...meta, tags: [1] }), /^meta: .*tags/s],
      [JSON.stringify({ ...meta, asOf: -1 }), /^meta: .*asOf/s],
      [JSON.stringify({ ...meta, loadMillis: 0.5 }), /^meta: .*loadMillis/s],
      [JSON.stringify({ ...meta, etag: null }), /^meta: .*etag/s],
      [JSON.stringify({ ...meta, wire: undefined }), /^meta: .*wire/s],
    ]
    for (const [text, reason] of cases) assert.match(unreadable(sealed(text)).reason, reason)
    assert.match(unreadable(sealed(JSON.stringify(meta), "1")).reason, /marked as undefined/)
    assert.strictEqual(Envelope.parse(sealed(JSON.stringify(meta)))._tag, "Value")
  })

  it("any bytes: no exception", () => {
    const beginnings = fc.constantFrom("", "L1", "L1V", "L1T", "L2V", latin1(sample).slice(0, 96))
    const digitsMostly = fc.string({
      unit: fc.constantFrom(..."0123456789LVT{}\u00ff"),
      maxLength: 120,
    })
    fc.assert(
      fc.property(
        beginnings,
        fc.oneof(fc.uint8Array({ maxLength: 120 }).map(latin1), digitsMostly),
        (a, b) => {
          const bytes = fromLatin1(a + b)
          const parsed = Envelope.parse(bytes)
          Envelope.version(bytes)
          Envelope.schemaVersion(bytes)
          Envelope.staleUntil(bytes)
          Envelope.withVersion(bytes, 1)
          Envelope.expireAt(bytes, 1)
          return parsed._tag !== "Value"
        },
      ),
      { numRuns: 20_000 },
    )
  })

  it("damaged bytes: no exception, no wrong value, no longer life", () => {
    const original = Envelope.parse(sample)
    assert.strictEqual(original._tag, "Value")
    if (original._tag !== "Value") return
    const damage = fc.oneof(
      fc.record({ at: fc.nat(sample.length - 1), byte: fc.nat(255) }).map(({ at, byte }) => {
        const copy = new Uint8Array(sample)
        copy[at] = byte
        return copy
      }),
      fc
        .record({ at: fc.nat(sample.length - 1), digit: fc.nat(9) })
        .map(({ at, digit }) => patched(sample, at, String(digit))),
      fc.nat(sample.length).map((length) => sample.subarray(0, length)),
      fc
        .record({
          from: fc.nat(sample.length),
          to: fc.nat(sample.length),
          by: fc.uint8Array({ maxLength: 9 }),
        })
        .map(({ by, from, to }) =>
          Uint8Array.from([...sample.subarray(0, from), ...by, ...sample.subarray(to)]),
        ),
    )
    fc.assert(
      fc.property(damage, (bytes) => {
        const parsed = Envelope.parse(bytes)
        if (parsed._tag !== "Value") return
        const { freshUntil, revalidateUntil, version: _, ...rest } = parsed
        const { freshUntil: __, revalidateUntil: ___, version: ____, ...expected } = original
        assert.deepStrictEqual(rest, expected)
        assert.isAtMost(Math.max(freshUntil, revalidateUntil), original.staleUntil)
      }),
      { numRuns: 20_000 },
    )
  })
})
