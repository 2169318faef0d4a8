/** Turns keys into the strings under which tiers store them. */
import { keyBytes } from "../runtime/limits.ts"

const hash = 35

/**
 * A number becomes `#1`, so that 1 and "1" differ. A string that begins with `#` gets another one,
 * so that 1 and "#1" differ. Undefined for other types, which need a `key` function.
 */
export const ofPrimitive = (key: unknown): string | undefined => {
  if (typeof key === "string") return key.charCodeAt(0) === hash ? `#${key}` : key
  return typeof key === "number" ? `#${key}` : undefined
}

/** The beginning of all strings that {@link ofPrimitive} makes of strings with this beginning. */
export const prefixOfPrimitive = (prefix: string): string =>
  prefix.charCodeAt(0) === hash ? `#${prefix}` : prefix

/** Keys by the user's function; undefined where the function throws or returns no string. */
export const by =
  (key: (key: unknown) => string) =>
  (asked: unknown): string | undefined => {
    try {
      const k: unknown = key(asked)
      return typeof k === "string" ? k : undefined
    } catch {
      return undefined
    }
  }

/** Why {@link by} returned undefined. */
export const problemOf =
  (key: (key: unknown) => string) =>
  (asked: unknown): string => {
    try {
      const k: unknown = key(asked)
      return `the \`key\` function returned ${k === null ? "null" : `a value of type ${typeof k}`}; return a string`
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause)
      return `the \`key\` function threw: ${what}; return a string for every key`
    }
  }

/** Why {@link ofPrimitive} returned undefined. */
export const noKeyFunction = (asked: unknown): string =>
  `it is ${asked === null ? "null" : `of type ${typeof asked}`}; give the larder a \`key\` function that returns a string for it`

// eslint-disable-next-line no-control-regex -- it looks for control characters
const control = /[\u0000-\u001f\u007f]/

const bytes = (key: string): number => new TextEncoder().encode(key).byteLength

/** Why a string is no valid key; undefined for a valid one. */
export const invalid = (key: unknown): string | undefined => {
  if (typeof key !== "string") return noKeyFunction(key)
  if (key.length > keyBytes / 3 && (key.length > keyBytes || bytes(key) > keyBytes)) {
    return `it is longer than ${keyBytes} bytes of UTF-8; use a hash of long keys`
  }
  if (control.test(key)) return "it has a control character; encode it"
  if (!key.isWellFormed())
    return "it has a lone surrogate; make the string well-formed (String.toWellFormed)"
  return undefined
}

/** A short form of any value, for messages. */
export const show = (key: unknown): string => {
  const text = describe(key)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

const describe = (value: unknown): string => {
  // JSON has no NaN and no bigint.
  if (typeof value === "number") return String(value)
  if (typeof value === "bigint") return `${value}n`
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return Object.prototype.toString.call(value)
  }
}
