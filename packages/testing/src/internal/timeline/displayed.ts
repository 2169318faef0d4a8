/**
 * The records of a timeline with the keys as a `KeyDisplay` shows them. Values and the texts of errors,
 * which may quote a key, are left out.
 */
import { KeyDisplay, type LarderEvent } from "@larder/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { hasProperty } from "effect/Predicate"
import type { Answer, Record } from "./record.ts"

export interface Displayed {
  readonly records: ReadonlyArray<Record>
  readonly keyOf: (key: string) => string
}

/**
 * The display that was provided where the effect runs. A test shows its keys unless it says otherwise, so
 * the default of the reference does not count.
 */
export const provided: Effect.Effect<KeyDisplay.KeyDisplay> = Effect.contextWith(
  (context: Context.Context<never>) =>
    Effect.succeed(
      context.mapUnsafe.has(KeyDisplay.KeyDisplay.key)
        ? Context.get(context, KeyDisplay.KeyDisplay)
        : "shown",
    ),
)

export const displayed = (
  records: ReadonlyArray<Record>,
  display: KeyDisplay.KeyDisplay,
): Displayed => {
  if (display === "shown") return { records, keyOf: (key) => key }
  const keyOf = distinctBy((key) => KeyDisplay.show(display, key))
  return { records: records.map((record) => recordOf(record, keyOf)), keyOf }
}

/** Keys that would look alike are numbered: a timeline, and its assertions, are about single keys. */
const distinctBy = (show: (key: string) => string | undefined): ((key: string) => string) => {
  const shown = new Map<string, string>()
  const uses = new Map<string, number>()
  const textOf = (key: string): string => {
    const text = show(key) ?? "key"
    const count = (uses.get(text) ?? 0) + 1
    uses.set(text, count)
    return text !== "key" && count === 1 ? text : `${text} ${count}`
  }
  return (key) => {
    const known = shown.get(key)
    if (known !== undefined) return known
    const text = textOf(key)
    shown.set(key, text)
    return text
  }
}

const leftOut = "(not shown)"

const recordOf = (record: Record, keyOf: (key: string) => string): Record => {
  switch (record._tag) {
    case "Called":
      return { ...record, keys: keysOf(record, keyOf) }
    case "Answered":
      return {
        ...record,
        keys: keysOf(record, keyOf),
        answers: record.answers.map((answer) => answerOf(answer, keyOf)),
      }
    case "Happened":
      return { ...record, event: eventOf(record.event, keyOf) }
    case "Decided":
      return { ...record, key: keyOf(record.key) }
    case "Noted":
      return record
  }
}

/** Tags are no keys. */
const keysOf = (
  { keys, method }: Extract<Record, { readonly _tag: "Called" | "Answered" }>,
  keyOf: (key: string) => string,
): ReadonlyArray<string> => (method === "invalidateTags" ? keys : keys.map(keyOf))

const answerOf = (answer: Answer, keyOf: (key: string) => string): Answer => {
  switch (answer._tag) {
    case "Served":
      return { ...answer, key: keyOf(answer.key), value: leftOut }
    case "Failed":
      return { ...answer, key: keyOf(answer.key), error: kindOf(answer.error) }
    default:
      return answer
  }
}

const kindOf = (error: unknown): string => {
  if (hasProperty(error, "_tag") && typeof error._tag === "string") return error._tag
  return error instanceof Error ? error.name : leftOut
}

const eventOf = (
  event: LarderEvent.LarderEvent,
  keyOf: (key: string) => string,
): LarderEvent.LarderEvent => {
  const shown = "key" in event && event.key !== undefined ? keyed(event, keyOf) : event
  switch (shown._tag) {
    case "TierFailed":
    case "TierWarning":
      return { ...shown, message: leftOut }
    case "Undecodable":
      return { ...shown, reason: leftOut }
    case "AnomalyChanged":
      return { ...shown, advice: leftOut }
    default:
      return shown
  }
}

const keyed = <E extends LarderEvent.LarderEvent & { readonly key?: string | undefined }>(
  event: E,
  keyOf: (key: string) => string,
): E => (event.key === undefined ? event : { ...event, key: keyOf(event.key) })
