/**
 * Reads the meta part of an envelope without `JSON.parse`. Every read of a tier reads it, and almost
 * every meta part is as `Envelope.make` writes it, with ASCII text that needs no escapes.
 */

export interface PlainMeta {
  readonly tags: ReadonlyArray<string>
  readonly asOf: number
  readonly loadMillis: number
  readonly place?: string
  readonly wire: string
}

const literal = (text: string): Uint8Array => new TextEncoder().encode(text)

const tagsBegin = literal('{"tags":[')
const asOfBegins = literal('],"asOf":')
const loadMillisBegin = literal(',"loadMillis":')
const placeBegins = literal(',"place":')
const wireBegins = literal(',"wire":')

const [quote, comma, closeBracket, closeBrace, backslash] = [0x22, 0x2c, 0x5d, 0x7d, 0x5c]
const [digit0, digit9] = [0x30, 0x39]
const [firstPrintable, lastPrintable] = [0x20, 0x7e]

/** Converts eight characters at a time: every intermediate string is garbage. */
const asciiOf = (bytes: Uint8Array, from: number, to: number): string => {
  let text = ""
  let at = from
  for (; at + 8 <= to; at += 8) {
    text += String.fromCharCode(
      bytes[at]!,
      bytes[at + 1]!,
      bytes[at + 2]!,
      bytes[at + 3]!,
      bytes[at + 4]!,
      bytes[at + 5]!,
      bytes[at + 6]!,
      bytes[at + 7]!,
    )
  }
  for (; at < to; at++) text += String.fromCharCode(bytes[at]!)
  return text
}

/** Reads the parts in order. After the first byte it does not expect, `isPlain` stays false. */
class Reader {
  isPlain = true
  readonly #bytes: Uint8Array
  #at: number
  readonly #end: number

  constructor(bytes: Uint8Array, from: number, end: number) {
    this.#bytes = bytes
    this.#at = from
    this.#end = end
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end
  }

  isAt(byte: number): boolean {
    return this.#at < this.#end && this.#bytes[this.#at] === byte
  }

  /** Skips the text if it comes next; returns whether it did. */
  skips(text: Uint8Array): boolean {
    if (this.#at + text.length > this.#end) return false
    for (let i = 0; i < text.length; i++) {
      if (this.#bytes[this.#at + i] !== text[i]) return false
    }
    this.#at += text.length
    return true
  }

  must(isThere: boolean): void {
    this.isPlain = this.isPlain && isThere
  }

  skip(byte: number): void {
    this.must(this.isAt(byte))
    this.#at += 1
  }

  text(): string {
    this.skip(quote)
    const from = this.#at
    while (this.#at < this.#end) {
      const byte = this.#bytes[this.#at]!
      this.#at += 1
      if (byte === quote) return asciiOf(this.#bytes, from, this.#at - 1)
      this.must(byte >= firstPrintable && byte <= lastPrintable && byte !== backslash)
      if (!this.isPlain) return ""
    }
    this.isPlain = false
    return ""
  }

  /** Reads an integer from 0 to the highest safe one, as JSON writes it. */
  count(): number {
    const first = this.#at
    let number = 0
    while (this.#at < this.#end) {
      const byte = this.#bytes[this.#at]!
      if (byte < digit0 || byte > digit9) break
      number = number * 10 + (byte - digit0)
      this.#at += 1
    }
    const length = this.#at - first
    this.must(length === 1 || (length > 1 && this.#bytes[first] !== digit0))
    this.must(Number.isSafeInteger(number))
    return number
  }
}

const tagsOf = (reader: Reader): ReadonlyArray<string> => {
  if (reader.isAt(closeBracket)) return []
  // Not `push` to an empty array, for which V8 allocates room for 17 elements.
  const tags = [reader.text()]
  while (reader.isPlain && !reader.isAt(closeBracket)) {
    reader.skip(comma)
    tags[tags.length] = reader.text()
  }
  return tags
}

/** The result of `JSON.parse` for these bytes; undefined if the meta part is written another way. */
export const plainMeta = (bytes: Uint8Array, from: number, end: number): PlainMeta | undefined => {
  const reader = new Reader(bytes, from, end)
  reader.must(reader.skips(tagsBegin))
  const tags = tagsOf(reader)
  reader.must(reader.skips(asOfBegins))
  const asOf = reader.count()
  reader.must(reader.skips(loadMillisBegin))
  const loadMillis = reader.count()
  const place = reader.skips(placeBegins) ? reader.text() : undefined
  reader.must(reader.skips(wireBegins))
  const wire = reader.text()
  reader.skip(closeBrace)
  if (!reader.isPlain || !reader.isAtEnd) return undefined
  return place === undefined
    ? { tags, asOf, loadMillis, wire }
    : { tags, asOf, loadMillis, place, wire }
}
