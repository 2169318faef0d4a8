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

/** The checksum of a text of ASCII, without making bytes of it; undefined for any other text. */
export const crc32OfAscii = (text: string): number | undefined => {
  let rest = start
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) return undefined
    rest = table[(rest ^ code) & 0xff]! ^ (rest >>> 8)
  }
  return ended(rest)
}
