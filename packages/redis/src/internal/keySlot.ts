/** The slot of a Redis Cluster that a hash tag belongs to: CRC-16 (XMODEM) of its bytes, as the specification of Redis Cluster says. */

const slots = 16_384

const step = (crc: number): number => ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021)

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = step(crc)
  return crc & 0xffff
})

const encoder = new TextEncoder()

/** The slot of all keys whose `{...}` holds `tag`. */
export const slotOf = (tag: string): number => {
  let crc = 0
  for (const byte of encoder.encode(tag)) {
    crc = ((crc << 8) & 0xffff) ^ table[(crc >>> 8) ^ byte]!
  }
  return crc % slots
}
