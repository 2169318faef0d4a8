/** The keys of an encrypting wire, checked once and imported when first used. */
import * as Base64 from "effect/encoding/Base64"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { InvalidWire } from "../../InvalidWire.ts"

/**
 * A key of AES-256: its 32 bytes, the Base64 text of them as a `Redacted` (what
 * `Config.Redacted` gives), or a `CryptoKey`, which need not be extractable.
 */
export type EncryptionKey =
  | Uint8Array
  | Redacted.Redacted<Uint8Array>
  | Redacted.Redacted<string>
  | CryptoKey

/** What `Wire.encrypted` takes. */
export interface EncryptedOptions {
  /** By id: 1 to 255 bytes of UTF-8, stored in the clear with each value. All of them decrypt. */
  readonly keys: Readonly<Record<string, EncryptionKey>>
  /** The id of the key that encrypts. */
  readonly current: string
}

export interface Key {
  readonly id: string
  /** The id in UTF-8. */
  readonly idBytes: Uint8Array
  /** Imports the key when it is first asked for. */
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

/** The ids, for people. */
export const idsOf = ({ byId }: Keyring): string => quoted(byId.keys())

const idBytesOf = (id: string): Uint8Array => {
  const bytes = encoder.encode(id)
  if (bytes.length >= 1 && bytes.length <= maxIdLength && id.isWellFormed()) return bytes
  throw new InvalidWire({
    field: "keys",
    reason: `the id ${JSON.stringify(id.slice(0, 40))} is ${bytes.length} bytes of UTF-8 or ill-formed; take 1 to ${maxIdLength}`,
  })
}

const remedy = `give ${keyLength} bytes, or a Redacted of them or of their Base64 text, or a CryptoKey`

const invalid = (id: string, reason: string): InvalidWire =>
  new InvalidWire({ field: `keys[${JSON.stringify(id)}]`, reason: `${reason}; ${remedy}` })

/** A copy, in memory that Web Crypto accepts and nobody changes. */
const rawOf = (id: string, material: unknown): Uint8Array<ArrayBuffer> | undefined => {
  if (typeof material === "string") {
    const decoded = Base64.decode(material)
    if (Result.isFailure(decoded)) throw invalid(id, "a text that is no Base64")
    return rawOf(id, decoded.success)
  }
  if (!(material instanceof Uint8Array)) return undefined
  if (material.length === keyLength) return new Uint8Array(material)
  throw invalid(id, `a key of ${material.length} bytes; AES-256 has ${keyLength}`)
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

const checkCryptoKey = (id: string, key: CryptoKey, usages: ReadonlyArray<KeyUsage>): void => {
  const { name, length } = key.algorithm as AesKeyAlgorithm
  if (name !== "AES-GCM" || length !== keyLength * 8) {
    throw invalid(id, `a CryptoKey of ${name} ${length ?? ""}, not of AES-GCM 256`)
  }
  const missing = usages.filter((usage) => !key.usages.includes(usage))
  if (missing.length > 0) throw invalid(id, `a CryptoKey that may not ${missing.join(" and ")}`)
}

const unwrapped = (id: string, key: unknown): unknown => {
  if (!Redacted.isRedacted(key)) return key
  try {
    return Redacted.value(key)
  } catch {
    throw invalid(id, "a Redacted that was wiped")
  }
}

const importerOf = (id: string, key: unknown, isCurrent: boolean): (() => Promise<CryptoKey>) => {
  // Text in the clear would be printed wherever the options are.
  if (typeof key === "string") throw invalid(id, "a text that is not Redacted")
  const raw = rawOf(id, unwrapped(id, key))
  if (raw !== undefined) return importing(raw)
  if (!isCryptoKey(key)) throw invalid(id, "no key")
  checkCryptoKey(id, key, isCurrent ? ["encrypt", "decrypt"] : ["decrypt"])
  return () => Promise.resolve(key)
}

/** Throws {@link InvalidWire}. */
export const make = ({ current, keys }: EncryptedOptions): Keyring => {
  if (typeof keys !== "object" || keys === null) {
    throw new InvalidWire({ field: "keys", reason: "no record of keys by their ids" })
  }
  // A map: ids are data, and may be the names of what every object has.
  const byId = new Map(
    Object.entries(keys).map(([id, key]): [string, Key] => [
      id,
      { id, idBytes: idBytesOf(id), get: importerOf(id, key, id === current) },
    ]),
  )
  const found = byId.get(current)
  if (found !== undefined) return { current: found, byId }
  throw new InvalidWire({
    field: "current",
    reason:
      byId.size === 0
        ? "there are no keys; give at least one, and its id as `current`"
        : `${JSON.stringify(current)} is no id of \`keys\`; take one of ${quoted(byId.keys())}`,
  })
}
