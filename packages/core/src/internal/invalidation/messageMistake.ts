/** Finds what is wrong with a message about changes that came from outside. */
import { areOptions, nearestName } from "../runtime/optionNames.ts"
import { reasonOf, shown } from "../runtime/shownValue.ts"

const isTexts = (got: unknown): boolean =>
  Array.isArray(got) && got.every((one) => typeof one === "string")
const isFlag = (got: unknown): boolean => typeof got === "boolean"

const texts = { isValid: isTexts, must: "be an array of strings" }
const flag = { isValid: isFlag, must: "be true or false" }

/** The members that may be left out. */
const members = { keys: texts, tags: texts, clear: flag, keepStale: flag }

/** One of these says what has changed. */
const changes = ["keys", "tags", "clear"]

/** The text of the mistake in a message of version 1; undefined for a valid one. Further members are none. */
export const mistakeInMessage = (got: unknown): string | undefined => {
  if (!areOptions(got)) return `the message ${reasonOf("be an object", got)}`
  const message = got as Readonly<Record<string, unknown>>
  if (message["v"] !== 1) return `v ${reasonOf("be 1", message["v"])}`
  if (typeof message["larder"] !== "string") {
    return `larder ${reasonOf("be the name of a larder", message["larder"])}`
  }
  for (const [name, { isValid, must }] of Object.entries(members)) {
    const value = message[name]
    if (value !== undefined && !isValid(value)) return `${name} ${partOf(value, must)}`
  }
  if (changes.some((name) => message[name] !== undefined)) return undefined
  return `it has none of keys, tags and clear${remedyFor(message)}`
}

/** Names the element that makes an array invalid. */
const partOf = (value: unknown, must: string): string => {
  const wrong = Array.isArray(value) ? value.find((one) => typeof one !== "string") : undefined
  const suffix = Array.isArray(value) ? `, and one of them is ${shown(wrong)}` : ""
  return reasonOf(must, value) + suffix
}

/** A misspelt name is no mistake beside a known one: publishers may add members. */
const remedyFor = (message: object): string => {
  for (const name of Object.keys(message)) {
    const meant = Object.hasOwn(members, name) ? undefined : nearestName(name, changes)
    if (meant !== undefined) return `; did you mean \`${meant}\` by \`${name.slice(0, 80)}\`?`
  }
  return ""
}

/** The larder that a message names, valid or not. */
export const larderNamedBy = (got: unknown): string | undefined => {
  if (!areOptions(got) || !("larder" in got)) return undefined
  return typeof got.larder === "string" ? got.larder : undefined
}
