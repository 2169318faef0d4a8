import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** The text of errors for durations that {@link millisOf} rejects. */
export const mustBeDuration =
  'be a duration of at least 0, such as "10 seconds" or a number of milliseconds'

/** Milliseconds of a duration that can be waited for; undefined for anything else. */
export const millisOf = (input: unknown): number | undefined => {
  if (isNothing(input)) return undefined
  const duration = Duration.fromInput(input as Duration.Input)
  if (Option.isNone(duration)) return undefined
  const millis = Duration.toMillis(duration.value)
  return millis >= 0 ? millis : undefined
}

const units: ReadonlySet<string> = new Set([
  "weeks",
  "days",
  "hours",
  "minutes",
  "seconds",
  "milliseconds",
  "microseconds",
  "nanoseconds",
])

/** `Duration.fromInput` makes 0 of NaN, of a member that is no number, and of an object without a unit. */
const isNothing = (input: unknown): boolean => {
  if (typeof input !== "object" || input === null) return Number.isNaN(input)
  if (Duration.isDuration(input)) return false
  if (Array.isArray(input)) return input.some(Number.isNaN)
  const members = Object.entries(input)
  return members.length === 0 || !members.every(isMember)
}

const isMember = ([unit, number]: readonly [string, unknown]): boolean =>
  units.has(unit) && (number === undefined || (typeof number === "number" && !Number.isNaN(number)))
