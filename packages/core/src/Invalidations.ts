/**
 * Changes that come from outside: another service, another language, a database. A feed is a stream of
 * {@link Change}; {@link from} applies it to a larder.
 *
 * Messages are JSON of version 1, such as
 * `{"v":1,"larder":"app/Products","keys":["milk"],"tags":["dairy"]}`. A feed that may have missed some
 * says so with a `Gap`, which counts as a message that everything has changed.
 *
 * @module
 * @category cache
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Queue from "effect/Queue"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { larderNamedBy, mistakeInMessage } from "./internal/invalidation/messageMistake.ts"
import { keysInvalidatedAtOnce, malformedCharacters } from "./internal/runtime/limits.ts"
import { reasonOf, shown } from "./internal/runtime/shownValue.ts"
import { report } from "./internal/state/larderReports.ts"
import { InvalidOptions } from "./InvalidOptions.ts"
import type { InvalidKey, KeyedLarder, Larder } from "./Larder.ts"

/**
 * A message about changed values of one larder, as JSON.
 *
 * **Details**
 *
 * - `larder`: the name of the larder. Others ignore the message.
 * - `keys`: the keys whose values have changed, each as a text that the larder's schema of keys decodes: see
 *   {@link from}.
 * - `tags`: as `invalidateTags` takes them.
 * - `clear`: true where every value may have changed.
 * - `keepStale`: whether old values may still be served when upstream fails. Default true.
 *
 * A message needs one of `keys`, `tags` and `clear`, which this schema alone does not check. Other members
 * are ignored, so that publishers may add some.
 *
 * **Example**
 *
 * ```ts
 * import { Invalidations } from "@larder/core"
 * import { Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Invalidations.Message))
 * const message = decode('{"v":1,"larder":"app/Products","keys":["milk"]}')
 * assert.deepStrictEqual(message, { v: 1, larder: "app/Products", keys: ["milk"] })
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export const Message = Schema.Struct({
  v: Schema.Literal(1),
  larder: Schema.String,
  keys: Schema.optional(Schema.Array(Schema.String)),
  tags: Schema.optional(Schema.Array(Schema.String)),
  clear: Schema.optional(Schema.Boolean),
  keepStale: Schema.optional(Schema.Boolean),
})

/**
 * The type of {@link Message}.
 *
 * @category models
 * @since 0.1.0
 */
export type Message = typeof Message.Type

/**
 * An element of a feed.
 *
 * - `Change`: a message.
 * - `Gap`: messages may be missing before it.
 * - `Malformed`: something that is no message; `text` has its beginning. For the larder that it names it
 *   is an event and a gap, for others an event.
 *
 * @category models
 * @since 0.1.0
 */
export type Change =
  | { readonly _tag: "Change"; readonly message: Message }
  | { readonly _tag: "Gap" }
  | {
      readonly _tag: "Malformed"
      readonly text: string
      readonly reason: string
      /** The larder that it names, if any. */
      readonly larder?: string | undefined
    }

/**
 * The element for messages that may be missing.
 *
 * **Example**
 *
 * ```ts
 * import { Invalidations } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.deepStrictEqual(Invalidations.gap, { _tag: "Gap" })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const gap: Change = { _tag: "Gap" }

/**
 * The element for a message.
 *
 * **Example**
 *
 * ```ts
 * import { Invalidations } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const { message } = Invalidations.change({ larder: "app/Products", tags: ["dairy"] })
 * assert.strictEqual(message.v, 1)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const change = (
  message: Omit<Message, "v">,
): { readonly _tag: "Change"; readonly message: Message } => ({
  _tag: "Change",
  message: { v: 1, ...message },
})

const Text = Schema.fromJsonString(Message)
const decode = Schema.decodeUnknownExit(Message)

/**
 * The JSON text of a message, for a publisher.
 *
 * **Example**
 *
 * ```ts
 * import { Invalidations } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(
 *   Invalidations.stringify({ larder: "app/Products", keys: ["milk"] }),
 *   '{"v":1,"larder":"app/Products","keys":["milk"]}',
 * )
 * ```
 *
 * @category encoding
 * @since 0.1.0
 */
export const stringify = (message: Omit<Message, "v">): string =>
  Schema.encodeSync(Text)({ v: 1, ...message })

/**
 * The element for a text. Never fails: what is no message is `Malformed`, with its `larder` if it names
 * one. A message of a later version is a `Gap`, since its changes are not known.
 *
 * **Example**
 *
 * ```ts
 * import { Invalidations } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Invalidations.parse('{"v":1,"larder":"a","clear":true}')._tag, "Change")
 * assert.strictEqual(Invalidations.parse('{"v":2,"larder":"a"}')._tag, "Gap")
 * assert.strictEqual(Invalidations.parse("hello")._tag, "Malformed")
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (text: string): Change => {
  if (typeof text !== "string") return malformed(shown(text), reasonOf("be a string", text))
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return malformed(text, "it is no JSON")
  }
  const larder = larderNamedBy(value)
  if (larder !== undefined && isLater(value)) return gap
  const mistake = mistakeInMessage(value)
  const decoded = decode(value)
  return mistake === undefined && Exit.isSuccess(decoded)
    ? { _tag: "Change", message: decoded.value }
    : malformed(text, mistake ?? "it does not decode as a message", larder)
}

const isLater = (value: unknown): boolean =>
  Predicate.hasProperty(value, "v") && typeof value.v === "number" && value.v > 1

const malformed = (text: string, reason: string, larder?: string): Change => ({
  _tag: "Malformed",
  text: text.slice(0, malformedCharacters),
  reason,
  ...(larder !== undefined && { larder }),
})

/**
 * Options of {@link from}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<K, RD = never> {
  /**
   * The schema that gives keys back from the texts in messages, such as `Schema.FiniteFromString` for
   * keys that are numbers. Default: the larder's own; without one, the texts are the keys.
   */
  readonly key: Schema.ConstraintDecoder<K, RD>
}

const names: Record<keyof Options<unknown>, true> = { key: true }

/** The larder's part of {@link from}: what it does to keys is all that depends on their type. */
type Target<K> = Pick<
  Larder<K, never, unknown>,
  "clear" | "expire" | "invalidateTags" | "keySchema" | "name" | "remove"
>

const ignored = (larder: object, reason: string, text: string): Effect.Effect<void> =>
  Effect.sync(() =>
    report(larder, {
      _tag: "MessageIgnored",
      reason,
      text: text.slice(0, malformedCharacters),
    }),
  )

const applyKeys = <K, R>(
  larder: Target<K>,
  keys: ReadonlyArray<string>,
  keepStale: boolean,
  keyOf: (text: string) => Effect.Effect<K, unknown, R>,
): Effect.Effect<void, never, R> => {
  const applied = (key: K): Effect.Effect<unknown, InvalidKey> =>
    keepStale ? larder.expire(key) : larder.remove(key)
  const one = (text: string) =>
    Effect.matchEffect(keyOf(text), {
      onFailure: () => ignored(larder, "the schema of keys does not decode one of its keys", text),
      onSuccess: (key) =>
        Effect.catch(applied(key), ({ reason }) =>
          ignored(larder, `one of its keys is invalid: ${reason}`, text),
        ),
    })
  return Effect.forEach(keys, one, { concurrency: keysInvalidatedAtOnce, discard: true })
}

/** An element of a feed. Feeds of users may have any. */
const apply = <K, R>(
  larder: Target<K>,
  keyOf: (text: string) => Effect.Effect<K, unknown, R>,
  change: unknown,
): Effect.Effect<void, never, R> => {
  if (Predicate.isTagged(change, "Gap")) return missed(larder)
  if (isMalformed(change)) {
    return change.larder === larder.name
      ? mistaken(larder, change.reason, change.text)
      : ignored(larder, change.reason, change.text)
  }
  if (!Predicate.isTagged(change, "Change")) {
    const must = "be a Change, a Gap or a Malformed with text and reason"
    return mistaken(larder, `an element of the feed ${reasonOf(must, change)}`, jsonOf(change))
  }
  const message: unknown = "message" in change ? change.message : undefined
  const mistake = mistakeInMessage(message)
  if (mistake === undefined) return applyMessage(larder, keyOf, message as Message)
  const name = larderNamedBy(message)
  return name === undefined || name === larder.name
    ? mistaken(larder, mistake, jsonOf(message))
    : ignored(larder, mistake, jsonOf(message))
}

const applyMessage = <K, R>(
  larder: Target<K>,
  keyOf: (text: string) => Effect.Effect<K, unknown, R>,
  { clear, keepStale = true, keys = [], larder: name, tags = [] }: Message,
): Effect.Effect<void, never, R> => {
  if (name !== larder.name) return Effect.void
  const how = { keepStale }
  return Effect.all(
    [
      clear === true ? larder.clear(how) : Effect.void,
      tags.length === 0 ? Effect.void : larder.invalidateTags(tags, how),
      applyKeys(larder, keys, keepStale, keyOf),
    ],
    { discard: true },
  )
}

/** Anything may have changed. */
const missed = (larder: Pick<Target<never>, "clear">): Effect.Effect<void> =>
  Effect.asVoid(larder.clear({ keepStale: true }))

/** The publisher said that something of this larder has changed, and nobody knows what. */
const mistaken = (
  larder: Pick<Target<never>, "clear">,
  reason: string,
  text: string,
): Effect.Effect<void> =>
  Effect.andThen(
    ignored(larder, `${reason} (everything of the larder counts as changed)`, text),
    missed(larder),
  )

const isMalformed = (change: unknown): change is Change & { readonly _tag: "Malformed" } =>
  Predicate.isTagged(change, "Malformed") &&
  Predicate.hasProperty(change, "text") &&
  typeof change.text === "string" &&
  Predicate.hasProperty(change, "reason") &&
  typeof change.reason === "string"

const jsonOf = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? shown(value)
  } catch {
    return shown(value)
  }
}

const fromAny = <K, E, R, RD>(
  larder: Target<K>,
  changes: Stream.Stream<Change, E, R>,
  options?: Options<K, RD>,
): Effect.Effect<void, E, R | RD> =>
  Effect.suspend(() => {
    if (options !== undefined) {
      const mistake = InvalidOptions.ofNames({ module: "Invalidations", names, got: options })
      if (mistake !== undefined) return Effect.die(mistake)
      if (!Schema.isSchema(options.key)) {
        const must = "be a schema, such as Schema.FiniteFromString"
        const given = { module: "Invalidations", field: "key", must, got: options.key }
        return Effect.die(InvalidOptions.of(given))
      }
    }
    const schema: Schema.ConstraintDecoder<K, RD> | undefined = options?.key ?? larder.keySchema
    // By the types of `from`, keys without a schema are strings.
    const keyOf: (text: string) => Effect.Effect<K, unknown, RD> =
      schema === undefined
        ? (text) => Effect.succeed(text as K)
        : Schema.decodeUnknownEffect(schema)
    return Stream.runForEach(changes, (change) => apply(larder, keyOf, change))
  })

/**
 * Applies a feed to a larder, one change after the other, until the feed ends or fails with its own
 * error.
 *
 * **When to use**
 *
 * Use it in a fiber beside the larder, where values change behind its back: `RedisInvalidations.stream`
 * of `@larder/redis` for messages that any service publishes, `ChangeTable.stream` of `@larder/sql` for
 * what a database records.
 *
 * **Details**
 *
 * - The texts of keys in messages are decoded by the larder's schema of keys, or that of the option `key`;
 *   without either they are the keys.
 * - Keys are expired, or with `keepStale: false` removed; tags and `clear` are those of the larder. All
 *   reach the shared tier, so one node of those that share a tier needs to read the feed.
 * - A `Gap` clears the larder and keeps stale values.
 * - A malformed message is the event `MessageIgnored`. One that names this larder says that something has
 *   changed, and not what: it counts as a gap, and so does an element that is no {@link Change}.
 * - A key that cannot be one of the larder's is the event `MessageIgnored`.
 * - Messages for other larders are ignored.
 *
 * **Example**
 *
 * ```ts
 * import { Invalidations, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect, Stream } from "effect"
 * import * as assert from "node:assert"
 *
 * let price = 100
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.sync(() => price) }),
 *     policy: Policy.make({ freshFor: "1 hour" })
 *   })
 *   yield* prices.get("milk")
 *   price = 120
 *   const feed = Stream.make('{"v":1,"larder":"prices","keys":["milk"]}')
 *   yield* Invalidations.from(prices, Stream.map(feed, Invalidations.parse))
 *   return yield* prices.get("milk")
 * })
 * const answer = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.strictEqual(answer, 120)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const from: {
  <A, E, E2, R>(
    larder: Larder<string, A, E>,
    changes: Stream.Stream<Change, E2, R>,
  ): Effect.Effect<void, E2, R>
  <K, A, E, E2, R>(
    larder: KeyedLarder<K, A, E>,
    changes: Stream.Stream<Change, E2, R>,
  ): Effect.Effect<void, E2, R>
  <K, A, E, E2, R, RD>(
    larder: Larder<K, A, E>,
    changes: Stream.Stream<Change, E2, R>,
    options: Options<K, RD>,
  ): Effect.Effect<void, E2, R | RD>
  // The values of the larder are of no interest here.
} = fromAny as never

/**
 * Options of {@link reactivity}.
 *
 * @category options
 * @since 0.1.0
 */
export interface ReactivityOptions {
  /** The name of the larder. */
  readonly larder: string
  /** The keys of Effect's `Reactivity` to listen to; each is a tag of the larder, of the same name. */
  readonly tags: ReadonlyArray<string>
}

/**
 * A feed of what Effect's `Reactivity` invalidates: a mutation of a key there invalidates the tag of the
 * same name here.
 *
 * **When to use**
 *
 * Use it where an application already says what it changes by `Reactivity.mutation`. In
 * `SqlClient.withTransaction` a mutation is told of after the commit, and not after a roll-back.
 *
 * **Details**
 *
 * Works within one process. Mutations of a tag that come before the feed's consumer takes the last one
 * are one message. Listens from when the stream is run.
 *
 * **Example**
 *
 * ```ts
 * import { Invalidations } from "@larder/core"
 * import { Effect, Fiber, Stream } from "effect"
 * import * as Reactivity from "effect/reactivity/Reactivity"
 * import * as assert from "node:assert"
 *
 * const feed = Invalidations.reactivity({ larder: "app/Products", tags: ["products"] })
 * const program = Effect.gen(function* () {
 *   const first = yield* Effect.forkChild(Stream.runHead(feed), { startImmediately: true })
 *   yield* Reactivity.mutation(Effect.succeed("saved"), ["products"])
 *   return yield* Fiber.join(first)
 * })
 * const change = await Effect.runPromise(Effect.provide(program, Reactivity.layer))
 * assert.deepStrictEqual(
 *   change._tag === "Some" && change.value,
 *   Invalidations.change({ larder: "app/Products", tags: ["products"] }),
 * )
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const reactivity = (
  options: ReactivityOptions,
): Stream.Stream<Change, never, Reactivity.Reactivity> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { registerUnsafe } = yield* Reactivity.Reactivity
      const changed = yield* Effect.acquireRelease(Queue.unbounded<string>(), Queue.shutdown)
      const waiting = new Set<string>()
      for (const tag of new Set(options.tags)) {
        const heard = (): void => {
          if (waiting.has(tag)) return
          waiting.add(tag)
          Queue.offerUnsafe(changed, tag)
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => registerUnsafe([tag], heard)),
          (stop) => Effect.sync(stop),
        )
      }
      const next = Effect.map(Queue.take(changed), (tag) => {
        waiting.delete(tag)
        return change({ larder: options.larder, tags: [tag] })
      })
      return Stream.fromEffectRepeat(next)
    }),
  )
