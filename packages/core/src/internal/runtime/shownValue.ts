/** Values that a user gave, as text for errors: short, and without secrets. */
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import { shownCharacters } from "./limits.ts"

const cut = (text: string): string =>
  text.length <= shownCharacters ? text : `${text.slice(0, shownCharacters)}…`

/** The members of an object may hold a secret: only its kind is shown. */
const kindOf = (value: { readonly _tag?: unknown }): string => {
  if (Array.isArray(value)) return `an array of ${value.length}`
  const { _tag } = value
  return typeof _tag === "string" ? `an object with _tag ${JSON.stringify(cut(_tag))}` : "an object"
}

/** What a value is, without the value. */
export const shownType = (value: unknown): string => {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return "an array"
  return `${typeof value === "object" ? "an" : "a"} ${typeof value}`
}

/** A value for an error. A `Redacted` is shown as `<redacted>`. */
export const shown = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(cut(value))
  if (typeof value === "function") return "a function"
  if (typeof value !== "object" || value === null) return cut(String(value))
  if (Redacted.isRedacted(value) || Duration.isDuration(value)) return String(value)
  return kindOf(value)
}

/** The reason of an error about an option: `must` says what is valid, `got` is the value given. */
export const reasonOf = (must: string, got: unknown): string => `must ${must}, got ${shown(got)}`
