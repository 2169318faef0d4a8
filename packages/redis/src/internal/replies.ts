/** Parsers for parts of script replies; `undefined` for a part of another type. */

export const list = (reply: unknown): ReadonlyArray<unknown> =>
  Array.isArray(reply) ? (reply as ReadonlyArray<unknown>) : []

export const bytes = (part: unknown): Uint8Array | undefined =>
  part instanceof Uint8Array ? part : undefined

const decoder = new TextDecoder()

export const text = (part: unknown): string | undefined =>
  part instanceof Uint8Array ? decoder.decode(part) : typeof part === "string" ? part : undefined

/** An integer of at least 0, as a Redis integer or in digits. */
export const count = (part: unknown): number | undefined => {
  if (typeof part === "number") return Number.isSafeInteger(part) && part >= 0 ? part : undefined
  const digits = text(part)
  if (digits === undefined || !/^\d{1,16}$/.test(digits)) return undefined
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number : undefined
}
