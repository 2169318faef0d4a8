import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { Wire } from "../src/index.ts"

const context: Wire.WireContext = { larder: "l", key: "k", schemaVersion: 0, staleUntil: 0 }
const refused = (json: unknown) => Effect.flip(Wire.json.encode(json, context))

describe("Wire.json", () => {
  it("carries all JSON data unchanged, but for the sign of -0", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (json) => {
        const bytes = Effect.runSync(Wire.json.encode(json, context))
        assert.deepStrictEqual(
          Effect.runSync(Wire.json.decode(bytes, context)),
          JSON.parse(JSON.stringify(json)),
        )
      }),
    )
  })

  it.effect("carries lone surrogates, __proto__ members and a byte order mark", () =>
    Effect.gen(function* () {
      for (const json of [
        "\ud800",
        JSON.parse('{"__proto__":1}'),
        "\ufeffx",
        Object.create(null),
      ]) {
        const bytes = yield* Wire.json.encode(json, context)
        const back = yield* Wire.json.decode(bytes, context)
        assert.strictEqual(JSON.stringify(back), JSON.stringify(json))
      }
    }),
  )

  it.effect("refuses what the text would lose, and names its place", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [unknown, RegExp]> = [
        [undefined, /cannot carry undefined at \$:/],
        [{ a: [undefined] }, /undefined at \$\["a"\]\[0\]/],
        [{ a: undefined }, /undefined at \$\["a"\]/],
        // eslint-disable-next-line no-sparse-arrays
        [[1, , 2], /undefined at \$\[1\]/],
        [() => 1, /a function at \$/],
        [{ toJSON: () => 1 }, /a function at \$\["toJSON"\]/],
        [[Symbol("s")], /a symbol at \$\[0\]/],
        [{ n: Number.NaN }, /NaN at \$\["n"\]/],
        [[-Infinity], /-Infinity at/],
        [[new Date(0)], /an instance of Date at \$\[0\]/],
        [new Map(), /an instance of Map at \$/],
        [[1n], /cannot be written as JSON/],
      ]
      for (const [json, reason] of cases) {
        const error = yield* refused(json)
        assert.strictEqual(error._tag, "WireError")
        assert.strictEqual(error.wire, "json")
        assert.match(error.reason, reason)
      }
    }),
  )

  it.effect("refuses cycles, data too deep for the stack, and members that throw", () =>
    Effect.gen(function* () {
      const cycle: Record<string, unknown> = {}
      cycle["self"] = cycle
      let deep: unknown = 0
      for (let i = 0; i < 100_000; i++) deep = [deep]
      const throwing = {
        get a() {
          throw new Error("no")
        },
      }
      for (const json of [cycle, deep, throwing]) {
        const error = yield* refused(json)
        assert.match(error.message, /^Wire json: the value cannot be written as JSON/)
        assert.isDefined(error.cause)
      }
    }),
  )

  it("fails on bytes that are no JSON in UTF-8, and never throws", () => {
    const broken = [[], [0xff], [0x22, 0xc3, 0x22], [0x7b], [0xef, 0xbb, 0xbf, 0x31]]
    for (const bytes of broken) {
      const error = Effect.runSync(Effect.flip(Wire.json.decode(Uint8Array.from(bytes), context)))
      assert.strictEqual(error.reason, "the bytes are not JSON in UTF-8")
    }
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const exit = Effect.runSync(Effect.result(Wire.json.decode(bytes, context)))
        assert.oneOf(exit._tag, ["Success", "Failure"])
      }),
    )
  })
})
