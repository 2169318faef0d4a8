/** AES-256-GCM by Web Crypto. Sealed bytes are a nonce of 96 random bits, the ciphertext and a tag of 128 bits. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Key } from "./keyring.ts"

const nonceLength = 12
const tagLength = 16

/** The number of bytes that `seal` adds to the plaintext. */
export const overhead = nonceLength + tagLength

/** The platform has no Web Crypto, or Web Crypto rejects the key. */
export class Unavailable extends Data.TaggedError("Unavailable")<{ readonly cause: unknown }> {}

/** The bytes, the key or the additional data differ from those of `seal`. */
export class NotAuthentic extends Data.TaggedError("NotAuthentic")<{}> {}

const unavailable = (cause: unknown): Unavailable => new Unavailable({ cause })

const imported = (key: Key): Effect.Effect<CryptoKey, Unavailable> =>
  Effect.tryPromise({ try: key.get, catch: unavailable })

/**
 * Draws a nonce from Web Crypto. Not from `Random`, which tests and nodes can seed: a nonce used twice
 * under one key reveals both values.
 */
const freshNonce = (): Uint8Array<ArrayBuffer> =>
  globalThis.crypto.getRandomValues(new Uint8Array(nonceLength))

export const seal = (
  key: Key,
  plain: Uint8Array<ArrayBuffer>,
  additionalData: Uint8Array<ArrayBuffer>,
): Effect.Effect<Uint8Array, Unavailable> =>
  Effect.flatMap(imported(key), (key) =>
    Effect.tryPromise({
      try: () => {
        const iv = freshNonce()
        const algorithm = { name: "AES-GCM", iv, additionalData }
        return globalThis.crypto.subtle.encrypt(algorithm, key, plain).then((ciphertext) => {
          const sealed = new Uint8Array(nonceLength + ciphertext.byteLength)
          sealed.set(iv)
          sealed.set(new Uint8Array(ciphertext), nonceLength)
          return sealed
        })
      },
      catch: unavailable,
    }),
  )

export const open = (
  key: Key,
  sealed: Uint8Array,
  additionalData: Uint8Array<ArrayBuffer>,
): Effect.Effect<Uint8Array, Unavailable | NotAuthentic> =>
  Effect.flatMap(imported(key), (key) =>
    Effect.tryPromise({
      try: () => {
        // Copies: Web Crypto rejects views of shared memory, and other code may write to `sealed` meanwhile.
        const iv = new Uint8Array(sealed.subarray(0, nonceLength))
        const ciphertext = new Uint8Array(sealed.subarray(nonceLength))
        return globalThis.crypto.subtle
          .decrypt({ name: "AES-GCM", iv, additionalData }, key, ciphertext)
          .then((plain) => new Uint8Array(plain))
      },
      catch: () => new NotAuthentic(),
    }),
  )
