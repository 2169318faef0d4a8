/**
 * The bytes of one entry in a byte tier: a header of fixed-width ASCII, which a
 * tier can read and patch in place, then the parts that only a larder reads. Use it
 * to write a tier, or to inspect the entries of a tier.
 *
 * Format 1, offsets and widths in bytes:
 *
 * ```text
 *  0  2  "L1"
 *  2  1  "V" a value, "T" a tombstone
 *  3 16  version                      a tombstone ends here
 * 19 13  freshUntil
 * 32 13  revalidateUntil
 * 45 13  staleUntil
 * 58 13  storedAt
 * 71  8  schemaVersion
 * 79  1  "1" bytes of a wire follow, "0" the value is undefined
 * 80  8  length of the meta part
 * 88  8  checksum, lower-case hexadecimal
 * 96     meta: JSON in UTF-8 { tags, asOf, etag?, loadMillis, place?, wire }
 *        the value's bytes, as its wire wrote them
 * ```
 *
 * Times are milliseconds of the clock of the tier that stores the envelope;
 * 9999999999999 means for ever. Digits have a fixed width because a server's
 * scripts may compare and patch them as text, and 16 digits hold every integer
 * below 2^53.
 *
 * `place` is the checksum of the envelope's place: the tier's namespace, the larder
 * and the key. Envelopes of releases that did not write it are readable too.
 *
 * The checksum detects damage, not forgery. A wire that authenticates
 * (`Wire.encrypted`) binds all fields to the value except version, freshUntil and
 * revalidateUntil, which are patched in place. With such a wire the presence byte is
 * always "1", since the wire encodes `undefined` too.
 *
 * @module
 * @category tier authors
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { forever, shiftTime } from "./Entry.ts"
import type { Entry } from "./Entry.ts"
import { atOnce } from "./internal/runtime/syncExit.ts"
import { crc32, crc32OfJson } from "./internal/wire/crc32.ts"
import { plainMeta } from "./internal/wire/plainMeta.ts"
import { json as jsonWire, type Wire, type WireContext, type WireError } from "./Wire.ts"

const tombstoneLength = 19
const headerLength = 96
const foreverDigits = 9_999_999_999_999

/**
 * The highest `schemaVersion` that an envelope can carry: 99,999,999.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Envelope.maxSchemaVersion, 99_999_999)
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const maxSchemaVersion = 99_999_999
const maxMetaLength = 99_999_999

const field = {
  version: { offset: 3, width: 16 },
  freshUntil: { offset: 19, width: 13 },
  revalidateUntil: { offset: 32, width: 13 },
  staleUntil: { offset: 45, width: 13 },
  storedAt: { offset: 58, width: 13 },
  schemaVersion: { offset: 71, width: 8 },
  metaLength: { offset: 80, width: 8 },
} as const

type Field = keyof typeof field
type TimeField = "freshUntil" | "revalidateUntil" | "staleUntil" | "storedAt"

const presenceOffset = 79
const checksumOffset = 88

const encoder = new TextEncoder()

const ascii = (text: string): number => text.charCodeAt(0)
const [letterL, letterV, letterT, digit0, digit1, digit9] = ["L", "V", "T", "0", "1", "9"].map(
  ascii,
) as [number, number, number, number, number, number]

const isDigit = (byte: number | undefined): boolean =>
  byte !== undefined && byte >= digit0 && byte <= digit9

const isFormat1 = (bytes: Uint8Array): boolean => bytes[0] === letterL && bytes[1] === digit1

const isValue = (bytes: Uint8Array): boolean =>
  isFormat1(bytes) && bytes[2] === letterV && bytes.length >= headerLength

/**
 * Whether the bytes are a tombstone: "removed", with a version and nothing else. A tier asks it
 * before it serves what it stores.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.ok(Envelope.isTombstone(Envelope.tombstone(7)))
 * assert.ok(!Envelope.isTombstone(new Uint8Array(0)))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isTombstone = (bytes: Uint8Array): boolean =>
  isFormat1(bytes) &&
  bytes[2] === letterT &&
  bytes.length === tombstoneLength &&
  readNumber(bytes, "version") !== undefined

const readNumber = (bytes: Uint8Array, name: Field): number | undefined => {
  const { offset, width } = field[name]
  let number = 0
  for (let i = offset; i < offset + width; i++) {
    const byte = bytes[i]
    if (byte === undefined || !isDigit(byte)) return undefined
    number = number * 10 + (byte - digit0)
  }
  return Number.isSafeInteger(number) ? number : undefined
}

const readTime = (bytes: Uint8Array, name: TimeField): number | undefined => {
  const time = readNumber(bytes, name)
  return time === foreverDigits ? forever : time
}

/** Clamps a number to an integer from 0 to `max`, as a field of digits can hold it. */
const clamp = (number: number, max: number): number =>
  number > 0 ? Math.min(Math.floor(number), max) : 0

const clampVersion = (version: number): number => clamp(version, Number.MAX_SAFE_INTEGER)

/** Clamps a time to what a reader gets back: whole, not before the epoch, `forever` if too far. */
const clampTime = (time: number): number => {
  const digits = clamp(time, foreverDigits)
  return digits === foreverDigits ? forever : digits
}

const digits = (name: Field, number: number): string =>
  String(number).padStart(field[name].width, "0")

const versionDigits = (version: number): string => digits("version", clampVersion(version))

const timeDigits = (name: TimeField, time: number): string =>
  digits(name, clamp(time, foreverDigits))

const patch = (bytes: Uint8Array, offset: number, text: string): void => {
  encoder.encodeInto(text, bytes.subarray(offset, offset + text.length))
}

/**
 * The checksum of the parts that never change: staleUntil, storedAt, schemaVersion,
 * presence, meta and value. It leaves out version, freshUntil and revalidateUntil,
 * which are patched in place, possibly by a server's script without checksums. So
 * damage never gives a wrong value or a longer life; damage of the patched digits
 * can give a wrong order or another moment of staleness within that life.
 */
const checksum = (bytes: Uint8Array): number =>
  crc32(bytes, headerLength, bytes.length, crc32(bytes, field.staleUntil.offset, checksumOffset))

const lowerHex = "0123456789abcdef"
const hexDigits = Uint8Array.from(lowerHex, ascii)

const isIntact = (bytes: Uint8Array): boolean => {
  let rest = checksum(bytes)
  for (let i = headerLength - 1; i >= checksumOffset; i--) {
    if (bytes[i] !== hexDigits[rest & 15]) return false
    rest >>>= 4
  }
  return true
}

const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

const Meta = Schema.Struct({
  tags: Schema.Array(Schema.String),
  asOf: Count,
  etag: Schema.optionalKey(Schema.String),
  loadMillis: Count,
  wire: Schema.String,
  place: Schema.optionalKey(Schema.String),
})

const decodeMeta = Schema.decodeUnknownResult(Meta)

type Meta = typeof Meta.Type

/**
 * The content of an envelope of a value. The value is still in the encoding of its wire.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parts {
  /** The place of the value in the order of writes to its key. */
  readonly version: number
  /** From this moment on the value is no longer fresh, in milliseconds of the tier's clock. */
  readonly freshUntil: number
  /** The end of stale-while-revalidate, in milliseconds of the tier's clock. */
  readonly revalidateUntil: number
  /** The end of stale-if-error and of the value's life, in milliseconds of the tier's clock. */
  readonly staleUntil: number
  /** When upstream last validated the value, in milliseconds of the tier's clock. */
  readonly storedAt: number
  /** The version of the value's schema: an integer from 0 to {@link maxSchemaVersion}. */
  readonly schemaVersion: number
  /** How long the lookup took, ms. */
  readonly loadMillis: number
  /** The number of the last mark known when the lookup began. */
  readonly asOf: number
  readonly tags: ReadonlyArray<string>
  readonly etag?: string | undefined
  /** The name of the wire that wrote the value. */
  readonly wire: string
  /** The envelope's place, see {@link placeOf}; absent in envelopes of older releases. */
  readonly place?: string | undefined
  /** The value's bytes; `undefined` if the value itself is `undefined`. */
  readonly value: Uint8Array | undefined
}

/**
 * Makes the envelope with these parts. A tier's tests use it; a larder makes its envelopes with
 * {@link encode}.
 *
 * **Details**
 *
 * `make` fits numbers into their fields: it drops fractions, raises negative numbers to 0, and
 * lowers numbers that are too high to the highest. It throws a `RangeError` only for tags and etag
 * of more than 100 MB.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const bytes = Envelope.make({
 *   version: 7, freshUntil: 2_000, revalidateUntil: 2_000, staleUntil: 9_000, storedAt: 1_000,
 *   schemaVersion: 0, loadMillis: 12, asOf: 0, tags: ["shoes"],
 *   wire: "json", value: new TextEncoder().encode("3")
 * })
 * const parsed = Envelope.parse(bytes)
 * assert.ok(parsed._tag === "Value" && parsed.version === 7 && parsed.tags[0] === "shoes")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (parts: Parts): Uint8Array => {
  const meta = encoder.encode(
    JSON.stringify({
      tags: parts.tags,
      asOf: clampVersion(parts.asOf),
      ...(parts.etag === undefined ? undefined : { etag: parts.etag }),
      loadMillis: clampVersion(parts.loadMillis),
      ...(parts.place === undefined ? undefined : { place: parts.place }),
      wire: parts.wire,
    }),
  )
  if (meta.length > maxMetaLength) {
    throw new RangeError(`tags and etag are ${meta.length} bytes long, more than ${maxMetaLength}`)
  }
  const header =
    "L1V" +
    versionDigits(parts.version) +
    timeDigits("freshUntil", parts.freshUntil) +
    timeDigits("revalidateUntil", parts.revalidateUntil) +
    timeDigits("staleUntil", parts.staleUntil) +
    timeDigits("storedAt", parts.storedAt) +
    digits("schemaVersion", clamp(parts.schemaVersion, maxSchemaVersion)) +
    (parts.value === undefined ? "0" : "1") +
    digits("metaLength", meta.length)
  const bytes = new Uint8Array(headerLength + meta.length + (parts.value?.length ?? 0))
  patch(bytes, 0, header)
  bytes.set(meta, headerLength)
  if (parts.value !== undefined) bytes.set(parts.value, headerLength + meta.length)
  patch(bytes, checksumOffset, checksum(bytes).toString(16).padStart(8, "0"))
  return bytes
}

/**
 * Makes a tombstone, the envelope of a removed key. A tier stores it for a while in the place of a
 * value, so that no older value is stored again.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Envelope.version(Envelope.tombstone(7)), 7)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const tombstone = (version: number): Uint8Array =>
  encoder.encode("L1T" + versionDigits(version))

/**
 * The result of {@link parse}.
 *
 * @category models
 * @since 0.1.0
 */
export type Parsed =
  | ({ readonly _tag: "Value" } & Parts)
  | { readonly _tag: "Tombstone"; readonly version: number }
  | Unreadable

/**
 * Bytes that are no envelope of format 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Unreadable {
  readonly _tag: "Unreadable"
  /** Why the bytes are unreadable, for a log. */
  readonly reason: string
  /** The number of another format, if the bytes name one. */
  readonly format: number | undefined
}

const unreadable = (reason: string, format?: number): Unreadable => ({
  _tag: "Unreadable",
  reason,
  format,
})

const notFormat1 = (bytes: Uint8Array): Unreadable => {
  const format = bytes[1]
  return bytes[0] === letterL && format !== undefined && isDigit(format)
    ? unreadable(
        `the envelope has format ${format - digit0}, of another release of Larder`,
        format - digit0,
      )
    : unreadable("not an envelope: the bytes do not begin with L1")
}

const parseTombstone = (bytes: Uint8Array): Parsed => {
  const version = readNumber(bytes, "version")
  return version === undefined || bytes.length !== tombstoneLength
    ? unreadable("a tombstone must be 19 bytes with a version of 16 digits")
    : { _tag: "Tombstone", version }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The meta part, or why the bytes are none. */
const parseMeta = (bytes: Uint8Array, from: number, end: number): Meta | string => {
  try {
    const plain = plainMeta(bytes, from, end)
    if (plain !== undefined) return plain
    const json: unknown = JSON.parse(utf8.decode(bytes.subarray(from, end)))
    const decoded = decodeMeta(json)
    return Result.isSuccess(decoded) ? decoded.success : `meta: ${String(decoded.failure)}`
  } catch (cause) {
    return `meta: ${String(cause)}`
  }
}

const noNumber = (name: Field): Unreadable =>
  unreadable(`${name} is not a number below 2^53 in digits`)

const parseValue = (bytes: Uint8Array): Parsed => {
  if (bytes.length < headerLength)
    return unreadable(`truncated: ${bytes.length} bytes, less than a header`)
  const version = readNumber(bytes, "version")
  if (version === undefined) return noNumber("version")
  const freshUntil = readTime(bytes, "freshUntil")
  if (freshUntil === undefined) return noNumber("freshUntil")
  const revalidateUntil = readTime(bytes, "revalidateUntil")
  if (revalidateUntil === undefined) return noNumber("revalidateUntil")
  const staleUntil = readTime(bytes, "staleUntil")
  if (staleUntil === undefined) return noNumber("staleUntil")
  const storedAt = readTime(bytes, "storedAt")
  if (storedAt === undefined) return noNumber("storedAt")
  const schemaVersion = readNumber(bytes, "schemaVersion")
  if (schemaVersion === undefined) return noNumber("schemaVersion")
  const metaLength = readNumber(bytes, "metaLength")
  if (metaLength === undefined) return noNumber("metaLength")
  const presence = bytes[presenceOffset]
  if (presence !== digit0 && presence !== digit1) return unreadable("presence is neither 0 nor 1")
  const valueOffset = headerLength + metaLength
  if (bytes.length < valueOffset)
    return unreadable(`truncated: ${bytes.length} bytes, less than its header says`)
  if (!isIntact(bytes)) return unreadable("corrupted: the checksum does not match")
  if (presence === digit0 && bytes.length > valueOffset) {
    return unreadable("the value is marked as undefined, but bytes follow")
  }
  const meta = parseMeta(bytes, headerLength, valueOffset)
  if (typeof meta === "string") return unreadable(meta)
  const { asOf, etag, loadMillis, place, tags, wire } = meta
  const parts: { -readonly [Part in keyof Parts]: Parts[Part] } & { readonly _tag: "Value" } = {
    _tag: "Value",
    version,
    // These two are not in the checksum: a damaged digit must not make the value live longer.
    freshUntil: Math.min(freshUntil, staleUntil),
    revalidateUntil: Math.min(revalidateUntil, staleUntil),
    staleUntil,
    storedAt,
    schemaVersion,
    tags,
    asOf,
    loadMillis,
    wire,
    value: presence === digit0 ? undefined : bytes.subarray(valueOffset),
  }
  // Every read runs this: a spread would cost more than all of the above.
  if (place !== undefined) parts.place = place
  if (etag !== undefined) parts.etag = etag
  return parts
}

/**
 * Reads an envelope, for a tier or for a tool that inspects one. The function is total: it returns
 * an answer for all bytes, and never throws.
 *
 * **Details**
 *
 * `value` is a view of the given bytes, not a copy. A checksum covers all parts that are not patched
 * in place (see the module); bytes that do not match it are `Unreadable`.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { Envelope } from "@larder/core"
 *
 * assert.deepEqual(Envelope.parse(Envelope.tombstone(7)), { _tag: "Tombstone", version: 7 })
 * assert.equal(Envelope.parse(new TextEncoder().encode("hello"))._tag, "Unreadable")
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (bytes: Uint8Array): Parsed => {
  if (!isFormat1(bytes)) return notFormat1(bytes)
  if (bytes[2] === letterT) return parseTombstone(bytes)
  if (bytes[2] === letterV) return parseValue(bytes)
  return unreadable("neither a value nor a tombstone")
}

/**
 * The version in the header of a value or a tombstone; `undefined` for bytes that are no envelope.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Envelope.version(Envelope.tombstone(7)), 7)
 * assert.strictEqual(Envelope.version(new Uint8Array(3)), undefined)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const version = (bytes: Uint8Array): number | undefined =>
  isValue(bytes) || isTombstone(bytes) ? readNumber(bytes, "version") : undefined

/**
 * The schema version in the header of a value; `undefined` for tombstones and for bytes that are no
 * envelope.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Envelope.schemaVersion(Envelope.tombstone(7)), undefined)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const schemaVersion = (bytes: Uint8Array): number | undefined =>
  isValue(bytes) ? readNumber(bytes, "schemaVersion") : undefined

/**
 * The end of the value's life in the header, in milliseconds of the tier's clock; `undefined` for
 * tombstones and for bytes that are no envelope. A tier expires the entry then.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const bytes = Envelope.make({
 *   version: 1, freshUntil: 2_000, revalidateUntil: 2_000, staleUntil: 9_000, storedAt: 1_000,
 *   schemaVersion: 0, loadMillis: 12, asOf: 0, tags: [], wire: "json", value: undefined
 * })
 * assert.strictEqual(Envelope.staleUntil(bytes), 9_000)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const staleUntil = (bytes: Uint8Array): number | undefined =>
  isValue(bytes) ? readTime(bytes, "staleUntil") : undefined

/**
 * The `freshUntil` of the header, in milliseconds of the tier's clock; `undefined` when the bytes are
 * no value, or are damaged there. With {@link storedAt}, an arbiter decides by it whether the version of
 * the value is that of an `expire`: see `Arbitration.decideDelayed`.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Envelope.freshUntil(Envelope.tombstone(7)), undefined)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const freshUntil = (bytes: Uint8Array): number | undefined =>
  isValue(bytes) ? readTime(bytes, "freshUntil") : undefined

/**
 * The `storedAt` of the header, in milliseconds of the tier's clock; `undefined` when the bytes are
 * no value, or are damaged there.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Envelope.storedAt(Envelope.tombstone(7)), undefined)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const storedAt = (bytes: Uint8Array): number | undefined =>
  isValue(bytes) ? readTime(bytes, "storedAt") : undefined

/**
 * A copy with another version: an arbiter sets its version in the envelope that a caller sent. For
 * bytes that are no envelope, an unchanged copy.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const bytes = Envelope.withVersion(Envelope.tombstone(7), 8)
 * assert.strictEqual(Envelope.version(bytes), 8)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withVersion: {
  (version: number): (bytes: Uint8Array) => Uint8Array
  (bytes: Uint8Array, version: number): Uint8Array
} = dual(2, (bytes: Uint8Array, number: number): Uint8Array => {
  const copy = new Uint8Array(bytes)
  if (version(copy) !== undefined) patch(copy, field.version.offset, versionDigits(number))
  return copy
})

/**
 * A copy that is neither fresh nor in revalidate grace from `now` on (ms of the tier's clock), and
 * lives as long as before: `Entry.expireAt` on bytes, without the check that some of the life is
 * left.
 *
 * **Details**
 *
 * For tombstones and bytes that are no envelope, it is an unchanged copy.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const bytes = Envelope.make({
 *   version: 1, freshUntil: 2_000, revalidateUntil: 5_000, staleUntil: 9_000, storedAt: 1_000,
 *   schemaVersion: 0, loadMillis: 12, asOf: 0, tags: [], wire: "json", value: undefined
 * })
 * const expired = Envelope.parse(Envelope.expireAt(bytes, 1_500))
 * assert.ok(expired._tag === "Value")
 * assert.strictEqual(expired.freshUntil, 1_500)
 * assert.strictEqual(expired.staleUntil, 9_000)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const expireAt: {
  (now: number): (bytes: Uint8Array) => Uint8Array
  (bytes: Uint8Array, now: number): Uint8Array
} = dual(2, (bytes: Uint8Array, now: number): Uint8Array => {
  const copy = new Uint8Array(bytes)
  if (!isValue(copy)) return copy
  for (const name of ["freshUntil", "revalidateUntil"] as const) {
    const time = readTime(copy, name)
    if (time !== undefined) patch(copy, field[name].offset, timeDigits(name, Math.min(time, now)))
  }
  return copy
})

/**
 * The larder and key that an envelope belongs to, and the version of the value's schema.
 *
 * @category options
 * @since 0.1.0
 */
export interface EnvelopeContext {
  readonly larder: string
  readonly key: string
  /** An integer from 0 to {@link maxSchemaVersion}. */
  readonly schemaVersion: number
  /** The namespace of the tier, if it has one: see `Tier.ByteTier`. */
  readonly namespace?: string | undefined
}

/**
 * The place of an envelope, as eight hexadecimal digits. {@link decode} rejects an envelope under
 * another key, larder or namespace than the one it was written for.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const place = Envelope.placeOf({ larder: "products", key: "1" })
 * assert.match(place, /^[0-9a-f]{8}$/)
 * assert.notStrictEqual(place, Envelope.placeOf({ larder: "products", key: "2" }))
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const placeOf = (place: Pick<EnvelopeContext, "key" | "larder" | "namespace">): string =>
  placeNumberOf(place).toString(16).padStart(8, "0")

/** Every read calls it, so for a plain name and key it allocates nothing. */
const placeNumberOf = ({
  key,
  larder,
  namespace,
}: Pick<EnvelopeContext, "key" | "larder" | "namespace">): number =>
  crc32OfJson([namespace, larder, key]) ??
  crc32(encoder.encode(JSON.stringify([namespace ?? null, larder, key])))

const isPlacedAt = (place: string, context: EnvelopeContext): boolean =>
  Number.parseInt(place, 16) === placeNumberOf(context) && place.length === 8

/**
 * An entry cannot be written as bytes: its schema or its wire rejects the value, or a part does not
 * fit. `reason` says why.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope, Wire } from "@larder/core"
 * import { Effect, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * const codec = Schema.toCodecJson(Schema.Any)
 * const entry = {
 *   value: 10n, storedAt: 0, freshUntil: 1, revalidateUntil: 1, staleUntil: 1,
 *   loadMillis: 0, version: 1, asOf: 0, tags: []
 * }
 * const context = { larder: "products", key: "1", schemaVersion: 0 }
 * const error = await Effect.runPromise(
 *   Effect.flip(Envelope.encode(entry, codec, Wire.json, context))
 * )
 * assert.ok(error instanceof Envelope.EnvelopeError)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class EnvelopeError extends Schema.TaggedError<EnvelopeError>()("EnvelopeError", {
  larder: Schema.String,
  key: Schema.String,
  reason: Schema.String,
  cause: Schema.optional(Schema.Defect()),
}) {
  override get message(): string {
    return `${this.larder}: the entry of ${JSON.stringify(this.key)} cannot be written: ${this.reason}`
  }
}

/**
 * A value's schema as {@link encode} and {@link decode} take it: `Schema.toCodecJson(value)`.
 *
 * @category models
 * @since 0.1.0
 */
export type Codec<A, RD = never, RE = never> = Schema.ConstraintCodec<A, unknown, RD, RE>

/** The context that a wire may bind to the value: the parts that never change, as a reader gets them back. */
const wireContext = (parts: Omit<Parts, "value">, context: EnvelopeContext): WireContext => {
  const { namespace } = context
  return {
    larder: context.larder,
    key: context.key,
    schemaVersion: context.schemaVersion,
    staleUntil: parts.staleUntil,
    storedAt: parts.storedAt,
    asOf: parts.asOf,
    loadMillis: parts.loadMillis,
    tags: parts.tags,
    // Releases that wrote no place passed no namespace to the wire.
    ...(parts.place === undefined || namespace === undefined ? undefined : { namespace }),
    ...(parts.etag === undefined ? undefined : { etag: parts.etag }),
  }
}

const unbound: WireContext = { larder: "", key: "", schemaVersion: 0, staleUntil: 0 }

/** The message of an error. The message of a schema may quote the value, so it is withheld for a sealing wire. */
const complaint = (wire: Wire, error: WireError | Schema.SchemaError): string =>
  wire.seals === true && error._tag !== "WireError"
    ? `the value does not fit its schema; details are withheld, since the wire ${wire.name} seals it`
    : error.message

/** A cause, which may quote the value; undefined for a sealing wire. */
const quotable = (wire: Wire, cause: unknown): unknown => (wire.seals === true ? undefined : cause)

const defectText = (wire: Wire, defect: unknown): string =>
  wire.seals === true
    ? `the value's schema or the wire ${wire.name} threw; details are withheld, since the wire seals the value`
    : String(defect)

const encodeParts = <A, RD, RE>(
  entry: Entry<A>,
  codec: Codec<A, RD, RE>,
  wire: Wire,
  context: EnvelopeContext,
) =>
  Effect.gen(function* () {
    const { value: _, ...rest } = entry
    const parts = {
      ...rest,
      staleUntil: clampTime(entry.staleUntil),
      storedAt: clampTime(entry.storedAt),
      asOf: clampVersion(entry.asOf),
      loadMillis: clampVersion(entry.loadMillis),
      schemaVersion: context.schemaVersion,
      wire: wire.name,
      place: placeOf(context),
    }
    // JSON has no undefined: the presence field stores it, and only a sealing wire encodes it. Also
    // where the codec writes null for undefined, since null may be another value of the same schema.
    const encoded = yield* Schema.encodeEffect(codec)(entry.value)
    const json = entry.value === undefined ? undefined : encoded
    const isInClear = json === undefined && wire.seals !== true
    const value = isInClear ? undefined : yield* wire.encode(json, wireContext(parts, context))
    return make({ ...parts, value })
  })

/**
 * Writes an entry as an envelope, as a larder does before it stores the entry in a byte tier.
 *
 * **Details**
 *
 * `encode` writes the entry's times as they are: shift them to the tier's clock first
 * (`Entry.shift`). Every failure, a schema or wire that throws included, is one `EnvelopeError`
 * with the cause in it.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { Effect, Schema } from "effect"
 * import { Envelope, Wire } from "@larder/core"
 *
 * const codec = Schema.toCodecJson(Schema.Struct({ price: Schema.Finite }))
 * const context = { larder: "products", key: "1", schemaVersion: 0 }
 * const entry = {
 *   value: { price: 3 },
 *   storedAt: 1000,
 *   freshUntil: 2000,
 *   revalidateUntil: 3000,
 *   staleUntil: 9000,
 *   loadMillis: 12,
 *   version: 1,
 *   asOf: 0,
 *   tags: ["shoes"],
 * }
 * const bytes = await Effect.runPromise(Envelope.encode(entry, codec, Wire.json, context))
 * const decoded = await Effect.runPromise(Envelope.decode(bytes, codec, Wire.json, context))
 * assert.deepEqual(decoded, { _tag: "Entry", entry })
 * ```
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode: {
  <A, RD, RE>(
    codec: Codec<A, RD, RE>,
    wire: Wire,
    context: EnvelopeContext,
  ): (entry: Entry<A>) => Effect.Effect<Uint8Array, EnvelopeError, RE>
  <A, RD, RE>(
    entry: Entry<A>,
    codec: Codec<A, RD, RE>,
    wire: Wire,
    context: EnvelopeContext,
  ): Effect.Effect<Uint8Array, EnvelopeError, RE>
} = dual(
  4,
  <A, RD, RE>(
    entry: Entry<A>,
    codec: Codec<A, RD, RE>,
    wire: Wire,
    context: EnvelopeContext,
  ): Effect.Effect<Uint8Array, EnvelopeError, RE> => {
    const { larder, key } = context
    const refused = (reason: string, cause?: unknown) =>
      Effect.fail(
        new EnvelopeError({
          larder,
          key,
          reason,
          ...(cause === undefined ? undefined : { cause }),
        }),
      )
    if (clamp(context.schemaVersion, maxSchemaVersion) !== context.schemaVersion) {
      return refused(
        `schemaVersion ${context.schemaVersion} is not an integer from 0 to ${maxSchemaVersion}`,
      )
    }
    return encodeParts(entry, codec, wire, context).pipe(
      Effect.catch((error) =>
        refused(complaint(wire, error), error._tag === "WireError" ? error : quotable(wire, error)),
      ),
      // A schema or wire that throws must not fail a caller that only wants the value.
      Effect.catchDefect((defect) => refused(defectText(wire, defect), quotable(wire, defect))),
    )
  },
)

/**
 * The result of {@link decode}.
 *
 * - `NewerSchema`, `OlderSchema`: another release of the application wrote it, with another
 *   `schemaVersion`. Leave a newer one alone.
 * - `Undecodable`: treat it as missing, and overwrite it; `version` is that of the header, if it
 *   has one.
 *
 * @category models
 * @since 0.1.0
 */
export type Decoded<A> =
  | { readonly _tag: "Entry"; readonly entry: Entry<A> }
  | { readonly _tag: "Tombstone"; readonly version: number }
  | { readonly _tag: "NewerSchema"; readonly version: number; readonly schemaVersion: number }
  | { readonly _tag: "OlderSchema"; readonly version: number; readonly schemaVersion: number }
  | { readonly _tag: "Undecodable"; readonly reason: string; readonly version: number | undefined }

/**
 * The context of {@link decode}: that of the written envelope, and the offset of its clock.
 *
 * @category options
 * @since 0.1.0
 */
export interface DecodeContext extends EnvelopeContext {
  /**
   * Milliseconds that `decode` adds to all times: the difference between the tier's clock and the
   * clock that the entry is used with. Default 0.
   */
  readonly offset?: number | undefined
}

/** Functions and facts derived from a codec, once for each codec. */
interface Decoder<A, RD> {
  readonly decode: (json: unknown) => Effect.Effect<A, Schema.SchemaError, RD>
  readonly hasUndefined: boolean
}

const decoders = new WeakMap<object, Decoder<unknown, unknown>>()

const decoderOf = <A, RD, RE>(codec: Codec<A, RD, RE>): Decoder<A, RD> => {
  const known = decoders.get(codec)
  // The cast is sound: this decoder was derived from the same codec.
  if (known !== undefined) return known as Decoder<A, RD>
  const decoder: Decoder<A, RD> = {
    decode: Schema.decodeUnknownEffect(codec),
    hasUndefined: Schema.is(Schema.toType(codec))(undefined),
  }
  decoders.set(codec, decoder)
  return decoder
}

const entryOf = <A>(parts: Parts, value: A, offset = 0): Decoded<A> => {
  const { asOf, etag, loadMillis, tags, version } = parts
  const entry = {
    value,
    storedAt: shiftTime(parts.storedAt, offset),
    freshUntil: shiftTime(parts.freshUntil, offset),
    revalidateUntil: shiftTime(parts.revalidateUntil, offset),
    staleUntil: shiftTime(parts.staleUntil, offset),
    loadMillis,
    version,
    asOf,
    tags,
  }
  return { _tag: "Entry", entry: etag === undefined ? entry : { ...entry, etag } }
}

/** Decodes synchronously if the wire and the schema do, as most of them do. */
const decodeValue = <A, RD, RE>(
  parts: Parts,
  codec: Codec<A, RD, RE>,
  wire: Wire,
  context: DecodeContext,
): Effect.Effect<Decoded<A>, WireError | Schema.SchemaError, RD> => {
  const decoder = decoderOf(codec)
  if (parts.value === undefined) return valueOf(parts, decoder, undefined, context.offset)
  // The default wire binds nothing to a value, so reads with it need no context.
  const bound = wire === jsonWire ? unbound : wireContext(parts, context)
  const json = wire.decode(parts.value, bound)
  const done = atOnce(json)
  if (done === undefined) return decodedLater(parts, decoder, json, context.offset)
  if (!Exit.isSuccess(done)) return Exit.failCause(done.cause)
  return valueOf(parts, decoder, done.value, context.offset)
}

const valueOf = <A, RD>(
  parts: Parts,
  decoder: Decoder<A, RD>,
  json: unknown,
  offset: number | undefined,
): Effect.Effect<Decoded<A>, Schema.SchemaError, RD> => {
  if (json === undefined && decoder.hasUndefined) {
    return Exit.succeed(entryOf(parts, undefined as A, offset))
  }
  const value = decoder.decode(json)
  const done = atOnce(value)
  return done !== undefined && Exit.isSuccess(done)
    ? Exit.succeed(entryOf(parts, done.value, offset))
    : valuedLater(parts, value, offset)
}

/** This function and the next are separate, so that a value that is decoded synchronously makes no closure. */
const valuedLater = <A, RD>(
  parts: Parts,
  value: Effect.Effect<A, Schema.SchemaError, RD>,
  offset: number | undefined,
): Effect.Effect<Decoded<A>, Schema.SchemaError, RD> =>
  Effect.map(value, (value) => entryOf(parts, value, offset))

const decodedLater = <A, RD>(
  parts: Parts,
  decoder: Decoder<A, RD>,
  json: Effect.Effect<unknown, WireError>,
  offset: number | undefined,
): Effect.Effect<Decoded<A>, WireError | Schema.SchemaError, RD> =>
  Effect.flatMap(json, (json) => valueOf(parts, decoder, json, offset))

/**
 * Reads an envelope for this schema, wire and `schemaVersion`, as a larder does with the bytes of a
 * byte tier. It never fails, whatever the bytes are, also when the schema throws.
 *
 * **Details**
 *
 * `decode` reads the bytes when it is called; if wire and schema are synchronous, the effect is an
 * `Exit`. It shifts times by the `offset` of the context, from the tier's clock to the clock that
 * the entry is used with.
 *
 * **Example**
 *
 * ```ts
 * import { Envelope, Wire } from "@larder/core"
 * import { Effect, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * const codec = Schema.toCodecJson(Schema.Finite)
 * const context = { larder: "products", key: "1", schemaVersion: 0 }
 * const read = (bytes: Uint8Array) =>
 *   Effect.runSync(Envelope.decode(bytes, codec, Wire.json, context))
 * assert.deepStrictEqual(read(Envelope.tombstone(7)), { _tag: "Tombstone", version: 7 })
 * assert.strictEqual(read(new Uint8Array(3))._tag, "Undecodable")
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode: {
  <A, RD, RE>(
    codec: Codec<A, RD, RE>,
    wire: Wire,
    context: DecodeContext,
  ): (bytes: Uint8Array) => Effect.Effect<Decoded<A>, never, RD>
  <A, RD, RE>(
    bytes: Uint8Array,
    codec: Codec<A, RD, RE>,
    wire: Wire,
    context: DecodeContext,
  ): Effect.Effect<Decoded<A>, never, RD>
} = dual(
  4,
  <A, RD, RE>(
    bytes: Uint8Array,
    codec: Codec<A, RD, RE>,
    wire: Wire,
    context: DecodeContext,
  ): Effect.Effect<Decoded<A>, never, RD> => {
    const parsed = parse(bytes)
    if (parsed._tag === "Unreadable") return undecodable(bytes, parsed.reason)
    if (parsed._tag === "Tombstone") return Exit.succeed(parsed)
    if (parsed.schemaVersion !== context.schemaVersion) {
      return Exit.succeed({
        _tag: parsed.schemaVersion > context.schemaVersion ? "NewerSchema" : "OlderSchema",
        version: parsed.version,
        schemaVersion: parsed.schemaVersion,
      })
    }
    if (parsed.wire !== wire.name) {
      return undecodable(bytes, `written by the wire ${parsed.wire}, not ${wire.name}`)
    }
    if (parsed.value === undefined && wire.seals === true) {
      return undecodable(
        bytes,
        `undefined is stored unencrypted, but the wire ${wire.name} encrypts it`,
      )
    }
    // A sealing wire checks the place itself, and names the mismatch in its error.
    const { place } = parsed
    if (wire.seals !== true && place !== undefined && !isPlacedAt(place, context)) {
      return undecodable(bytes, "written for another key, larder or namespace")
    }
    try {
      const decoded = decodeValue(parsed, codec, wire, context)
      const done = atOnce(decoded)
      // The cast is sound: a success has no error.
      if (done !== undefined && Exit.isSuccess(done)) return done as Exit.Exit<Decoded<A>>
      return orUndecodable(decoded, bytes, wire)
    } catch (defect) {
      // A transformation that throws must not fail a read.
      return undecodable(bytes, defectText(wire, defect))
    }
  },
)

const undecodable = (bytes: Uint8Array, reason: string): Exit.Exit<Decoded<never>> =>
  Exit.succeed({ _tag: "Undecodable", reason, version: version(bytes) })

const orUndecodable = <A, RD>(
  decoded: Effect.Effect<Decoded<A>, WireError | Schema.SchemaError, RD>,
  bytes: Uint8Array,
  wire: Wire,
): Effect.Effect<Decoded<A>, never, RD> =>
  decoded.pipe(
    Effect.catch((error) => undecodable(bytes, complaint(wire, error))),
    Effect.catchDefect((defect) => undecodable(bytes, defectText(wire, defect))),
  )
