/** Durations of options, in milliseconds. */
import { InvalidOptions } from "@larder/core"
import type * as Duration from "effect/Duration"

/** Throws `InvalidOptions` for what is no duration, or one without end. */
export const finiteMillisOf = (module: string, field: string, got: Duration.Input): number => {
  const millis = millisOf(module, field, got)
  if (millis < Infinity) return millis
  throw InvalidOptions.of({ module, field, must: "be a duration that ends", got })
}

/** Throws `InvalidOptions` for what is no duration. */
export const millisOf = (module: string, field: string, got: Duration.Input): number => {
  const millis = InvalidOptions.millisOf(got)
  if (millis !== undefined) return millis
  const must = 'be a duration of at least 0, such as "1 second"'
  throw InvalidOptions.of({ module, field, must, got })
}
