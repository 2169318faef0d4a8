/** Durations of options, in milliseconds. */
import { InvalidOptions } from "@larder/core"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** Throws `InvalidOptions` for what is no duration. */
export const millisOf = (module: string, field: string, input: Duration.Input): number => {
  // `Duration` takes NaN for 0.
  const duration = Number.isNaN(input) ? Option.none() : Duration.fromInput(input)
  const millis = Option.match(duration, { onNone: () => Number.NaN, onSome: Duration.toMillis })
  if (millis >= 0) return millis
  const must = 'be a duration of at least 0, such as "1 second"'
  throw InvalidOptions.of({ module, field, must, got: input })
}
