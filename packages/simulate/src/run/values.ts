/**
 * Values of larders for the numbers by which rules tell values apart. The first are those that a cache is
 * most likely to take for none.
 */
import * as Schema from "effect/Schema"

export const SimulatedValue = Schema.Union([
  Schema.Number,
  Schema.String,
  Schema.Boolean,
  Schema.Null,
  Schema.Undefined,
])

export type SimulatedValue = typeof SimulatedValue.Type

const empty: ReadonlyArray<SimulatedValue> = [undefined, 0, "", false, null, Number.NaN]

/** Numbers begin at 1. */
export const valueOf = (number: number): SimulatedValue =>
  number <= empty.length ? empty[number - 1] : number

export const numberOf = (value: unknown): number => {
  const place = empty.findIndex((one) => Object.is(one, value))
  return place === -1 ? Number(value) : place + 1
}
