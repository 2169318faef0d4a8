/**
 * Checks whether MessagePack carries JSON data unchanged, and whether MessagePack
 * bytes hold nothing but JSON data. The second check reads the bytes before they
 * are decoded, so that they never reach a decoder's extensions.
 * (https://github.com/msgpack/msgpack/blob/master/spec.md)
 */
import { isPlain } from "./json.ts"

/** Deeper data is stored as JSON text: MessagePack decoders recurse, and may overflow the call stack. */
const maxDepth = 100

const isCarriedArray = (values: ReadonlyArray<unknown>, depth: number): boolean => {
  // By index: array methods skip holes.
  for (let i = 0; i < values.length; i++) {
    if (!isCarried(values[i], depth)) return false
  }
  return true
}

const isCarriedObject = (value: object, depth: number): boolean =>
  isPlain(value) &&
  Object.entries(value).every(
    ([key, member]) =>
      // Decoders rename the key `__proto__`, for safety.
      key !== "__proto__" && key.isWellFormed() && isCarried(member, depth),
  )

/** Whether MessagePack returns this JSON data unchanged. False too for a value that is no JSON data. */
export const isCarried = (value: unknown, depth = 0): boolean => {
  switch (typeof value) {
    case "string":
      return value.isWellFormed()
    case "boolean":
      return true
    case "number":
      return Number.isFinite(value)
    case "object":
      if (value === null) return true
      if (depth === maxDepth) return false
      return Array.isArray(value)
        ? isCarriedArray(value, depth + 1)
        : isCarriedObject(value, depth + 1)
    default:
      return false
  }
}

/** One value of the walk; the following one begins at `next`. */
type Step =
  | { readonly _tag: "Leaf"; readonly isText: boolean; readonly next: number }
  | {
      readonly _tag: "Nest"
      readonly isMap: boolean
      readonly count: number
      readonly next: number
    }

const leaf = (next: number): Step => ({ _tag: "Leaf", isText: false, next })
const text = (next: number): Step => ({ _tag: "Leaf", isText: true, next })
const nest = (isMap: boolean, count: number, next: number): Step => ({
  _tag: "Nest",
  isMap,
  count,
  next,
})

/** Reads the value at `at`; undefined for a type that JSON does not have. Throws a `RangeError` past the end. */
const stepAt = (view: DataView, at: number): Step | undefined => {
  const token = view.getUint8(at)
  const body = at + 1
  if (token < 0x80 || token >= 0xe0) return leaf(body)
  if (token < 0x90) return nest(true, token - 0x80, body)
  if (token < 0xa0) return nest(false, token - 0x90, body)
  if (token < 0xc0) return text(body + token - 0xa0)
  switch (token) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return leaf(body)
    case 0xca:
      return Number.isFinite(view.getFloat32(body)) ? leaf(body + 4) : undefined
    case 0xcb:
      return Number.isFinite(view.getFloat64(body)) ? leaf(body + 8) : undefined
    case 0xcc: // integers of 8, 16, 32, 64 bits: unsigned, then signed
    case 0xd0:
      return leaf(body + 1)
    case 0xcd:
    case 0xd1:
      return leaf(body + 2)
    case 0xce:
    case 0xd2:
      return leaf(body + 4)
    case 0xcf:
    case 0xd3:
      return leaf(body + 8)
    case 0xd9:
      return text(body + 1 + view.getUint8(body))
    case 0xda:
      return text(body + 2 + view.getUint16(body))
    case 0xdb:
      return text(body + 4 + view.getUint32(body))
    case 0xdc:
      return nest(false, view.getUint16(body), body + 2)
    case 0xdd:
      return nest(false, view.getUint32(body), body + 4)
    case 0xde:
      return nest(true, view.getUint16(body), body + 2)
    case 0xdf:
      return nest(true, view.getUint32(body), body + 4)
    default: // binaries, extensions, 0xc1
      return undefined
  }
}

interface Open {
  readonly isMap: boolean
  /** The number of values still to read, keys included. */
  left: number
}

const walk = (view: DataView): string | undefined => {
  const open: Array<Open> = []
  let at = 0
  do {
    const innermost = open.at(-1)
    const isKey = innermost !== undefined && innermost.isMap && innermost.left % 2 === 0
    const step = stepAt(view, at)
    if (step === undefined) return `the MessagePack type ${view.getUint8(at)} is not a type of JSON`
    if (isKey && !(step._tag === "Leaf" && step.isText)) return "a member name is not a string"
    if (innermost !== undefined) innermost.left -= 1
    at = step.next
    if (step._tag === "Nest") {
      const left = step.isMap ? step.count * 2 : step.count
      // Each value takes at least one byte. A decoder may allocate memory for the announced number of values.
      if (left > view.byteLength - at) return "the bytes are truncated"
      if (open.length === maxDepth) return `the value is nested deeper than ${maxDepth} levels`
      open.push({ isMap: step.isMap, left })
    }
    while (open.at(-1)?.left === 0) open.pop()
  } while (open.length > 0)
  if (at > view.byteLength) return "the bytes are truncated"
  return at < view.byteLength ? "more bytes follow the value" : undefined
}

/** Why bytes are not JSON data in MessagePack; undefined if they are. */
export const complaint = (bytes: Uint8Array): string | undefined => {
  try {
    return walk(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  } catch {
    // The view threw a `RangeError`: the bytes end within a value.
    return "the bytes are truncated"
  }
}
