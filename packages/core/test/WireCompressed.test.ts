import { constants, deflateRawSync } from "node:zlib"
import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as fc from "fast-check"
import { vi } from "vitest"
import { Wire } from "../src/index.ts"

const context: Wire.WireContext = { larder: "l", key: "k", schemaVersion: 0, staleUntil: 0 }
const formats = ["gzip", "deflate", "deflate-raw"] as const
const text = "larder ".repeat(1000)
const noise = (length: number) => {
  let state = 1
  return Array.from({ length }, () => (state = (state * 48_271) % 2_147_483_647))
}

afterEach(() => {
  vi.unstubAllGlobals()
})

/** A gigabyte of zeros: the same blocks of raw deflate over and over, none of them the last. */
const gigabyte = (): Uint8Array => {
  const megabyte = deflateRawSync(new Uint8Array(1024 * 1024), {
    finishFlush: constants.Z_FULL_FLUSH,
  })
  return Buffer.concat(Array.from({ length: 1024 }, () => megabyte))
}

const behind = (marker: number, bytes: Uint8Array): Uint8Array =>
  Buffer.concat([Uint8Array.of(marker), bytes])

/** Counts what comes out of the platform's decompression. */
const countingDecompression = () => {
  const Real = globalThis.DecompressionStream
  const count = { bytes: 0, cancelled: 0 }
  vi.stubGlobal(
    "DecompressionStream",
    class {
      readonly writable: WritableStream<BufferSource>
      readonly readable: ReadableStream<Uint8Array>
      constructor(format: CompressionFormat) {
        const real = new Real(format)
        const reader = real.readable.getReader()
        this.writable = real.writable
        this.readable = new ReadableStream(
          {
            pull: (controller) =>
              reader.read().then(({ done, value }) => {
                if (done) return controller.close()
                count.bytes += value.length
                return controller.enqueue(value)
              }),
            cancel: (reason) => {
              count.cancelled += 1
              return reader.cancel(reason)
            },
          },
          { highWaterMark: 0 },
        )
      }
    },
  )
  return count
}

describe("Wire.compressed", () => {
  it.effect("gives back what the wire in it carries, in every format", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.jsonValue({ noUnicodeString: false }),
          fc.constantFrom(...formats),
          fc.constantFrom(0, 10, 10_000),
          async (json, format, threshold) => {
            const wire = Wire.compressed(Wire.json, { format, threshold })
            const bytes = await Effect.runPromise(wire.encode(json, context))
            const plain = await Effect.runPromise(Wire.json.encode(json, context))
            assert.isAtMost(bytes.length, plain.length + 1)
            assert.deepStrictEqual(
              await Effect.runPromise(wire.decode(bytes, context)),
              JSON.parse(JSON.stringify(json)),
            )
          },
        ),
      ),
    ),
  )

  it.effect("compresses from the threshold on, and what becomes shorter alone", () =>
    Effect.gen(function* () {
      const plain = (yield* Wire.json.encode(text, context)).length
      const lengthWith = (options: Wire.CompressedOptions, json: unknown = text) =>
        Effect.map(
          Wire.compressed(Wire.json, options).encode(json, context),
          ({ length }) => length,
        )
      assert.isBelow(yield* lengthWith({}), 100)
      assert.isBelow(yield* lengthWith({ threshold: plain }), 100)
      assert.strictEqual(yield* lengthWith({ threshold: plain + 1 }), plain + 1)
      assert.strictEqual(yield* lengthWith({}, "x".repeat(1021)), 1024)
      assert.isBelow(yield* lengthWith({}, "x".repeat(1022)), 100)

      const base: Wire.Wire = {
        name: "bytes",
        encode: () => Effect.succeed(Uint8Array.from(noise(4096))),
        decode: (bytes) => Effect.succeed([...bytes]),
      }
      const wire = Wire.compressed(base)
      const bytes = yield* wire.encode("noise", context)
      assert.strictEqual(bytes.length, 4097)
      const expected = [...Uint8Array.from(noise(4096))]
      assert.deepStrictEqual(yield* wire.decode(bytes, context), expected)
    }),
  )

  it.effect("reads what was written with other options", () =>
    Effect.gen(function* () {
      const reading = Wire.compressed(Wire.json)
      for (const format of formats) {
        for (const threshold of [0, 1_000_000]) {
          const writing = Wire.compressed(Wire.json, { format, threshold })
          const bytes = yield* writing.encode(text, context)
          assert.strictEqual(writing.name, reading.name)
          assert.strictEqual(yield* reading.decode(bytes, context), text)
        }
      }
    }),
  )

  it.effect("a bomb costs no more than the bound: reading stops there", () =>
    Effect.gen(function* () {
      const maxBytes = 1024 * 1024
      const count = countingDecompression()
      const wire = Wire.compressed(Wire.json, { maxBytes })
      const error = yield* Effect.flip(wire.decode(behind(3, gigabyte()), context))
      assert.match(
        error.reason,
        /decompresses to more than maxBytes \(1048576\) bytes; raise maxBytes/,
      )
      assert.isAbove(count.bytes, maxBytes)
      assert.isBelow(count.bytes, 2 * maxBytes)
      assert.strictEqual(count.cancelled, 1)
    }),
  )

  it.effect("the bound holds to the byte, and nothing is written that could not be read", () =>
    Effect.gen(function* () {
      const plain = (yield* Wire.json.encode(text, context)).length
      const bytes = yield* Wire.compressed(Wire.json).encode(text, context)
      const enough = Wire.compressed(Wire.json, { maxBytes: plain })
      const tight = Wire.compressed(Wire.json, { maxBytes: plain - 1 })
      assert.strictEqual(yield* enough.decode(bytes, context), text)
      assert.deepStrictEqual(yield* enough.encode(text, context), bytes)
      assert.match((yield* Effect.flip(tight.decode(bytes, context))).reason, /more than/)
      const refused = yield* Effect.flip(tight.encode(text, context))
      assert.match(refused.reason, /a value of \d+ bytes is longer than maxBytes .* raise maxBytes/)
    }),
  )

  it.effect("the bound is 64 MiB unless another is given", () =>
    Effect.gen(function* () {
      const length = 64 * 1024 * 1024 + 1
      const base: Wire.Wire = {
        name: "bytes",
        encode: () => Effect.succeed(new Uint8Array(length)),
        decode: () => Effect.succeed(null),
      }
      const error = yield* Effect.flip(Wire.compressed(base).encode(null, context))
      assert.match(
        error.reason,
        new RegExp(`${length} bytes is longer than maxBytes .${length - 1}`),
      )
    }),
  )

  it.effect("law 16: bytes that it did not write are a WireError", () =>
    Effect.gen(function* () {
      const wire = Wire.compressed(Wire.json)
      const good = yield* wire.encode(text, context)
      const cases: ReadonlyArray<readonly [Uint8Array, RegExp]> = [
        [Uint8Array.of(), /not written by this wire/],
        [Uint8Array.of(4), /not written by this wire/],
        [Uint8Array.of(255, 1), /not written by this wire/],
        [Uint8Array.of(0), /not JSON/],
        [Uint8Array.of(1), /not compressed as gzip/],
        [Uint8Array.of(1, 1, 2, 3), /not compressed as gzip/],
        [Uint8Array.of(2, 1, 2, 3), /not compressed as deflate$/],
        [Uint8Array.of(3), /not compressed as deflate-raw/],
        [good.subarray(0, -2), /not compressed as deflate-raw/],
        [Uint8Array.of(...good, 1, 2), /not compressed as deflate-raw/],
        [behind(1, good.subarray(1)), /not compressed as gzip/],
      ]
      for (const [bytes, reason] of cases) {
        const error = yield* Effect.flip(wire.decode(bytes, context))
        assert.strictEqual(error._tag, "WireError")
        assert.match(error.reason, reason)
      }
    }),
  )

  it.effect("passes on what the wire in it refuses", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Wire.compressed(Wire.json).encode(() => 1, context))
      assert.strictEqual(error.wire, "json")
    }),
  )

  it.effect("says where the platform has no such stream", () =>
    Effect.gen(function* () {
      const bytes = yield* Wire.compressed(Wire.json).encode(text, context)
      vi.stubGlobal("CompressionStream", undefined)
      vi.stubGlobal("DecompressionStream", undefined)
      const wire = Wire.compressed(Wire.json)
      assert.match(
        (yield* Effect.flip(wire.encode(text, context))).reason,
        /cannot compress as deflate-raw/,
      )
      assert.match((yield* Effect.flip(wire.decode(bytes, context))).reason, /not compressed/)
    }),
  )

  it.effect("an interrupted reader stops the stream", () =>
    Effect.gen(function* () {
      let cancelled = 0
      vi.stubGlobal(
        "DecompressionStream",
        class {
          readonly writable = new WritableStream()
          readonly readable = new ReadableStream({
            pull: () => new Promise(() => {}),
            cancel: () => {
              cancelled += 1
            },
          })
        },
      )
      const wire = Wire.compressed(Wire.json)
      const reading = yield* Effect.forkChild(wire.decode(Uint8Array.of(3, 1), context), {
        startImmediately: true,
      })
      yield* Fiber.interrupt(reading)
      assert.strictEqual(cancelled, 1)
    }),
  )

  it("takes the wire last as well, and is called after it", () => {
    const options = { threshold: 3 }
    const a = Effect.runSync(Wire.compressed(options)(Wire.json).encode("", context))
    const b = Effect.runSync(Wire.compressed()(Wire.json).encode("", context))
    assert.deepStrictEqual([...a], [0, 0x22, 0x22])
    assert.deepStrictEqual(b, a)
    assert.strictEqual(Wire.compressed(Wire.json).name, "compressed(json)")
    assert.strictEqual(Wire.compressed(options)(Wire.json).name, "compressed(json)")
  })
})
