/** CRC-32 as in IEEE 802.3 and zlib (reflected, polynomial 0xEDB88320). */

const table: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? 0xedb88320 ^ (rest >>> 1) : rest >>> 1
  return rest
})

const start = 0xffffffff

const ended = (rest: number): number => (rest ^ start) >>> 0

/**
 * The checksum of a range of bytes, as an unsigned 32-bit integer, continuing that of what came
 * `before`. A range, not a view: each read of an envelope comes here.
 */
export const crc32 = (bytes: Uint8Array, from = 0, to = bytes.length, before = 0): number => {
  let rest = before ^ start
  for (let i = from; i < to; i++) rest = table[(rest ^ bytes[i]!) & 0xff]! ^ (rest >>> 8)
  return ended(rest)
}

const next = (rest: number, byte: number): number => table[(rest ^ byte) & 0xff]! ^ (rest >>> 8)

const [open, comma, close, quote, backslash] = [0x5b, 0x2c, 0x5d, 0x22, 0x5c]
const nothing = [0x6e, 0x75, 0x6c, 0x6c]

/**
 * The checksum of `JSON.stringify(texts)`, nothing being null, without making JSON or bytes of
 * them. Undefined where a text has a character that JSON escapes, or that is not ASCII.
 */
export const crc32OfJson = (texts: ReadonlyArray<string | undefined>): number | undefined => {
  let rest = start
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i]
    rest = next(rest, i === 0 ? open : comma)
    if (text === undefined) {
      rest = nothing.reduce(next, rest)
      continue
    }
    rest = next(rest, quote)
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code < 0x20 || code > 0x7e || code === quote || code === backslash) return undefined
      rest = next(rest, code)
    }
    rest = next(rest, quote)
  }
  return ended(next(rest, close))
}
