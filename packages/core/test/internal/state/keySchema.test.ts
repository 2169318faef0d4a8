import { Effect, Schema, SchemaGetter } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  encodedBy,
  isEncodedAsText,
  type KeySchema,
  problemOf,
} from "../../../src/internal/state/keySchema.ts"

class Sku extends Schema.Class<Sku>("Sku")({ shop: Schema.String, number: Schema.Finite }) {}

const later = Schema.String.pipe(
  Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.passthrough(),
    encode: SchemaGetter.transformEffect((text: string) => Effect.delay(Effect.succeed(text), 1)),
  }),
)
const throwing = Schema.String.pipe(
  Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.passthrough(),
    encode: SchemaGetter.transform((): string => {
      throw new Error("no id")
    }),
  }),
)
const texts: ReadonlyArray<readonly [string, Schema.Constraint]> = [
  ["a string", Schema.String],
  ["a number in a string", Schema.FiniteFromString],
  ["a class in JSON", Schema.fromJsonString(Sku)],
  ["a template", Schema.TemplateLiteral(["sku:", Schema.Finite])],
  ["literals", Schema.Literals(["milk", "tea"])],
  ["a union of strings", Schema.Union([Schema.FiniteFromString, Schema.Literal("all")])],
  ["a checked string", Schema.NonEmptyString],
  ["strings by name", Schema.Enum({ Spring: "spring", Autumn: "autumn" })],
  ["a schema that is not known yet", Schema.suspend(() => Schema.FiniteFromString)],
]

const others: ReadonlyArray<readonly [string, Schema.Constraint]> = [
  ["a number", Schema.Finite],
  ["a class", Sku],
  ["anything", Schema.Unknown],
  ["a date", Schema.Date],
  ["a union with a number", Schema.Union([Schema.String, Schema.Finite])],
  ["literals of which one is a number", Schema.Literals(["milk", 1])],
  ["numbers by name", Schema.Enum({ First: 1, Second: 2 })],
  ["nothing", Schema.Undefined],
  ["a schema of itself", Schema.suspend((): Schema.Codec<string> => endless)],
]
const endless: Schema.Codec<string> = Schema.suspend((): Schema.Codec<string> => endless)

describe("what is encoded as a text", () => {
  it.each(texts)("%s is", (_, schema) => expect(isEncodedAsText(schema)).toBe(true))
  it.each(others)("%s is not", (_, schema) => expect(isEncodedAsText(schema)).toBe(false))
})

describe("the encoding", () => {
  it("is the key", () => {
    expect(encodedBy(Schema.FiniteFromString)(7)).toBe("7")
    expect(encodedBy(Schema.fromJsonString(Sku))(new Sku({ shop: "a", number: 1 }))).toBe(
      '{"shop":"a","number":1}',
    )
  })

  it("does not depend on the order in which an object has its members", () => {
    const schema = Schema.fromJsonString(Schema.Struct({ a: Schema.String, b: Schema.Finite }))
    const anyOrder = fc.record({ a: fc.string(), b: fc.integer() })
    fc.assert(
      fc.property(anyOrder, ({ a, b }) => {
        expect(encodedBy(schema)({ b, a })).toBe(encodedBy(schema)({ a, b }))
      }),
    )
  })

  it.each<readonly [string, KeySchema<unknown>, unknown, string]>([
    ["a value of another type", Schema.FiniteFromString, "seven", "Expected number"],
    ["a value that a check refuses", Schema.NonEmptyString, "", "length"],
    ["an object that lacks a member", Schema.fromJsonString(Sku), {}, "Expected Sku"],
    ["an encoding that throws", throwing, "milk", "no id"],
    ["an encoding that takes time", later, "milk", "synchronous"],
  ])("fails for %s: there is no key, and the reason says why", (_, schema, key, why) => {
    expect(encodedBy(schema)(key)).toBe(undefined)
    const reason = problemOf(schema)(key)
    expect(reason).toContain("the `key` schema does not encode it: ")
    expect(reason).toContain(why)
    expect(reason).not.toContain("\n")
  })
})
