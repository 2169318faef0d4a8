/** A larder over given values: a real one, whose upstream is the values. */
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Schema from "effect/Schema"

/**
 * The defect of a stub that is asked for a key without a value.
 *
 * **Example**
 *
 * ```ts
 * import { LarderTest } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const error = new LarderTest.NotStubbed({ message: "no value for the key bread" })
 * assert.strictEqual(error._tag, "NotStubbed")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class NotStubbed extends Schema.TaggedError<NotStubbed>()("NotStubbed", {
  message: Schema.String,
}) {}

/** The text of a key in the record of values: numbers as they are. */
const plainText = (key: unknown): string | undefined =>
  typeof key === "string" || typeof key === "number" ? String(key) : undefined

type Key<K> = ((key: K) => string) | Larder.KeySchema<K>

export interface Stub<K, A, E> {
  readonly options: Larder.PlainOptions<K, A, Key<K>>
  /** The key of the larder, or undefined for strings and numbers. */
  readonly key: Key<K> | undefined
  readonly values: { readonly [key: string]: Upstream.Answer<A, E> }
}

const isSchema = <K>(key: Key<K> | undefined): key is Larder.KeySchema<K> => Schema.isSchema(key)

const textBy = <K>(key: Key<K> | undefined): ((key: K) => string | undefined) => {
  if (key === undefined) return plainText
  if (!isSchema(key)) return key
  const encode = Schema.encodeUnknownOption(key)
  return (asked) => Option.getOrUndefined(encode(asked))
}

export const stubLarder = <K, A, E>({
  key,
  options,
  values,
}: Stub<K, A, E>): Effect.Effect<Larder.Larder<K, A, E>, never, Scope.Scope> => {
  const keyOf = textBy(key)
  const answer = (key: K): Exit.Exit<A, E> => {
    const text = keyOf(key)
    if (text === undefined || !Object.hasOwn(values, text)) {
      return Exit.die(new NotStubbed({ message: missing(options.name, text, Object.keys(values)) }))
    }
    const value = values[text] as Upstream.Answer<A, E>
    return Exit.isExit(value) ? value : Exit.succeed(value)
  }
  const given = {
    name: options.name,
    upstream: Upstream.make({
      lookup: (key: K) => answer(key),
      lookupMany: (keys: ReadonlyArray<K>) =>
        Effect.succeed(new Map(keys.map((key) => [key, answer(key)]))),
    }),
    policy: Policy.make({ freshFor: "Infinity" }),
    tags: options.tags,
    etag: options.etag,
    revision: options.revision,
  }
  const made: Effect.Effect<
    Larder.Larder<K, A, E>,
    never,
    TierStack.TierStack | Scope.Scope
  > = isSchema(key)
    ? Larder.make<A, K, E>({ ...given, key })
    : Larder.make<A, K, E>({ ...given, key: (key) => keyOf(key) ?? "" })
  const memory = TierStack.layer(MemoryTier.layer({ maxEntries: Infinity }))
  return Effect.map(Effect.provide(made, memory), (larder) => ({
    ...larder,
    // Without this the defect would be in the Exit of its key, which the code under test may ignore.
    getMany: (keys) =>
      Effect.tap(larder.getMany(keys), (exits) => {
        const defect = [...exits.values()].map(notStubbed).find((found) => found !== undefined)
        return defect === undefined ? Effect.void : Effect.die(defect)
      }),
  }))
}

const notStubbed = (exit: Exit.Exit<unknown, unknown>): NotStubbed | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const defect = Cause.squash(exit.cause)
  return defect instanceof NotStubbed ? defect : undefined
}

const missing = (name: string, key: string | undefined, known: ReadonlyArray<string>): string => {
  if (key === undefined) {
    return `LarderTest.stub: ${name} was asked for a key of which the kit knows no text; give stub a \`key\` function`
  }
  const has = known.length === 0 ? "it has no values" : `it has ${known.join(", ")}`
  return `LarderTest.stub: ${name} has no value for the key ${key}; ${has}`
}
