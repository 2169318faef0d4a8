/**
 * CRC-32 as in IEEE 802.3 and zlib (reflected, polynomial 0xEDB88320), eight bytes at a time:
 * slicing-by-8 (Kounavis and Berry, A Systematic Approach to Building High Performance
 * Software-based CRC Generators, ISCC 2005), which takes less than half of the time.
 */

const t0 = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte
  for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? 0xedb88320 ^ (rest >>> 1) : rest >>> 1
  return rest
})

/** The table for each byte followed by one more zero byte than in `table`. */
const following = (table: Uint32Array): Uint32Array =>
  table.map((rest) => t0[rest & 0xff]! ^ (rest >>> 8))

const t1 = following(t0)
const t2 = following(t1)
const t3 = following(t2)
const t4 = following(t3)
const t5 = following(t4)
const t6 = following(t5)
const t7 = following(t6)

const start = 0xffffffff

const ended = (rest: number): number => (rest ^ start) >>> 0

/**
 * The checksum of a range of bytes as an unsigned 32-bit integer; `before` is the checksum of the
 * bytes in front of them. Takes a range and not a view: every read of an envelope calls this function.
 */
export const crc32 = (bytes: Uint8Array, from = 0, to = bytes.length, before = 0): number => {
  let rest = before ^ start
  let i = from
  for (; i + 8 <= to; i += 8) {
    rest ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    rest =
      t7[rest & 0xff]! ^
      t6[(rest >>> 8) & 0xff]! ^
      t5[(rest >>> 16) & 0xff]! ^
      t4[rest >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!
  }
  for (; i < to; i++) rest = next(rest, bytes[i]!)
  return ended(rest)
}

const next = (rest: number, byte: number): number => t0[(rest ^ byte) & 0xff]! ^ (rest >>> 8)

const [open, comma, close, quote, backslash] = [0x5b, 0x2c, 0x5d, 0x22, 0x5c]
const nothing = [0x6e, 0x75, 0x6c, 0x6c]

/**
 * The checksum of `JSON.stringify(texts)`, with undefined texts as null, computed without the JSON
 * text. Undefined if a text has a character that JSON escapes or that is not ASCII.
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
