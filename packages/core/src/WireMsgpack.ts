/**
 * A wire that writes MessagePack with the library `msgpackr`, which the application installs. It is
 * an entry of its own, because `@larder/core` itself loads no library except Effect.
 *
 * @module @larder/core/WireMsgpack
 * @category tiers
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { Packr } from "msgpackr"
import * as shape from "./internal/wire/msgpackShape.ts"
import { json, WireError } from "./Wire.ts"
import type { Wire, WireContext } from "./Wire.ts"

const name = "msgpack"

// No records: only msgpackr reads them, and it compiles functions for them. No types beyond those of JSON.
const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  mapsAsObjects: true,
  moreTypes: false,
  int64AsType: "number",
})

/** A byte that MessagePack never uses: JSON text follows it, for values that MessagePack would change. */
const jsonFollows = 0xc1

const fail = (reason: string, cause?: unknown): WireError =>
  new WireError({ wire: name, reason, ...(cause === undefined ? undefined : { cause }) })

const relabelled = ({ cause, reason }: WireError): WireError => fail(reason, cause)

const behindMarker = (text: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(1 + text.length)
  bytes[0] = jsonFollows
  bytes.set(text, 1)
  return bytes
}

/** The value in MessagePack; undefined if MessagePack would change or lose it. */
const packed = (value: unknown): Uint8Array | undefined => {
  try {
    // A copy: `pack` returns a view of a buffer that it shares between values.
    return shape.isCarried(value) ? new Uint8Array(packr.pack(value)) : undefined
  } catch {
    // A member of the value throws. JSON encoding fails on it too, and its error names the problem.
    return undefined
  }
}

const encode = (value: unknown, context: WireContext): Effect.Effect<Uint8Array, WireError> =>
  Effect.suspend(() => {
    const bytes = packed(value)
    return bytes !== undefined
      ? Effect.succeed(bytes)
      : Effect.mapBoth(json.encode(value, context), {
          onSuccess: behindMarker,
          onFailure: relabelled,
        })
  })

const decode = (bytes: Uint8Array, context: WireContext): Effect.Effect<unknown, WireError> =>
  Effect.suspend(() => {
    if (bytes[0] === jsonFollows) {
      return Effect.mapError(json.decode(bytes.subarray(1), context), relabelled)
    }
    const wrong = shape.complaint(bytes)
    if (wrong !== undefined) return Effect.fail(fail(wrong))
    return Effect.try({
      // A new view: msgpackr sets a property on the array that it reads.
      try: (): unknown => packr.unpack(bytes.subarray()),
      catch: (cause) => fail("the bytes are not MessagePack", cause),
    })
  })

/**
 * A wire that writes MessagePack by `msgpackr`, for the option `wire` of a byte tier.
 *
 * **When to use**
 *
 * Use it for values that are mostly numbers and short members, which it writes shorter than JSON
 * does. For text it gains little; measure with your values.
 *
 * **Details**
 *
 * It carries and rejects the same values as `Wire.json`. It writes values that MessagePack would
 * change (lone surrogates, members called `__proto__`), and values nested deeper than 100 levels, as
 * JSON behind one byte.
 *
 * It checks bytes before it decodes them: it accepts only the types of JSON (no extensions,
 * binaries, NaN or keys that are no text), no deeper nesting, and no lengths that the bytes cannot
 * fill.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { Effect } from "effect"
 * import { msgpack } from "@larder/core/WireMsgpack"
 *
 * const context = { larder: "points", key: "1", schemaVersion: 0, staleUntil: 0 }
 * const points = { x: [1, 2, 3], y: [0.5, -1, 70_000] }
 * const bytes = await Effect.runPromise(msgpack.encode(points, context))
 * assert.equal(bytes.length, 25)
 * assert.deepEqual(await Effect.runPromise(msgpack.decode(bytes, context)), points)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const msgpack: Wire = { name, encode, decode }
