import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/**
 * Milliseconds of a duration that can be waited for, or what is wrong with it.
 * The raw input is looked at first: `Duration.fromInput` makes 0 of NaN.
 */
export const millisOrReason = (input: Duration.Input): number | string => {
  if (typeof input === "number" && Number.isNaN(input)) return "NaN is not a duration"
  const duration = Duration.fromInput(input)
  if (Option.isNone(duration)) return `${String(input)} is not a duration`
  const millis = Duration.toMillis(duration.value)
  return millis < 0 ? `${millis} ms is negative` : millis
}
