/** A mistake in the options of a larder is one short type error, which names the option and the remedy. */
import { readFile } from "node:fs/promises"
import { beforeAll, describe, expect, it } from "vitest"
import { compile } from "./support/compiled.ts"

interface Mistake {
  readonly code: string
  /** What the error must say. */
  readonly says: ReadonlyArray<string>
}

/** Lines of an error, of which the compiler takes two to say that no overload matches. */
const mostLines = 7

const before = `
import { Invalidations, Larder, Policy, Upstream } from "@larder/core"
import { Context, Effect, Option, Schema, Stream } from "effect"
interface Id { readonly id: string }
declare const name: string
declare const policy: Policy.Policy
declare const value: Schema.Finite
declare const upstream: Upstream.Upstream<string, number>
declare const byId: Upstream.Upstream<Id, number>
declare const byNumber: Upstream.Upstream<number, number>
class Db extends Context.Service<Db, number>()("Db") {}
declare const ofDb: Schema.Codec<number, string, Db>
declare const intoDb: Schema.Codec<number, string, never, Db>
declare const numbers: Larder.Larder<number, number>
export { Invalidations, Larder, Policy, Upstream, Effect, Option, Schema, Stream, type Id, name, policy, value, upstream, byId, byNumber, ofDb, intoDb, numbers }
`

const imports = `
import { Invalidations, Larder, Policy, Upstream, Effect, Option, Schema, Stream, type Id, name, policy, value, upstream, byId, byNumber, ofDb, intoDb, numbers } from "./before.ts"
void [Invalidations, Larder, Policy, Upstream, Effect, Option, Schema, Stream, name, policy, value, upstream, byId, byNumber, ofDb, intoDb, numbers]
export type Used = Id
`

const key = ["key", "(key: Id) => string"]
const policyMake = ["policy", "Policy.make({ freshFor: ... })"]
const upstreamMake = ["upstream", "Upstream.make({ lookup: ... })"]
const values = ["upstream", "the type of the schema in `value`"]

/** Functions whose parameters have no types of their own, beside the mistake. */
const functions = `tags: (v, k) => [k.trim(), v.toFixed()],
  policy: Policy.adaptive(policy, (v, k, base) => v.toFixed() === k.trim() ? base : policy)`

const service = (options: string) =>
  `export class S extends Larder.Service<S>()("S", ${options}) {}`

const mistakes: Readonly<Record<string, Mistake>> = {
  "make: no key for keys that are objects": {
    code: `Larder.make({ name, upstream: byId, policy })`,
    says: key,
  },
  "make: no key, with a schema": {
    code: `Larder.make({ name, value, upstream: byId, policy })`,
    says: key,
  },
  "make: no key, with a schema that is undefined": {
    code: `Larder.make({ name, value: undefined, upstream: byId, policy })`,
    says: key,
  },
  "make: no key, beside functions of value and key": {
    code: `Larder.make({ name, value, upstream: byId, etag: (v, k) => k.id + v.toFixed(),
      policy: Policy.adaptive(policy, (v, k, base) => v.toFixed() === k.id ? base : policy) })`,
    says: key,
  },
  "make: no key, in generic code": {
    code: `export const f = <K>(upstream: Upstream.Upstream<K, number>) => Larder.make({ name, upstream, policy })`,
    says: ["KeyRequired<K>"],
  },
  "make: a key function of another key": {
    code: `Larder.make({ name, upstream: byId, policy, key: (k: string) => k })`,
    says: key,
  },
  "make: a key schema that is not encoded as a string": {
    code: `Larder.make({ name, upstream: byNumber, policy, key: Schema.Finite })`,
    says: ["Key<number> | KeySchema<number>", "'number' is not assignable to type 'string'"],
  },
  "make: a key schema that is not encoded as a string, with a schema of values": {
    code: `Larder.make({ name, value, upstream: byNumber, policy, key: Schema.Finite, tags: (v, k) => [v.toFixed(), k.toFixed()] })`,
    says: ["Key<number> | KeySchema<number>", "'number' is not assignable to type 'string'"],
  },
  "make: a key schema of other keys than upstream's": {
    code: `Larder.make({ name, upstream: byNumber, policy, key: Schema.String })`,
    says: ["Key<number> | KeySchema<number>", "'string' is not assignable to type 'number'"],
  },
  "make: a key schema whose decoding needs services": {
    code: `Larder.make({ name, upstream: byNumber, policy, key: ofDb })`,
    says: ["Key<number> | KeySchema<number>", "'Db' is not assignable to type 'never'"],
  },
  "make: a key schema whose encoding needs services": {
    code: `Larder.make({ name, upstream: byNumber, policy, key: intoDb })`,
    says: ["Key<number> | KeySchema<number>", "'Db' is not assignable to type 'never'"],
  },
  "make: a key schema, and no policy": {
    code: `Larder.make({ name, upstream: byNumber, key: Schema.FiniteFromString })`,
    says: policyMake,
  },
  "make: a key schema, and one tag in place of a list": {
    code: `Larder.make({ name, upstream: byNumber, policy, key: Schema.FiniteFromString, tags: (v, k) => k.toFixed() + v.toFixed() })`,
    says: ["Tags<number, number>", "readonly string[]"],
  },
  "Service: a key schema that is not encoded as a string": {
    code: service(`{ upstream: byNumber, policy, key: Schema.Finite }`),
    says: ["Key<number> | KeySchema<number>", "'number' is not assignable to type 'string'"],
  },
  "Service: an effect that gives a key schema that is not encoded as a string": {
    code: service(`Effect.succeed({ upstream: byNumber, policy, key: Schema.Finite })`),
    says: ["key: give what fits `upstream` and `value`"],
  },
  "Invalidations.from: no schema for keys that are no strings": {
    code: `Invalidations.from(numbers, Stream.empty)`,
    says: [
      "KeyedLarder<number, number",
      "'KeySchema<number> | undefined' is not assignable to type 'KeySchema<number>'",
    ],
  },
  "make: an object in place of a policy": {
    code: `Larder.make({ name, upstream, policy: { freshFor: "1 minute" } })`,
    says: policyMake,
  },
  "make: an object in place of a policy, with a schema": {
    code: `Larder.make({ name, value, upstream, policy: { freshFor: 1_000, staleIfError: 1_000 } })`,
    says: policyMake,
  },
  "make: an object in place of a policy, beside functions of value and key": {
    code: `Larder.make({ name, value, upstream, policy: { freshFor: 1 }, tags: (v, k) => [k.trim(), v.toFixed()] })`,
    says: policyMake,
  },
  "make: no policy": { code: `Larder.make({ name, upstream })`, says: policyMake },
  "make: no policy, with a schema": {
    code: `Larder.make({ name, value, upstream, tags: (v, k) => [k.trim(), v.toFixed()] })`,
    says: policyMake,
  },
  "make: a policy for other values": {
    code: `Larder.make({ name, value, upstream, policy: Policy.adaptive(policy, (v: string) => v === "" ? policy : policy) })`,
    says: ["AdaptivePolicy<number, string> | Policy"],
  },
  "make: no upstream": { code: `Larder.make({ name, policy })`, says: upstreamMake },
  "make: no upstream, with a schema": {
    code: `Larder.make({ name, value, policy })`,
    says: upstreamMake,
  },
  "make: an object in place of an upstream": {
    code: `Larder.make({ name, value, policy, upstream: { lookup: (id: string) => Effect.succeed(id.length) } })`,
    says: upstreamMake,
  },
  "make: an upstream of other values than the schema's": {
    code: `Larder.make({ name, value: Schema.String, upstream, policy })`,
    says: [...values, "'number' is not assignable to type 'string'"],
  },
  "make: an upstream of other values, beside functions of value and key": {
    code: `Larder.make({ name, value, upstream: Upstream.make({ lookup: (id: string) => Effect.succeed(id) }), ${functions} })`,
    says: [...values, "'string' is not assignable to type 'number'"],
  },
  "make: an upstream of other values, after functions of value and key": {
    code: `Larder.make({ name, value, ${functions}, upstream: Upstream.make({ lookup: (id: string) => Effect.succeed(id) }) })`,
    says: [...values, "'string' is not assignable to type 'number'"],
  },
  "make: no schema in value": {
    code: `Larder.make({ name, value: Number, upstream, policy })`,
    says: ["value", "Schema.String"],
  },
  "make: perhaps a schema in value": {
    code: `export const f = (value: Schema.Finite | undefined) => Larder.make({ name, value, upstream, policy })`,
    says: ["value", "Schema.String"],
  },
  "make: one tag in place of a list": {
    code: `Larder.make({ name, value, upstream, policy, tags: (v) => v.toFixed() })`,
    says: ["Tags<number, string>", "readonly string[]"],
  },
  "make: tags that are no function": {
    code: `Larder.make({ name, upstream, policy, tags: ["a"] })`,
    says: ["Tags<number, string>", "(value: number, key: string): readonly string[]"],
  },
  "make: tags of other values": {
    code: `Larder.make({ name, upstream, policy, tags: (v: string) => [v] })`,
    says: ["Tags<number, string>", "'number' is not assignable to type 'string'"],
  },
  "make: an etag that is no string": {
    code: `Larder.make({ name, upstream, policy, etag: (v) => v })`,
    says: ["Etag<number, string>"],
  },
  "make: a revision without an order": {
    code: `Larder.make({ name, upstream, policy, revision: (v) => ({ v }) })`,
    says: ["Revision<number>", "string | number | bigint"],
  },
  "make: failureFor that gives no duration": {
    code: `Larder.make({ name, upstream, policy, failureFor: () => true })`,
    says: ["(error: KeyNotReturned, key: string) => Input"],
  },
  "make: graceFor that gives no boolean": {
    code: `Larder.make({ name, upstream, policy, graceFor: () => "1 second" })`,
    says: ["(error: KeyNotReturned, key: string) => boolean"],
  },
  "make: an option that does not exist": {
    code: `Larder.make({ name, upstream, policy, tag: () => ["a"] })`,
    says: ["'tag' does not exist", "Did you mean to write 'tags'?"],
  },
  "make: no name": {
    code: `Larder.make({ value, upstream, policy })`,
    says: ["'name' is missing"],
  },
  "make: options without what is required": {
    code: `export const f = (options: { name: string, upstream: Upstream.Upstream<string, number>, policy?: Policy.Policy }) =>
      Larder.make(options)`,
    says: ["an option may be missing or does not fit the others"],
  },
  "Service: no options": {
    code: `export class S extends Larder.Service<S>()("S") {}`,
    says: ["upstream, policy", "in an object after the id"],
  },
  "Service: no key": { code: service(`{ value, upstream: byId, policy }`), says: key },
  "Service: an object in place of a policy": {
    code: service(
      `{ value, upstream, policy: { freshFor: 1 }, tags: (v, k) => [k.trim(), v.toFixed()] }`,
    ),
    says: policyMake,
  },
  "Service: no policy": { code: service(`{ value, upstream }`), says: policyMake },
  "Service: no upstream": { code: service(`{ policy }`), says: upstreamMake },
  "Service: an upstream of other values than the schema's": {
    code: service(`{ value: Schema.String, upstream, policy }`),
    says: values,
  },
  "Service: an upstream of other values, after functions of value and key": {
    code: service(
      `{ value, ${functions}, upstream: Upstream.make({ lookup: (id: string) => Effect.succeed(id) }) }`,
    ),
    says: [...values, "'string' is not assignable to type 'number'"],
  },
  "Service: one tag in place of a list": {
    code: service(`{ value, upstream, policy, tags: (v) => v.toFixed() }`),
    says: ["Tags<number, string>", "readonly string[]"],
  },
  "Service: an effect that gives no key": {
    code: service(`Effect.succeed({ value, upstream: byId, policy })`),
    says: ["key: give a function (key) => string"],
  },
  "Service: an effect that gives an object in place of a policy": {
    code: service(`Effect.succeed({ upstream, policy: { freshFor: 1 } })`),
    says: policyMake,
  },
  "Service: an effect that gives no policy": {
    code: service(`Effect.succeed({ value, upstream })`),
    says: policyMake,
  },
  "Service: an effect that gives no upstream": {
    code: service(`Effect.succeed({ policy })`),
    says: upstreamMake,
  },
  "Service: an effect that gives an upstream of other values": {
    code: service(`Effect.succeed({ value: Schema.String, upstream, policy })`),
    says: values,
  },
  "Service: an effect that gives no schema in value": {
    code: service(`Effect.succeed({ value: Number, upstream, policy })`),
    says: ["value", "Schema.String"],
  },
  "Service: an effect that gives tags of other values": {
    code: service(`Effect.succeed({ value, upstream, policy, tags: (v: string) => [v] })`),
    says: ["tags: give what fits `upstream` and `value`"],
  },
  "Service: an effect that gives failureFor without a duration": {
    code: service(`Effect.succeed({ value, upstream, policy, failureFor: () => true })`),
    says: ["an option may be missing or does not fit the others"],
  },
  "fn: a key that is an object": {
    code: `Larder.fn({ name, policy })((k: Id) => Effect.succeed(k.id))`,
    says: ["key: give a function (...args) => string"],
  },
  "fn: a key that is an object, with a schema": {
    code: `Larder.fn({ name, value, policy })((k: Id) => Effect.succeed(k.id.length))`,
    says: ["key: give a function (...args) => string"],
  },
  "fn: a key that is perhaps an object": {
    code: `Larder.fn({ name, policy })((k: string | Id) => Effect.succeed(k))`,
    says: ["key: give a function (...args) => string"],
  },
  "fn: no key for two arguments": {
    code: `Larder.fn({ name, value, policy })((a: number, b: number) => Effect.succeed(a + b))`,
    says: ["key: give a function (...args) => string"],
  },
  "fn: no key for an argument that has its type from the options": {
    code: `Larder.fn({ name, policy, tags: (_: number, [k]: readonly [Id]) => [k.id] })((k) => Effect.succeed(k.id.length))`,
    says: ["key: give a function (...args) => string"],
  },
  "fn: no key for an argument that has no type": {
    code: `Larder.fn({ name, policy })((k) => Effect.succeed(k))`,
    says: ["key: give a function (...args) => string"],
  },
  "fn: no key for a second argument that is optional": {
    code: `Larder.fn({ name, policy })((a: number, b?: number) => Effect.succeed(a + (b ?? 0)))`,
    says: ["key: give a function (...args) => string"],
  },
  "fn: no key for no argument": {
    code: `Larder.fn({ name, policy })(() => Effect.succeed(1))`,
    says: ["key: give a function (...args) => string"],
  },
  "fn: no key in generic code": {
    code: `export const f = <Args extends ReadonlyArray<unknown>>(f: (...args: Args) => Effect.Effect<number>) =>
      Larder.fn({ name, policy })(f)`,
    says: ["key: give a function (...args) => string"],
  },
  "fn: an object in place of a policy": {
    code: `Larder.fn({ name, value, policy: { freshFor: 1 } })((a: string) => Effect.succeed(a.length))`,
    says: policyMake,
  },
  "fn: an object in place of a policy, beside a key": {
    code: `Larder.fn({ name, policy: { freshFor: 1 }, key: (a: number, b: number) => a + "/" + b })(
      (a: number, b: number) => Effect.succeed(a + b))`,
    says: policyMake,
  },
  "fn: no policy": { code: `Larder.fn({ name })`, says: policyMake },
  "fn: no schema in value": {
    code: `Larder.fn({ name, value: Number, policy })`,
    says: ["value", "Schema.String"],
  },
  "fn: one tag in place of a list": {
    code: `Larder.fn({ name, value, policy, tags: (v, [id]: readonly [string]) => id + v.toFixed() })`,
    says: ["Tags<number, readonly [string]>", "readonly string[]"],
  },
  "fn: a function of other values than the schema's": {
    code: `Larder.fn({ name, value, policy })((id: string) => Effect.succeed(id))`,
    says: ["'string' is not assignable to type 'number'"],
  },
  "fn: options without what is required": {
    code: `export const f = (options: { name: string, policy?: Policy.Policy }) => Larder.fn(options)`,
    says: ["an option may be missing or does not fit the others"],
  },
}

const names = Object.keys(mistakes)
const moduleOf = (name: string) => `mistake${names.indexOf(name)}`

describe("type errors", () => {
  let errors: ReadonlyMap<string, ReadonlyArray<string>> = new Map()
  beforeAll(async () => {
    const uses = await readFile(new URL("fixtures/correctUses.ts", import.meta.url), "utf8")
    errors = await compile(
      new Map([
        ["before", before],
        ["correctUses", uses],
        ...names.map((name) => [moduleOf(name), `${imports}${mistakes[name]?.code}\n`] as const),
      ]),
    )
  }, 60_000)

  it.each(Object.entries(mistakes))("%s", (name, { says }) => {
    const [error = "", ...more] = errors.get(moduleOf(name)) ?? []
    for (const text of says) expect(error).toContain(text)
    expect(error.split("\n").length).toBeLessThanOrEqual(mostLines)
    expect(more).toEqual([])
  })

  it("there are none where options are right", () => {
    expect(errors.get("correctUses")).toEqual([])
    expect(errors.get("before")).toEqual([])
  })
})
