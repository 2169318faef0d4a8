import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** The text of errors for durations that {@link millisOf} rejects. */
export const mustBeDuration =
  'be a duration of at least 0, such as "10 seconds" or a number of milliseconds'

/** Milliseconds of a duration that can be waited for; undefined for anything else. */
export const millisOf = (input: Duration.Input): number | undefined => {
  if (isNothing(input)) return undefined
  const duration = Duration.fromInput(input)
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

/** `Duration.fromInput` makes 0 of NaN, of `{ seconds: NaN }`, and of an object without a unit. */
const isNothing = (input: Duration.Input | null): boolean => {
  if (typeof input !== "object" || input === null) return Number.isNaN(input)
  if (Duration.isDuration(input)) return false
  if (Object.values(input).some(Number.isNaN)) return true
  const names = Object.keys(input)
  return !Array.isArray(input) && (names.length === 0 || names.some((name) => !units.has(name)))
}
