/** The keys of an encrypting wire, checked when it is made and imported when first used. */
import * as Base64 from "effect/encoding/Base64"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { InvalidOptions } from "../../InvalidOptions.ts"

/**
 * A key of AES-256: its 32 bytes, their Base64 text as a `Redacted` (what `Config.Redacted`
 * returns), or a `CryptoKey`, which need not be extractable.
 *
 * @category models
 * @since 0.1.0
 */
export type EncryptionKey =
  | Uint8Array
  | Redacted.Redacted<Uint8Array>
  | Redacted.Redacted<string>
  | CryptoKey

/**
 * Options of `Wire.encrypted`.
 *
 * @category options
 * @since 0.1.0
 */
export interface EncryptedOptions {
  /**
   * The keys by id; all of them decrypt. An id is 1 to 255 bytes of UTF-8, and is stored unencrypted
   * with each value.
   */
  readonly keys: Readonly<Record<string, EncryptionKey>>
  /** The id of the key that encrypts. */
  readonly current: string
}

const names: Readonly<Record<keyof EncryptedOptions, true>> = { keys: true, current: true }

export interface Key {
  readonly id: string
  /** The id in UTF-8. */
  readonly idBytes: Uint8Array
  /** Imports the key at the first call. */
  readonly get: () => Promise<CryptoKey>
}

export interface Keyring {
  readonly current: Key
  readonly byId: ReadonlyMap<string, Key>
}

const keyLength = 32
const maxIdLength = 255

const encoder = new TextEncoder()

const quoted = (ids: Iterable<string>): string =>
  [...ids].map((id) => JSON.stringify(id)).join(", ")

/** The ids as text for a message. */
export const idsOf = ({ byId }: Keyring): string => quoted(byId.keys())

type Checked<A> = Result.Result<A, InvalidOptions>

const invalid = (field: string, must: string, got: unknown): Checked<never> =>
  Result.fail(InvalidOptions.of({ module: "Wire", field, must, got }))

const idBytesOf = (id: string): Checked<Uint8Array> => {
  const bytes = encoder.encode(id)
  const must = `have ids that are well-formed strings of 1 to ${maxIdLength} bytes in UTF-8`
  return bytes.length >= 1 && bytes.length <= maxIdLength && id.isWellFormed()
    ? Result.succeed(bytes)
    : invalid("keys", must, id)
}

/** The error for a key. `what` describes the key without showing any of it. */
const invalidKey = (id: string, what: string): Checked<never> =>
  Result.fail(
    new InvalidOptions({
      module: "Wire",
      field: `keys[${JSON.stringify(id)}]`,
      reason: `must be ${keyLength} bytes, a Redacted of them or of their Base64 string, or a CryptoKey of AES-GCM 256, got ${what}`,
    }),
  )

/** Returns a copy of the bytes, which no caller can change and which Web Crypto accepts. */
const rawOf = (id: string, material: unknown): Checked<Uint8Array<ArrayBuffer> | undefined> => {
  if (typeof material === "string") {
    const decoded = Base64.decode(material)
    return Result.isFailure(decoded)
      ? invalidKey(id, "a string that is not Base64")
      : rawOf(id, decoded.success)
  }
  if (!(material instanceof Uint8Array)) return Result.succeed(undefined)
  return material.length === keyLength
    ? Result.succeed(new Uint8Array(material))
    : invalidKey(id, `${material.length} bytes`)
}

const importing = (raw: Uint8Array<ArrayBuffer>): (() => Promise<CryptoKey>) => {
  let imported: Promise<CryptoKey> | undefined
  return () =>
    (imported ??= globalThis.crypto.subtle.importKey("raw", raw, "AES-GCM", false, [
      "encrypt",
      "decrypt",
    ]))
}

const isCryptoKey = (key: unknown): key is CryptoKey =>
  typeof key === "object" && key !== null && "algorithm" in key && "usages" in key

const checkedCryptoKey = (
  id: string,
  key: CryptoKey,
  usages: ReadonlyArray<KeyUsage>,
): Checked<CryptoKey> => {
  const { name, length } = key.algorithm as AesKeyAlgorithm
  if (name !== "AES-GCM" || length !== keyLength * 8) {
    return invalidKey(id, `a CryptoKey of ${name} ${length ?? ""}`)
  }
  const missing = usages.filter((usage) => !key.usages.includes(usage))
  return missing.length === 0
    ? Result.succeed(key)
    : invalidKey(id, `a CryptoKey that may not ${missing.join(" and ")}`)
}

const unwrapped = (id: string, key: unknown): Checked<unknown> =>
  Redacted.isRedacted(key)
    ? Result.orElse(
        Result.try(() => Redacted.value(key)),
        () => invalidKey(id, "a Redacted that was wiped"),
      )
    : Result.succeed(key)

const importerOf = (id: string, key: unknown, isCurrent: boolean): Checked<Key["get"]> => {
  // A plain string would appear wherever the options are printed.
  if (typeof key === "string") return invalidKey(id, "a string that is not Redacted")
  const raw = Result.flatMap(unwrapped(id, key), (material) => rawOf(id, material))
  return Result.flatMap(raw, (bytes): Checked<Key["get"]> => {
    if (bytes !== undefined) return Result.succeed(importing(bytes))
    if (!isCryptoKey(key)) return invalidKey(id, `a value of type ${typeof key}`)
    const usages: ReadonlyArray<KeyUsage> = isCurrent ? ["encrypt", "decrypt"] : ["decrypt"]
    return Result.map(
      checkedCryptoKey(id, key, usages),
      (checked) => () => Promise.resolve(checked),
    )
  })
}

const keyOf = (id: string, key: unknown, isCurrent: boolean): Checked<Key> =>
  Result.map(
    Result.all({ idBytes: idBytesOf(id), get: importerOf(id, key, isCurrent) }),
    (parts) => ({ id, ...parts }),
  )

export const make = (options: EncryptedOptions): Checked<Keyring> => {
  const mistake = InvalidOptions.ofNames({ module: "Wire", names, got: options })
  if (mistake !== undefined) return Result.fail(mistake)
  const { current, keys } = options
  if (typeof keys !== "object" || keys === null) {
    // A string is most likely the key itself, which must not be shown.
    const got = typeof keys === "string" ? Redacted.make(keys) : keys
    return invalid("keys", "be an object with each key under its id", got)
  }
  const all = Object.entries(keys).map(([id, key]) => keyOf(id, key, id === current))
  return Result.flatMap(Result.all(all), (made) => {
    // A Map, since an id may be the name of a member that every object inherits.
    const byId = new Map(made.map((key) => [key.id, key]))
    const found = byId.get(current)
    if (found !== undefined) return Result.succeed({ current: found, byId })
    const ids = byId.size === 0 ? "which is empty" : quoted(byId.keys())
    return invalid("current", `be an id of \`keys\` (${ids})`, current)
  })
}
