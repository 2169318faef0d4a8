/**
 * Values of larders for the numbers by which rules tell values apart. The first are those that a cache is
 * most likely to take for none.
 */
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

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

/** The same values, as a release encodes them that cannot decode those of others. */
export const BoxedValue = SimulatedValue.pipe(
  Schema.encodeTo(
    Schema.Struct({ boxed: Schema.Finite }),
    SchemaTransformation.transform({
      decode: ({ boxed }: { readonly boxed: number }) => valueOf(boxed),
      encode: (value: SimulatedValue) => ({ boxed: numberOf(value) }),
    }),
  ),
)
