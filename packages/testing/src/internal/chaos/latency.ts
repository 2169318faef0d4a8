/** How long something takes: a fixed time, or a distribution. */
import type * as Duration from "effect/Duration"
import { millisOf } from "../millis.ts"

/**
 * A distribution of times: a function from a number that is drawn evenly, above 0 and at most 1, to
 * milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export type Distribution = (drawn: number) => number

/**
 * A fixed time, or a distribution such as `Chaos.between` and `Chaos.exponential` make.
 *
 * @category options
 * @since 0.1.0
 */
export type Latency = Duration.Input | Distribution

export const distributionOf = (field: string, latency: Latency): Distribution => {
  if (typeof latency === "function") return latency
  const millis = millisOf("Chaos", field, latency)
  return () => millis
}
