import { globSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { addExtension, Packr } from "msgpackr"
import { Wire } from "../src/index.ts"
import { msgpack } from "../src/WireMsgpack.ts"

const context: Wire.WireContext = { larder: "l", key: "k", schemaVersion: 0, staleUntil: 0 }
const encode = (json: unknown) => Effect.runSync(msgpack.encode(json, context))
const decode = (bytes: Uint8Array) => Effect.runSync(msgpack.decode(bytes, context))
const result = (bytes: Uint8Array) => Effect.runSync(Effect.result(msgpack.decode(bytes, context)))
const asJson = (json: unknown) =>
  Effect.runSync(
    Effect.flatMap(Wire.json.encode(json, context), (bytes) => Wire.json.decode(bytes, context)),
  )

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"))

const nested = (depth: number, inner: unknown, isMap = false) => {
  let value = inner
  for (let i = 0; i < depth; i++) value = isMap ? { a: value } : [value]
  return value
}

/** Whether it is JSON data through and through, without the help of what is tested. */
const isJsonData = (value: unknown): boolean => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true
  if (typeof value === "number") return Number.isFinite(value)
  if (Array.isArray(value)) return value.every(isJsonData)
  return (
    typeof value === "object" &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every(isJsonData)
  )
}

const oddNames = fc.constantFrom(
  "__proto__",
  "__proto_",
  "constructor",
  "toJSON",
  "hasOwnProperty",
  "length",
  "1",
  "",
)
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom("\ud800", "\udc00", "a") }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.constantFrom(null, true, false, 0, 127, 128, 255, 256, 2 ** 32, -(2 ** 31) - 1, 2 ** 53),
    fc.array(tie("json")),
    // Own members, `__proto__` among them, as JSON.parse makes them.
    fc
      .array(fc.tuple(fc.oneof(oddNames, fc.string({ unit: "binary" })), tie("json")))
      .map((members) => Object.fromEntries(members)),
  ),
}))

describe("Wire.msgpack", () => {
  it("carries what Wire.json carries, as Wire.json carries it", () => {
    fc.assert(
      fc.property(json, (value) => {
        assert.deepStrictEqual(decode(encode(value)), asJson(value))
      }),
      { numRuns: 2000 },
    )
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false, maxDepth: 8 }), (value) => {
        assert.deepStrictEqual(decode(encode(value)), asJson(value))
      }),
    )
  })

  it("writes MessagePack, the shortest for each number of members", () => {
    assert.deepStrictEqual(encode({ a: [1, -1, null] }), hex("81 a1 61 93 01 ff c0"))
    assert.deepStrictEqual(encode(""), hex("a0"))
    const members = Array.from({ length: 70_000 }, (_, i) => [`m${i}`, i])
    for (const count of [15, 16, 65_535, 65_536]) {
      const value = Object.fromEntries(members.slice(0, count))
      assert.deepStrictEqual(decode(encode(value)), value)
      const list = Array.from({ length: count }, () => 0)
      assert.deepStrictEqual(decode(encode(list)), list)
    }
    for (const length of [31, 32, 255, 256, 65_535, 65_536]) {
      assert.strictEqual(decode(encode("ü".repeat(length))), "ü".repeat(length))
    }
  })

  it("writes the same bytes for the same data, whatever was written before", () => {
    const value = { a: 1, b: [{ a: 1, b: 2 }], c: "text" }
    const first = encode(value)
    for (let i = 0; i < 100; i++) encode({ a: i, b: [{ a: i, b: i }], c: String(i) })
    assert.deepStrictEqual(encode(value), first)
    // Not a view of a buffer that goes on being written.
    assert.strictEqual(first.buffer.byteLength, first.length)
  })

  it("leaves to JSON what MessagePack would change", () => {
    for (const value of ["\ud800", { "\udc00": 1 }, JSON.parse('{"__proto__":1}')]) {
      const bytes = encode([value])
      assert.strictEqual(bytes[0], 0xc1)
      assert.strictEqual(JSON.stringify(decode(bytes)), JSON.stringify([value]))
    }
    assert.strictEqual(encode(nested(100, 1))[0], 0x91)
    assert.strictEqual(encode(nested(101, 1))[0], 0xc1)
    assert.strictEqual(encode(nested(101, 1, true))[0], 0xc1)
    for (const depth of [99, 100, 101, 1000]) {
      for (const isMap of [true, false]) {
        const value = nested(depth, "x", isMap)
        assert.strictEqual(JSON.stringify(decode(encode(value))), JSON.stringify(value))
      }
    }
  })

  it("refuses what Wire.json refuses, with its reasons", () => {
    const cycle: Record<string, unknown> = {}
    cycle["self"] = cycle
    const throwing = {
      get a() {
        throw new Error("no")
      },
    }
    const refused: ReadonlyArray<unknown> = [
      undefined,
      { a: [undefined] },
      // eslint-disable-next-line no-sparse-arrays
      [[1, , 2]],
      () => 1,
      { toJSON: () => 1 },
      Symbol("s"),
      [1n],
      { n: Number.NaN },
      [-Infinity],
      [new Date(0)],
      new Map(),
      new Set(),
      new Uint8Array(1),
      /x/,
      new Error("x"),
      cycle,
      throwing,
      nested(100_000, 0),
    ]
    for (const value of refused) {
      const own = Effect.runSync(Effect.flip(msgpack.encode(value, context)))
      const theirs = Effect.runSync(Effect.flip(Wire.json.encode(value, context)))
      assert.strictEqual(own.wire, "msgpack")
      assert.strictEqual(own.reason, theirs.reason)
      assert.strictEqual(Object.hasOwn(own, "cause"), Object.hasOwn(theirs, "cause"))
    }
  })

  it("law 16: bytes that are not JSON data are refused", () => {
    const lots = "ff".repeat(32)
    const cases: ReadonlyArray<readonly [string, RegExp]> = [
      ["", /truncated/],
      ["a1", /truncated/],
      ["d9 ff 61", /truncated/],
      ["cb 00", /truncated/],
      ["81 a1 61", /truncated/],
      ["92 01", /truncated/],
      ["dc ff", /truncated/],
      ["01 01", /more bytes follow the value/],
      ["90 90", /more bytes follow the value/],
      // An array and a map of 2^32 - 1 members.
      [`dd ffffffff ${lots}`, /truncated/],
      [`df ffffffff ${lots}`, /truncated/],
      // Keys that are no text.
      ["81 01 01", /a member name is not a string/],
      ["81 c0 01", /a member name is not a string/],
      ["81 90 01", /a member name is not a string/],
      ["82 a1 61 01 80 01", /a member name is not a string/],
      // Numbers that JSON has not.
      ["cb 7ff8000000000000", /the MessagePack type 203 is not a type of JSON/],
      ["cb fff0000000000000", /the MessagePack type 203/],
      ["ca 7f800000", /the MessagePack type 202 /],
      ["91 ca ffc00000", /the MessagePack type 202 /],
      // Binaries.
      ["c4 01 00", /the MessagePack type 196 /],
      ["c5 0001 00", /the MessagePack type 197 /],
      ["c6 00000001 00", /the MessagePack type 198 /],
      ["91 c1", /the MessagePack type 193 /],
      // Extensions: a date, and what msgpackr alone has: records, undefined, sets, regular
      // expressions, errors, references, typed arrays, big integers, bundled texts.
      ["d6 ff 00000000", /the MessagePack type 214 /],
      ["d4 72 40 91 a1 61 01", /the MessagePack type 212 /],
      ["d5 72 40 00 91 a1 61 01", /the MessagePack type 213 /],
      ["d4 00 00", /the MessagePack type 212 /],
      ["d4 73 00 90", /the MessagePack type 212 /],
      ["d4 78 00 92 a4 28612b29 a0", /the MessagePack type 212 /],
      ["d4 65 00 93 c0 c0 c0", /the MessagePack type 212 /],
      ["d6 69 00000001 91 d6 70 00000001", /the MessagePack type 214 /],
      ["d7 74 0000000000000000", /the MessagePack type 215 /],
      ["c7 01 42 01", /the MessagePack type 199 /],
      ["c8 0001 42 01", /the MessagePack type 200 /],
      ["c9 00000001 42 01", /the MessagePack type 201 /],
      ["d6 62 00000000", /the MessagePack type 214 /],
      ["d8 00 00000000000000000000000000000000", /the MessagePack type 216 /],
      // JSON behind its marker.
      ["c1", /not JSON/],
      ["c1 7b", /not JSON/],
      ["c1 ff", /not JSON/],
    ]
    for (const [bytes, reason] of cases) {
      const decoded = result(hex(bytes))
      assert.strictEqual(decoded._tag, "Failure", bytes)
      if (decoded._tag !== "Failure") continue
      assert.strictEqual(decoded.failure._tag, "WireError")
      assert.strictEqual(decoded.failure.wire, "msgpack")
      assert.match(decoded.failure.reason, reason, bytes)
    }
  })

  it("deep nesting does not overflow", () => {
    const deep = Buffer.alloc(1_000_000, 0x91)
    deep[deep.length - 1] = 0
    const decoded = result(deep)
    assert.strictEqual(decoded._tag, "Failure")
    if (decoded._tag === "Failure") assert.match(decoded.failure.reason, /deeper than 100 levels/)
    assert.deepStrictEqual(
      decode(Buffer.concat([Buffer.alloc(100, 0x91), hex("07")])),
      nested(100, 7),
    )
    const text = Buffer.concat([hex("c1"), Buffer.alloc(1_000_000, "[")])
    assert.strictEqual(result(text)._tag, "Failure")
  })

  it("a key __proto__ in foreign bytes changes no prototype", () => {
    // {"__proto__": {"polluted": 1}}
    const bytes = hex(
      `81 a9 ${Buffer.from("__proto__").toString("hex")} 81 a8 ${Buffer.from("polluted").toString("hex")} 01`,
    )
    const decoded = result(bytes)
    if (decoded._tag === "Success") assert.isTrue(isJsonData(decoded.success))
    assert.isUndefined(({} as Record<string, unknown>)["polluted"])
  })

  it("any bytes give JSON data or a WireError", () => {
    const parts = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .array(
          fc.constantFrom(
            0x00,
            0x80,
            0x81,
            0x82,
            0x90,
            0x91,
            0x92,
            0xa0,
            0xa1,
            0x61,
            0xc0,
            0xc1,
            0xc3,
            0xca,
            0xcb,
            0xcf,
            0xd3,
            0xd4,
            0xd9,
            0xdc,
            0xde,
            0x72,
            0x40,
            0xff,
          ),
          { maxLength: 40 },
        )
        .map((bytes) => Uint8Array.from(bytes)),
      json.map((value) => encode(value)),
    )
    const damaged = fc
      .tuple(parts, fc.nat(), fc.nat(255), fc.boolean())
      .map(([bytes, at, byte, isDamaged]) => {
        const copy = new Uint8Array(bytes)
        if (isDamaged && copy.length > 0) copy[at % copy.length] = byte
        return copy
      })
    fc.assert(
      fc.property(damaged, (bytes) => {
        const before = Buffer.from(bytes).toString("hex")
        const decoded = result(bytes)
        // JSON text can say numbers that no double holds: 1e400.
        if (decoded._tag === "Success" && !/[46]5(2b)?(3\d){3}/.test(before)) {
          assert.isTrue(isJsonData(decoded.success), before)
        }
        // Neither the bytes nor the array that holds them are written to.
        assert.strictEqual(Buffer.from(bytes).toString("hex"), before)
        assert.notProperty(bytes, "dataView")
      }),
      { numRuns: 20_000 },
    )
  })

  it("extensions that the application adds to msgpackr change nothing", () => {
    class Point {
      readonly x = 1
    }
    let called = 0
    addExtension({
      Class: Point,
      type: 0x11,
      pack: () => {
        called += 1
        return Buffer.from([1])
      },
      unpack: () => {
        called += 1
        return new Point()
      },
    })
    const bytes = new Packr().pack(new Point())
    assert.strictEqual(called, 1)
    assert.strictEqual(result(bytes)._tag, "Failure")
    const error = Effect.runSync(Effect.flip(msgpack.encode(new Point(), context)))
    assert.match(error.reason, /an instance of Point/)
    assert.strictEqual(called, 1)
  })

  it("reads integers of 64 bits, which it does not write, as numbers", () => {
    assert.strictEqual(decode(hex("cf 0000000100000000")), 2 ** 32)
    assert.strictEqual(decode(hex("d3 ffffffffffffffff")), -1)
    assert.strictEqual(decode(hex("cf ffffffffffffffff")), 2 ** 64)
  })
})

describe("msgpackr", () => {
  const source = fileURLToPath(new URL("../src/", import.meta.url))
  const importsOf = (file: string): ReadonlyArray<string> => {
    const text = readFileSync(join(source, file), "utf8").replaceAll(/^ *\*.*$/gm, "")
    return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, name]) => name!)
  }
  /** The files that `entry` loads, itself included, and the packages that they do. */
  const loaded = (entry: string) => {
    const files = new Set<string>()
    const packages = new Set<string>()
    const visit = (file: string): void => {
      if (files.has(file)) return
      files.add(file)
      for (const name of importsOf(file)) {
        if (name.startsWith(".")) visit(relative(source, join(source, dirname(file), name)))
        else packages.add(name.split("/")[0]!)
      }
    }
    visit(entry)
    return { files, packages }
  }

  it("is loaded by the entry WireMsgpack, and by nothing else", () => {
    const main = loaded("index.ts")
    assert.deepStrictEqual([...main.packages].toSorted(), ["@noble", "effect"])
    assert.isFalse(main.files.has("WireMsgpack.ts"))
    assert.isTrue(main.files.has("Wire.ts"))
    assert.deepStrictEqual([...loaded("WireMsgpack.ts").packages].toSorted(), [
      "effect",
      "msgpackr",
    ])
    const importing = globSync("**/*.ts", { cwd: source }).filter((file) =>
      importsOf(file).includes("msgpackr"),
    )
    assert.deepStrictEqual(importing, ["WireMsgpack.ts"])
  })
})
