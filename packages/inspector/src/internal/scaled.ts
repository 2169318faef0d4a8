/** Durations in the time in which the rules run, which may be faster than the usual. */
import { durationText } from "./promql.ts"

/** ms. */
export const minute = 60_000
export const hour = 60 * minute
export const day = 24 * hour

/** Writes a duration of the usual time as one of the time in which the rules run. */
export type Scaled = (millis: number) => string

export const scaledBy =
  (timeScale: number): Scaled =>
  (millis) =>
    durationText(millis / timeScale)
