import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** What {@link millisOf} accepts, for errors. */
export const mustBeDuration =
  'be a duration of at least 0, such as "10 seconds" or a number of milliseconds'

/** Milliseconds of a duration that can be waited for; undefined for anything else. */
export const millisOf = (input: Duration.Input): number | undefined => {
  if (hasNaN(input)) return undefined
  const duration = Duration.fromInput(input)
  if (Option.isNone(duration)) return undefined
  const millis = Duration.toMillis(duration.value)
  return millis >= 0 ? millis : undefined
}

/** `Duration.fromInput` makes 0 of NaN, and of `{ seconds: NaN }`. */
const hasNaN = (input: Duration.Input | null): boolean => {
  if (typeof input !== "object" || input === null) return Number.isNaN(input)
  return !Duration.isDuration(input) && Object.values(input).some(Number.isNaN)
}
