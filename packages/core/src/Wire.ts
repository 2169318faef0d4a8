/**
 * How the encoded form of a value becomes bytes and bytes become it again, in
 * tiers that keep bytes. A value's `Schema` first gives JSON data (its JSON
 * codec), a wire carries that data. {@link json} is the default.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * What the bytes belong to. A wire that authenticates what it carries binds the
 * bytes to it, so that they cannot be moved to another key or made to live longer.
 */
export interface WireContext {
  /** The larder's name. */
  readonly larder: string
  readonly key: string
  readonly schemaVersion: number
  /** The end of the entry's life as it was when the value was stored; milliseconds of the tier's clock. */
  readonly staleUntil: number
}

/** A wire could not carry a value, or could not read bytes. `reason` says what and what would do. */
export class WireError extends Schema.TaggedError<WireError>()("WireError", {
  wire: Schema.String,
  reason: Schema.String,
  cause: Schema.optional(Schema.Defect()),
}) {
  override get message(): string {
    return `Wire ${this.wire}: ${this.reason}`
  }
}

/**
 * Between JSON data and bytes.
 *
 * **When to use**
 *
 * Implement it to store values in another form than JSON text.
 *
 * **Details**
 *
 * `encode` gets JSON data, never `undefined`: an envelope has a field of its own
 * for that. `decode` gets bytes that nobody vouches for, and must fail with
 * `WireError` on any that it did not write. `name` is stored with the value; an
 * entry written through a wire of another name is not decoded.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { Effect } from "effect"
 * import { Wire } from "@larder/core"
 *
 * const reversed: Wire.Wire = {
 *   name: "reversed",
 *   encode: (json, context) =>
 *     Effect.map(Wire.json.encode(json, context), (bytes) => bytes.toReversed()),
 *   decode: (bytes, context) => Wire.json.decode(bytes.toReversed(), context),
 * }
 *
 * const context = { larder: "products", key: "1", schemaVersion: 0, staleUntil: 0 }
 * const bytes = await Effect.runPromise(reversed.encode({ price: 1 }, context))
 * assert.equal(new TextDecoder().decode(bytes), '}1:"ecirp"{')
 * assert.deepEqual(await Effect.runPromise(reversed.decode(bytes, context)), { price: 1 })
 * ```
 */
export interface Wire {
  readonly name: string
  readonly encode: (json: unknown, context: WireContext) => Effect.Effect<Uint8Array, WireError>
  readonly decode: (bytes: Uint8Array, context: WireContext) => Effect.Effect<unknown, WireError>
}

interface NotJson {
  readonly path: string
  readonly what: string
}

const inside = (step: string, found: NotJson | undefined): NotJson | undefined =>
  found && { path: step + found.path, what: found.what }

const notJsonObject = (value: object): NotJson | undefined => {
  const prototype: unknown = Object.getPrototypeOf(value)
  // A root prototype of another realm is as good as ours.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    return { path: "", what: `an instance of ${value.constructor?.name || "a class"}` }
  }
  for (const [name, member] of Object.entries(value)) {
    const found = inside(`[${JSON.stringify(name)}]`, notJson(member))
    if (found !== undefined) return found
  }
  return undefined
}

const notJsonArray = (value: ReadonlyArray<unknown>): NotJson | undefined => {
  for (let i = 0; i < value.length; i++) {
    const found = inside(`[${i}]`, notJson(value[i]))
    if (found !== undefined) return found
  }
  return undefined
}

/** The first thing in there that JSON text would lose or change; the sign of -0 apart. */
const notJson = (value: unknown): NotJson | undefined => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined
    case "number":
      return Number.isFinite(value) ? undefined : { path: "", what: String(value) }
    case "object":
      if (value === null) return undefined
      return Array.isArray(value) ? notJsonArray(value) : notJsonObject(value)
    default:
      return { path: "", what: value === undefined ? "undefined" : `a ${typeof value}` }
  }
}

const encoder = new TextEncoder()

const fail = (reason: string, cause?: unknown): WireError =>
  new WireError({ wire: "json", reason, ...(cause === undefined ? undefined : { cause }) })

const unwritable = (cause: unknown): WireError =>
  fail(`the value cannot be written as JSON: ${String(cause)}`, cause)

const encodeJson = (json: unknown): Effect.Effect<Uint8Array, WireError> =>
  Effect.suspend(() => {
    try {
      // Before the walk, which would not end on a cycle: stringify refuses one.
      const text = JSON.stringify(json)
      const found = notJson(json)
      if (found === undefined) return Effect.succeed(encoder.encode(text))
      return Effect.fail(
        fail(
          `JSON cannot carry ${found.what} at $${found.path}: give the larder a \`value\` schema that encodes it`,
        ),
      )
    } catch (cause) {
      return Effect.fail(unwritable(cause))
    }
  })

const decodeJson = (bytes: Uint8Array): Effect.Effect<unknown, WireError> =>
  Effect.try({
    try: (): unknown =>
      JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)),
    catch: (cause) => fail("the bytes are no JSON in UTF-8", cause),
  })

/**
 * JSON text in UTF-8: the default.
 *
 * **Details**
 *
 * Anything that the text would silently lose or change is refused with a
 * `WireError` that names its place: functions, symbols, bigints, `undefined`,
 * NaN and infinities, class instances, cycles. Schemas encode all of these but
 * functions and cycles; only data that a schema lets through unseen
 * (`Schema.Any`) comes here with them. Of -0 the sign is lost.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { Effect } from "effect"
 * import { Wire } from "@larder/core"
 *
 * const context = { larder: "products", key: "1", schemaVersion: 0, staleUntil: 0 }
 * const error = await Effect.runPromise(
 *   Effect.flip(Wire.json.encode({ price: [1, Number.NaN] }, context)),
 * )
 * assert.match(error.reason, /cannot carry NaN at \$\["price"\]\[1\]/)
 * ```
 */
export const json: Wire = { name: "json", encode: encodeJson, decode: decodeJson }
