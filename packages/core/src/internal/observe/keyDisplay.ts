/** Keys as they leave the process. */
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import { InvalidOptions } from "../../InvalidOptions.ts"
import type { KeyDisplay } from "../../KeyDisplay.ts"

/** Bytes of an HMAC that are shown: 12 hexadecimal digits tell apart the keys of one incident. */
const shownBytes = 6
const secretBytes = 32

/** The text of a key for a log line, a span or a recording; undefined where the key is hidden. */
export type ShowKey = (key: string) => string | undefined

export const hashedWith = (secret: Uint8Array): ((key: string) => string) => {
  const keyed = hmac.create(sha256, secret)
  return (key) =>
    bytesToHex(keyed.clone().update(utf8ToBytes(key)).digest().subarray(0, shownBytes))
}

let ofProcess: ((key: string) => string) | undefined

/** Hashed by a secret of this process, which is made for the first key. */
const hashed: ShowKey = (key) => {
  ofProcess ??= hashedWith(globalThis.crypto.getRandomValues(new Uint8Array(secretBytes)))
  return ofProcess(key)
}

const shown: ShowKey = (key) => key
const hidden: ShowKey = () => undefined

/** A function of the user. It must not disturb the work that is told of: what it cannot show is hidden. */
const guarded =
  (display: (key: string) => string): ShowKey =>
  (key) => {
    try {
      const text: unknown = display(key)
      return typeof text === "string" ? text : undefined
    } catch {
      return undefined
    }
  }

/** Throws `InvalidOptions` for what is no display. */
export const showKeyBy = (display: KeyDisplay): ShowKey => {
  if (typeof display === "function") return guarded(display)
  switch (display) {
    case "hashed":
      return hashed
    case "shown":
      return shown
    case "hidden":
      return hidden
    default: {
      const must = 'be "hashed", "shown", "hidden", or a function of the key'
      throw InvalidOptions.of({ module: "KeyDisplay", field: "KeyDisplay", must, got: display })
    }
  }
}
