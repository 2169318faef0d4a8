/**
 * A wire: the encoding of values as bytes, in tiers that store bytes. A value's `Schema` first
 * gives JSON data (its JSON codec); a wire carries that data. {@link json} is the default;
 * {@link compressed} and {@link encrypted} wrap another wire, or each other. A byte tier takes its
 * wire as the option `wire`.
 *
 * @module
 * @category tiers
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { hasProperty } from "effect/Predicate"
import type { NamesOf } from "./internal/runtime/optionNames.ts"
import * as aesGcm from "./internal/wire/aesGcm.ts"
import * as compression from "./internal/wire/compression.ts"
import { notJson } from "./internal/wire/json.ts"
import * as keyring from "./internal/wire/keyring.ts"
import { InvalidOptions } from "./InvalidOptions.ts"

export type { EncryptedOptions, EncryptionKey } from "./internal/wire/keyring.ts"

/**
 * The context of a value: everything that its envelope fixes when it is written. A wire that
 * authenticates binds the bytes to the context, so that an attacker cannot move them to another
 * key, make them live longer, or remove their tags.
 *
 * **Details**
 *
 * `Envelope` sets every field, `etag` if there is one. A caller that uses a wire without an envelope
 * sets the first four, to the same values for decoding as for encoding.
 *
 * @category models
 * @since 0.1.0
 */
export interface WireContext {
  /** The larder's name. */
  readonly larder: string
  readonly key: string
  /** The version of the value's schema: an integer of at least 0. */
  readonly schemaVersion: number
  /**
   * The end of the entry's life, as set when the value was stored, in milliseconds of the tier's
   * clock.
   */
  readonly staleUntil: number
  /** When upstream returned the value, in milliseconds of the tier's clock. */
  readonly storedAt?: number | undefined
  /** The highest number of a mark that was known when the lookup began. */
  readonly asOf?: number | undefined
  /** How long the lookup took, ms. */
  readonly loadMillis?: number | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  readonly etag?: string | undefined
  /** The namespace of the tier, if it has one, such as the prefix of a `RedisTier`. */
  readonly namespace?: string | undefined
}

/**
 * A wire could not carry a value, or could not read bytes. `reason` says what is wrong, and the
 * remedy.
 *
 * **Example**
 *
 * ```ts
 * import { Wire } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const context = { larder: "products", key: "1", schemaVersion: 0, staleUntil: 0 }
 * const error = await Effect.runPromise(
 *   Effect.flip(Wire.json.decode(new Uint8Array([0xff]), context))
 * )
 * assert.ok(error instanceof Wire.WireError)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
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
 * Converts JSON data to bytes and back.
 *
 * **When to use**
 *
 * Implement it to store values in another form than JSON text.
 *
 * **Details**
 *
 * `encode` gets JSON data. It gets no `undefined`, for which an envelope has a separate field,
 * unless the wire `seals`. `decode` gets untrusted bytes: it must fail with `WireError` on bytes
 * that it did not write, and must bound the memory of its result. Events and logs show the `reason`
 * of a `WireError`. `name` is stored with the value; an entry written by a wire of another name is
 * not decoded.
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
 *
 * @category models
 * @since 0.1.0
 */
export interface Wire {
  readonly name: string
  readonly encode: (json: unknown, context: WireContext) => Effect.Effect<Uint8Array, WireError>
  readonly decode: (bytes: Uint8Array, context: WireContext) => Effect.Effect<unknown, WireError>
  /**
   * True for a wire that encrypts and authenticates values. Then the wire encodes
   * `undefined` too: outside the wire an attacker could put it in the place of any
   * value. And errors and events leave out the message of a schema that rejects a
   * value, which may quote it. A wire around a sealing one must set it as well.
   */
  readonly seals?: boolean | undefined
}

const encoder = new TextEncoder()

const fail = (reason: string, cause?: unknown): WireError =>
  new WireError({ wire: "json", reason, ...(cause === undefined ? undefined : { cause }) })

const unwritable = (cause: unknown): WireError =>
  fail(`the value cannot be written as JSON: ${String(cause)}`, cause)

const encodeJson = (json: unknown): Effect.Effect<Uint8Array, WireError> =>
  Effect.suspend(() => {
    try {
      // Before `notJson`, which would not end on a cycle: `stringify` throws on one.
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

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Decodes when it is called, not when the effect runs: this saves a step for each value. */
const decodeJson = (bytes: Uint8Array): Exit.Exit<unknown, WireError> => {
  try {
    return Exit.succeed(JSON.parse(utf8.decode(bytes)))
  } catch (cause) {
    return Exit.fail(fail("the bytes are not JSON in UTF-8", cause))
  }
}

/**
 * The default wire: JSON text in UTF-8.
 *
 * **Details**
 *
 * `encode` fails with a `WireError`, which names the place, for data that JSON text would silently
 * lose or change: functions, symbols, bigints, `undefined`, NaN and infinities, class instances,
 * cycles. Schemas encode all of these except functions and cycles, so they reach the wire only in
 * data that a schema does not encode (`Schema.Any`). The sign of -0 is lost.
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
 *
 * @category constructors
 * @since 0.1.0
 */
export const json: Wire = { name: "json", encode: encodeJson, decode: decodeJson }

const formats = ["gzip", "deflate", "deflate-raw"] as const

/**
 * Options of {@link compressed}.
 *
 * @category options
 * @since 0.1.0
 */
export interface CompressedOptions {
  /** The length in bytes below which values stay uncompressed. Default 1,024. */
  readonly threshold?: number | undefined
  /**
   * The format of new values; `decode` reads all three. Default `"deflate-raw"`: the others add a
   * header and a checksum, which the envelope has already.
   */
  readonly format?: "gzip" | "deflate" | "deflate-raw" | undefined
  /** The most bytes that decompression produces; a longer value fails to encode. Default 64 MiB. */
  readonly maxBytes?: number | undefined
}

const compressedNames: NamesOf<CompressedOptions> = {
  threshold: true,
  format: true,
  maxBytes: true,
}

const invalid = (field: keyof CompressedOptions | "wire", must: string, got: unknown) =>
  Result.fail(InvalidOptions.of({ module: "Wire", field, must, got }))

type Checked<A> = Result.Result<A, InvalidOptions>

const countOf = (field: keyof CompressedOptions, count: number, least: number): Checked<number> =>
  Number.isSafeInteger(count) && count >= least
    ? Result.succeed(count)
    : invalid(field, `be a number of bytes, an integer of at least ${least}`, count)

const formatOf = (format: string): Checked<compression.Format> => {
  const found = formats.find((each) => each === format)
  return found === undefined
    ? invalid("format", `be one of ${formats.map((each) => `"${each}"`).join(", ")}`, format)
    : Result.succeed(found)
}

const checkedCompression = (options: CompressedOptions) => {
  const given = { module: "Wire", names: compressedNames, got: options }
  const mistake = InvalidOptions.ofNames(given)
  if (mistake !== undefined) return Result.fail(mistake)
  const { format = "deflate-raw", maxBytes = 64 * 1024 * 1024, threshold = 1024 } = options
  return Result.all({
    threshold: countOf("threshold", threshold, 0),
    maxBytes: countOf("maxBytes", maxBytes, 1),
    format: formatOf(format),
  })
}

/** Puts a first byte before the rest: 0 for an uncompressed value, otherwise 1 + the index of its format. */
const marked = (marker: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
  const result = new Uint8Array(1 + bytes.length)
  result[0] = marker
  result.set(bytes, 1)
  return result
}

interface Compression {
  readonly threshold: number
  readonly maxBytes: number
  readonly format: compression.Format
}

const compressing = (wire: Wire, { format, maxBytes, threshold }: Compression): Wire => {
  const name = `compressed(${wire.name})`
  const fail = (reason: string, cause?: unknown) =>
    Effect.fail(
      new WireError({ wire: name, reason, ...(cause === undefined ? undefined : { cause }) }),
    )

  const shorter = (bytes: Uint8Array): Effect.Effect<Uint8Array, WireError> => {
    if (bytes.length < threshold || bytes.length === 0) return Effect.succeed(marked(0, bytes))
    if (bytes.length > maxBytes) {
      return fail(
        `a value of ${bytes.length} bytes is longer than maxBytes (${maxBytes}), so it could not be read again; raise maxBytes`,
      )
    }
    return compression.compress(bytes, format).pipe(
      Effect.map((short) => marked(1 + formats.indexOf(format), short)),
      Effect.catchTag("TooLong", () => Effect.succeed(marked(0, bytes))),
      Effect.catchTag("StreamFailed", ({ cause }) =>
        fail(`the platform cannot compress as ${format}`, cause),
      ),
    )
  }
  const whole = (bytes: Uint8Array): Effect.Effect<Uint8Array, WireError> => {
    const marker = bytes[0]
    if (marker === 0) return Effect.succeed(bytes.subarray(1))
    const format = marker === undefined ? undefined : formats[marker - 1]
    if (format === undefined) return fail("the bytes were not written by this wire")
    return compression.decompress(bytes.subarray(1), format, maxBytes).pipe(
      Effect.catchTag("TooLong", () =>
        fail(
          `the value decompresses to more than maxBytes (${maxBytes}) bytes; raise maxBytes if such values are intended`,
        ),
      ),
      Effect.catchTag("StreamFailed", ({ cause }) =>
        fail(`the bytes are not compressed as ${format}`, cause),
      ),
    )
  }
  return {
    name,
    seals: wire.seals,
    encode: (json, context) => Effect.flatMap(wire.encode(json, context), shorter),
    decode: (bytes, context) =>
      Effect.flatMap(whole(bytes), (bytes) => wire.decode(bytes, context)),
  }
}

/**
 * Whether something is a wire.
 *
 * **When to use**
 *
 * In a tier of your own, to refuse an option `wire` that is none.
 *
 * **Example**
 *
 * ```ts
 * import { Wire } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.ok(Wire.isWire(Wire.json))
 * assert.ok(!Wire.isWire("json"))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isWire = (u: unknown): u is Wire =>
  hasProperty(u, "name") &&
  typeof u.name === "string" &&
  hasProperty(u, "encode") &&
  typeof u.encode === "function" &&
  hasProperty(u, "decode") &&
  typeof u.decode === "function"

/** A wire that another wire is put around. */
const checkedInner = (wire: Wire): Checked<Wire> =>
  isWire(wire) ? Result.succeed(wire) : invalid("wire", "be a wire, such as Wire.json", wire)

/**
 * Makes a wire that compresses the bytes of another one with the platform's
 * `CompressionStream`.
 *
 * **When to use**
 *
 * Use it for values of many kilobytes and a tier that is far away. A value costs
 * some hundreds of microseconds each way, mostly for the stream itself, so a low
 * `threshold` gains little. Put it inside {@link encrypted}: encrypted bytes do not
 * compress. The length of a compressed and encrypted value reveals something of its
 * content, which matters where an attacker can choose a part of it.
 *
 * **Details**
 *
 * Values below the `threshold`, and those that do not become shorter, stay
 * uncompressed behind one byte. Decompression stops after `maxBytes` of output, so
 * that a few bytes cannot fill the memory. Options may change between releases:
 * older values are still read. Throws `InvalidOptions`; {@link compressedResult}
 * returns it.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { Effect } from "effect"
 * import { Wire } from "@larder/core"
 *
 * const wire = Wire.compressed(Wire.json, { threshold: 100 })
 * const context = { larder: "products", key: "1", schemaVersion: 0, staleUntil: 0 }
 * const text = "larder ".repeat(1000)
 * const bytes = await Effect.runPromise(wire.encode(text, context))
 * assert.ok(bytes.length < 100)
 * assert.equal(await Effect.runPromise(wire.decode(bytes, context)), text)
 *
 * assert.throws(() => Wire.compressed(Wire.json, { threshold: -1 }), {
 *   _tag: "InvalidOptions",
 *   field: "threshold",
 * })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const compressed: {
  (options?: CompressedOptions): (wire: Wire) => Wire
  (wire: Wire, options?: CompressedOptions): Wire
} = dual(
  (args) => isWire(args[0]),
  (wire: Wire, options?: CompressedOptions): Wire =>
    Result.getOrThrow(compressedResult(wire, options)),
)

/**
 * {@link compressed} for options from outside: returns the `InvalidOptions` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { Wire } from "@larder/core"
 * import { Result } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.ok(Result.isFailure(Wire.compressedResult(Wire.json, { threshold: -1 })))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const compressedResult: {
  (options?: CompressedOptions): (wire: Wire) => Result.Result<Wire, InvalidOptions>
  (wire: Wire, options?: CompressedOptions): Result.Result<Wire, InvalidOptions>
} = dual(
  (args) => isWire(args[0]),
  (wire: Wire, options: CompressedOptions = {}): Result.Result<Wire, InvalidOptions> =>
    Result.flatMap(checkedInner(wire), (inner) =>
      Result.map(checkedCompression(options), (checked) => compressing(inner, checked)),
    ),
)

const format1 = 1

/** The first bytes of an encrypted value: the format, the length of the key's id, the id. The sealed bytes follow. */
const headOf = ({ idBytes }: keyring.Key): Uint8Array =>
  Uint8Array.of(format1, idBytes.length, ...idBytes)

/**
 * The context that is bound to the value, as the text of one JSON array. It is
 * unambiguous: JSON quotes strings and escapes lone surrogates.
 */
const boundOf = (wire: string, keyId: string, context: WireContext): Uint8Array<ArrayBuffer> =>
  encoder.encode(
    JSON.stringify([
      "larder",
      format1,
      keyId,
      wire,
      context.larder,
      context.key,
      context.schemaVersion,
      context.staleUntil,
      context.storedAt ?? null,
      context.asOf ?? null,
      context.loadMillis ?? null,
      context.tags ?? null,
      context.etag ?? null,
      // Values of releases without namespaces are bound to none.
      ...(context.namespace === undefined ? [] : [context.namespace]),
    ]),
  )

interface Opened {
  readonly key: keyring.Key
  readonly sealed: Uint8Array
}

/** The parts of the bytes of an encrypting wire, or why they are unreadable. */
const opened = (bytes: Uint8Array, keys: keyring.Keyring): Opened | string => {
  const [format, idLength = 0] = bytes
  if (format !== format1)
    return "the bytes were not written by this wire, or by another release of it"
  const sealed = bytes.subarray(2 + idLength)
  // At least one byte is sealed: the one that says whether there is a value.
  if (sealed.length <= aesGcm.overhead) return "the bytes are truncated"
  const id = new TextDecoder().decode(bytes.subarray(2, 2 + idLength))
  const key = keys.byId.get(id)
  return key === undefined
    ? `there is no key ${JSON.stringify(id)}, only ${keyring.idsOf(keys)}; add the key to read the values that it encrypted`
    : { key, sealed }
}

const encrypting = (wire: Wire, keys: keyring.Keyring): Wire => {
  const head = headOf(keys.current)
  const name = `encrypted(${wire.name})`
  const failure = (reason: string, cause?: unknown) =>
    new WireError({ wire: name, reason, ...(cause === undefined ? undefined : { cause }) })
  // Drop the cause, which may quote the value, as the errors of parsers do.
  const inner = (error: WireError) => failure(error.message)
  const unavailable = ({ cause }: aesGcm.Unavailable) =>
    failure("Web Crypto is not available, or rejects the key", cause)

  return {
    name,
    seals: true,
    encode: (json, context) =>
      Effect.gen(function* () {
        const plain =
          json === undefined
            ? Uint8Array.of(0)
            : marked(1, yield* Effect.mapError(wire.encode(json, context), inner))
        const bound = boundOf(name, keys.current.id, context)
        const sealed = yield* Effect.mapError(aesGcm.seal(keys.current, plain, bound), unavailable)
        const bytes = new Uint8Array(head.length + sealed.length)
        bytes.set(head)
        bytes.set(sealed, head.length)
        return bytes
      }),
    decode: (bytes, context) =>
      Effect.gen(function* () {
        const parts = opened(bytes, keys)
        if (typeof parts === "string") return yield* failure(parts)
        const bound = boundOf(name, parts.key.id, context)
        const plain = yield* aesGcm.open(parts.key, parts.sealed, bound).pipe(
          Effect.catchTag("Unavailable", (error) => Effect.fail(unavailable(error))),
          Effect.catchTag("NotAuthentic", () => Effect.fail(failure(notAuthentic(parts.key)))),
        )
        if (plain[0] === 0 && plain.length === 1) return undefined
        return yield* Effect.mapError(wire.decode(plain.subarray(1), context), inner)
      }),
  }
}

const notAuthentic = ({ id }: keyring.Key): string =>
  `not authentic: altered, written for another larder, key, namespace, schemaVersion, life, tags or etag, or with another key than the one now called ${JSON.stringify(id)}`

/**
 * Makes a wire that encrypts and authenticates the bytes of another one:
 * AES-256-GCM of Web Crypto (NIST SP 800-38D), with a random nonce of 96 bits for
 * each value.
 *
 * **When to use**
 *
 * Use it where an attacker who can read or write the tier must not read values or
 * put one value in the place of another. Keys come from `Config.Redacted` (Base64
 * of 32 bytes: `openssl rand -base64 32`), or from elsewhere as bytes or
 * `CryptoKey`.
 *
 * **Details**
 *
 * Bound to the value are the larder's name, the key, the tier's namespace (the
 * prefix of a `RedisTier`), `schemaVersion`, `staleUntil`, `storedAt`, `asOf`,
 * `loadMillis`, tags, etag, the wires' names and the id of the encryption key: when
 * one of them has changed since the value was written, decoding fails. `undefined`
 * is encrypted like any value.
 *
 * To rotate keys, add a key under a new id on every node, then make it `current`,
 * and remove the old key when all values that it encrypted have expired. An entry
 * whose key is gone counts as missing and is loaded again. Replace a key before it
 * has encrypted 2^32 values: beyond that a repeated random nonce becomes likely.
 *
 * Throws `InvalidOptions`, which never shows a key; {@link encryptedResult} returns it.
 *
 * **Gotchas**
 *
 * Not encrypted: larder name, key, tags, etag, times, and the length of the value.
 * Not authenticated: the version and the two times within the entry's life that
 * servers patch in place (`freshUntil`, `revalidateUntil`). So an attacker who can
 * write to the tier can remove an entry, restore an earlier entry of the same key
 * while its own life lasts and no newer mark covers its tags, and make an entry
 * fresh or stale within its life.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { Effect, Redacted } from "effect"
 * import { Wire } from "@larder/core"
 *
 * const key = (byte: number) => Redacted.make(new Uint8Array(32).fill(byte))
 * const before = Wire.encrypted(Wire.json, { keys: { a: key(1) }, current: "a" })
 * const after = Wire.encrypted(Wire.json, { keys: { a: key(1), b: key(2) }, current: "b" })
 *
 * const context = { larder: "people", key: "1", schemaVersion: 0, staleUntil: 0 }
 * const bytes = await Effect.runPromise(before.encode({ name: "Ada" }, context))
 * assert.deepEqual(await Effect.runPromise(after.decode(bytes, context)), { name: "Ada" })
 *
 * const moved = after.decode(bytes, { ...context, key: "2" })
 * const error = await Effect.runPromise(Effect.flip(moved))
 * assert.match(error.reason, /^not authentic/)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const encrypted: {
  (options: keyring.EncryptedOptions): (wire: Wire) => Wire
  (wire: Wire, options: keyring.EncryptedOptions): Wire
} = dual(2, (wire: Wire, options: keyring.EncryptedOptions) =>
  Result.getOrThrow(encryptedResult(wire, options)),
)

/**
 * {@link encrypted} for options from outside: returns the `InvalidOptions` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { Wire } from "@larder/core"
 * import { Result } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.ok(Result.isFailure(Wire.encryptedResult(Wire.json, { keys: {}, current: "a" })))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const encryptedResult: {
  (options: keyring.EncryptedOptions): (wire: Wire) => Result.Result<Wire, InvalidOptions>
  (wire: Wire, options: keyring.EncryptedOptions): Result.Result<Wire, InvalidOptions>
} = dual(2, (wire: Wire, options: keyring.EncryptedOptions) =>
  Result.flatMap(checkedInner(wire), (inner) =>
    Result.map(keyring.make(options), (keys) => encrypting(inner, keys)),
  ),
)
