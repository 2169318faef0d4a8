/** AES-256-GCM by Web Crypto: a nonce of 96 random bits, then the ciphertext with its tag of 128 bits. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Key } from "./keyring.ts"

const nonceLength = 12
const tagLength = 16

/** The length of what is sealed beyond that of what was given. */
export const overhead = nonceLength + tagLength

/** The platform has no Web Crypto, or it refuses the key. */
export class Unavailable extends Data.TaggedError("Unavailable")<{ readonly cause: unknown }> {}

/** Not authentic: other bytes, another key or other data than those it was sealed with. */
export class NotAuthentic extends Data.TaggedError("NotAuthentic")<{}> {}

const unavailable = (cause: unknown): Unavailable => new Unavailable({ cause })

const imported = (key: Key): Effect.Effect<CryptoKey, Unavailable> =>
  Effect.tryPromise({ try: key.get, catch: unavailable })

/**
 * Not `Random`: a nonce that comes twice under one key gives both values away, so it must not come
 * from what a test or a node can seed.
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
        // Copies: Web Crypto takes no views of shared memory, and reads while others may write.
        const iv = new Uint8Array(sealed.subarray(0, nonceLength))
        const ciphertext = new Uint8Array(sealed.subarray(nonceLength))
        return globalThis.crypto.subtle
          .decrypt({ name: "AES-GCM", iv, additionalData }, key, ciphertext)
          .then((plain) => new Uint8Array(plain))
      },
      catch: () => new NotAuthentic(),
    }),
  )
