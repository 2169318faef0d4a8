/** CRC-32 as in IEEE 802.3 and zlib (reflected, polynomial 0xEDB88320). */

const table: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? 0xedb88320 ^ (rest >>> 1) : rest >>> 1
  return rest
})

const start = 0xffffffff

const ended = (rest: number): number => (rest ^ start) >>> 0

/** The checksum of the chunks as if they were one, as an unsigned 32-bit integer. */
export const crc32 = (...chunks: ReadonlyArray<Uint8Array>): number => {
  let rest = start
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) {
      rest = table[(rest ^ chunk[i]!) & 0xff]! ^ (rest >>> 8)
    }
  }
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
