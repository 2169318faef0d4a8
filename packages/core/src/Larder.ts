/**
 * A larder: a named, typed cache for one kind of value. It coalesces lookups of one key (single
 * flight), serves stale values when that is better than waiting or failing, and stores entries in
 * the tiers of the `TierStack` that it is made with.
 *
 * @module
 * @category cache
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as PubSub from "effect/PubSub"
import { hasProperty, isIterable } from "effect/Predicate"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as Backplane from "./Backplane.ts"
import type { Entry } from "./Entry.ts"
import type { Freshness } from "./Freshness.ts"
import { type Question, refusal } from "./internal/read/question.ts"
import { closed } from "./internal/state/closed.ts"
import { Instrument } from "./Instrument.ts"
import { watchSharedState } from "./internal/flight/circuits.ts"
import { refresh } from "./internal/read/refresh.ts"
import { ask } from "./internal/read/getOne.ts"
import { expire, remove } from "./internal/write/removeExpire.ts"
import { type SetOptions, set } from "./internal/write/set.ts"
import { type Invalidated, invalidateWhen, mark } from "./internal/write/invalidate.ts"
import type { Ack } from "./internal/write/ack.ts"
import { around, type AroundOptions, type Target } from "./internal/write/around.ts"
import * as checks from "./internal/write/checkedWriting.ts"
import {
  type SourceWrite,
  through,
  type ThroughOptions,
  type Writing,
} from "./internal/write/through.ts"
import { prefixOf, removeWhere, type RemoveWhereOptions } from "./internal/write/removeWhere.ts"
import { update, type UpdateOptions } from "./internal/write/update.ts"
import { changed, tellChanged } from "./internal/write/tellChanged.ts"
import { listen } from "./internal/backplane/listen.ts"
import { checkedInstrument } from "./internal/lifecycle/checkedInstrument.ts"
import { Warnings } from "./internal/observe/warnings.ts"
import { close } from "./internal/lifecycle/close.ts"
import { Engine } from "./internal/state/engine.ts"
import { watchBreaker } from "./internal/tier/openTier.ts"
import type { Candidate } from "./internal/state/flight.ts"
import * as keys from "./internal/state/key.ts"
import { isKeySchema, type KeySchema } from "./internal/state/keySchema.ts"
import { followerOf } from "./internal/read/follower.ts"
import { exitOf, get as getOne, type GetOptions, question } from "./internal/read/get.ts"
import { getMany } from "./internal/read/getMany.ts"
import { Marks } from "./internal/invalidation/marks.ts"
import * as memoryAlone from "./internal/lifecycle/memoryAlone.ts"
import * as metrics from "./internal/lifecycle/metrics.ts"
import type { MemoryBounds } from "./internal/memory/bounds.ts"
import { tellOpened } from "./internal/lifecycle/opened.ts"
import * as namesakes from "./internal/lifecycle/namesakes.ts"
import { Observer } from "./internal/observe/eventHub.ts"
import { setParts } from "./internal/observe/larderParts.ts"
import * as openLarders from "./internal/observe/openLarders.ts"
import { showKeyBy } from "./internal/observe/keyDisplay.ts"
import type { SubscribeOptions } from "./internal/observe/hits.ts"
import { hitsOf } from "./internal/state/hitsOption.ts"
import { read, type Reading } from "./internal/read/peek.ts"
import { shown } from "./internal/state/shownEntry.ts"
import { has, type InMemory, snapshot } from "./internal/state/snapshot.ts"
import {
  invalidOption,
  type AnyOptions,
  checkBreakers,
  checkNames,
  checkOptions,
  flagOf,
  codecOf,
  nameOf,
  type ObjectiveOptions,
  objectiveOf,
  schemaVersionOf,
  settingsOf,
} from "./internal/state/settings.ts"
import type { NamesOf } from "./internal/runtime/optionNames.ts"
import type {
  Absent,
  ErrorOf,
  Explained,
  ExplainedFn,
  KeyArguments,
  KeyedBy,
  KeyOf,
  NoOptions,
  OneKey,
  OrEffect,
} from "./internal/state/optionMistakes.ts"
import {
  checkShared,
  type Following,
  followingOf,
  type FollowerOptions,
} from "./internal/state/followerOptions.ts"
import { resize } from "./internal/lifecycle/resizeMemory.ts"
import * as Soon from "./internal/runtime/nextTurn.ts"
import { reportBy } from "./internal/state/larderReports.ts"
import * as stack from "./internal/tier/openStack.ts"
import { type Stats, statsOf, tierNames } from "./internal/lifecycle/stats.ts"
import { steadyOf } from "./internal/runtime/steadyClock.ts"
import { Audits } from "./internal/refresh/audit.ts"
import type { AuditOptions } from "./internal/state/audit.ts"
import { StampedeHook } from "./internal/refresh/stampedeHook.ts"
import { Sweeps } from "./internal/refresh/sweep.ts"
import type { OnStampede } from "./internal/state/stampedes.ts"
import { wellFormed } from "./internal/invalidation/tags.ts"
import { Turns } from "./internal/runtime/turns.ts"
import { ensureNoted } from "./internal/upstream/reach.ts"
import type {
  Contended,
  InvalidKey,
  KeyNotReturned,
  KeysNotListed,
  LarderError,
  NotSettled,
} from "./LarderError.ts"
import { InvalidOptions } from "./InvalidOptions.ts"
import { KeyDisplay } from "./KeyDisplay.ts"
import type { LarderEvent } from "./LarderEvent.ts"
import type * as Policy from "./Policy.ts"
import { TierStack } from "./TierStack.ts"
import * as Upstream from "./Upstream.ts"

export type { Ack } from "./internal/write/ack.ts"
export type { AroundOptions, Target } from "./internal/write/around.ts"
export type { SetOptions } from "./internal/write/set.ts"
export type { SourceWrite, ThroughOptions, Writing } from "./internal/write/through.ts"
export type { RemoveWhereOptions } from "./internal/write/removeWhere.ts"
export type { UpdateOptions } from "./internal/write/update.ts"
export type { FollowerOptions } from "./internal/state/followerOptions.ts"
export type { GetOptions } from "./internal/read/get.ts"
export type { AuditOptions } from "./internal/state/audit.ts"
export type { OnStampede, Stampede, StampedeRequest } from "./internal/state/stampedes.ts"
export type { Reading } from "./internal/read/peek.ts"
export type { Hits, SubscribeOptions } from "./internal/observe/hits.ts"
export type { KeySchema } from "./internal/state/keySchema.ts"
export type { InMemory } from "./internal/state/snapshot.ts"
export type { Invalidated } from "./internal/write/invalidate.ts"
export type { ObjectiveStats, Stats } from "./internal/lifecycle/stats.ts"
export type { ObjectiveOptions } from "./internal/state/settings.ts"
export {
  Contended,
  InvalidKey,
  KeyNotReturned,
  KeysNotListed,
  LarderClosed,
  type LarderError,
  LookupInterrupted,
  LookupTimeout,
  NotSettled,
  OptionFailed,
} from "./LarderError.ts"

/**
 * The property that identifies a larder.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const lengths = Larder.make({
 *   name: "lengths",
 *   upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
 *   policy: Policy.make({ freshFor: "1 minute" })
 * })
 * const larder = await Effect.runPromise(
 *   lengths.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.ok(Larder.TypeId in larder)
 * ```
 *
 * @category type IDs
 * @since 0.1.0
 */
export const TypeId = "~larder/Larder"

/**
 * A value with its origin: the result of {@link Larder.getWithMeta}.
 *
 * @category models
 * @since 0.1.0
 */
export interface WithMeta<out A> {
  readonly value: A
  /** The freshness of the value when the caller got it. */
  readonly freshness: Freshness
  /** The tier that had the value; `"upstream"` for a value just looked up. */
  readonly tier: string
  /** The time since `entry.storedAt`, ms. */
  readonly age: number
  /**
   * The entry of the answer: times, tags, version and etag of this value, whatever the tiers store
   * by now.
   */
  readonly entry: Entry<A>
}

/**
 * Options of `invalidateTags`, `clear` and `invalidateWhen`.
 *
 * @category options
 * @since 0.1.0
 */
export interface MarkOptions {
  /**
   * Whether the values may still be served when upstream fails (stale-if-error). Default `true`.
   */
  readonly keepStale?: boolean | undefined
}

/**
 * The errors that `around` adds to those of its effect.
 *
 * @category models
 * @since 0.1.0
 */
export type AroundError<Q extends "sent" | "settled"> = "settled" extends Q
  ? InvalidKey | NotSettled
  : InvalidKey

const markNames: NamesOf<MarkOptions> = { keepStale: true }

/**
 * A cache of `A` by `K`, whose upstream fails with `E`. Make one with {@link make}, or as a service
 * with {@link Service}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Larder<in out K, in out A, out E = never> {
  readonly [TypeId]: typeof TypeId
  /** The name in events, metrics, spans and shared tiers. */
  readonly name: string
  /** The schema of the keys, where the option `key` is one: see {@link KeyedLarder}. */
  readonly keySchema: KeySchema<K> | undefined
  /** Returns the value of a key: from the nearest tier that has it, else from upstream. */
  readonly get: (key: K, options?: GetOptions) => Effect.Effect<A, E | LarderError>
  /**
   * Returns many values, each with its own `Exit`, in the order in which the keys were first seen.
   * It takes one trip to each tier, and one bulk lookup if upstream has one. Keys that are not in
   * memory go in slices of 250, eight slices at once; each slice has its own trips, its own bulk
   * lookup, and the timeouts of a `get`.
   */
  readonly getMany: <K2 extends K>(
    keys: Iterable<K2>,
  ) => Effect.Effect<Map<K2, Exit.Exit<A, E | LarderError | KeyNotReturned>>>
  /** {@link Larder.get}, with the entry of the answer, the tier that had it, and its freshness. */
  readonly getWithMeta: (
    key: K,
    options?: GetOptions,
  ) => Effect.Effect<WithMeta<A>, E | LarderError>
  /**
   * Returns the entry that the tiers have, stale or fresh. Never asks upstream, and changes nothing.
   */
  readonly read: (key: K) => Effect.Effect<Reading<A>, InvalidKey>
  /**
   * Stores a value in every tier, with the policy's times. With `revision`, a value of a lower
   * revision than one that is still in its life is refused, and the `Ack` says so; `force` sets it
   * all the same. Such a `set` takes two trips to the arbiter; one without `revision` takes one. An
   * option function that fails on the value is a defect, `OptionFailed`, and nothing changes.
   */
  readonly set: (key: K, value: A, options?: SetOptions) => Effect.Effect<Ack, InvalidKey>
  /** Ends freshness now. The value may still be served when upstream fails. */
  readonly expire: (key: K) => Effect.Effect<Ack, InvalidKey>
  /** Removes the value from every tier. */
  readonly remove: (key: K) => Effect.Effect<Ack, InvalidKey>
  /**
   * Wraps an effect that changes the source: afterwards the keys are removed and the tags marked, in the
   * context of the caller and, in a transaction, once it has committed (see `AfterCommit`). Where the effect
   * fails, dies or is interrupted, nobody knows whether the source has changed, and the keys are expired.
   * An invalid key fails before the effect runs. A target is one key, or `{ keys, tags }`.
   */
  readonly around: <const Q extends "sent" | "settled" = "sent">(
    target: K | Target<K>,
    options?: AroundOptions<Q>,
  ) => <B, E2, R>(effect: Effect.Effect<B, E2, R>) => Effect.Effect<B, E2 | AroundError<Q>, R>
  /**
   * Wraps an effect that changes the source and returns the value *as the source has it now*, which is
   * then stored, unless another change of the key came in between: then the key is removed. Readers with
   * nothing to serve wait for it as for another node's lookup. It runs in the context of the caller; in a
   * transaction the value is stored once it has committed. A function instead of an effect gets the
   * `version` of the write. Do not `get` the key inside: with nothing in memory, that waits for this write.
   */
  readonly through: (
    key: K,
    options?: ThroughOptions,
  ) => <E2, R>(writing: Writing<A, E2, R>) => Effect.Effect<A, E2 | InvalidKey, R>
  /**
   * Reads, changes and writes one value, all or nothing: what the arbiter has is what the function sees,
   * and its result is stored only if nothing came in between; else the function runs again. It sees
   * `None` where no fresh value is stored, and returns `None` to leave things as they are. What it writes
   * to the source must be idempotent or carry the `version`. Returns the value that is stored then. Fails
   * with `Contended` after `attempts` lost turns, and with `NotSettled` where the arbiter does not answer.
   * Without an arbiter it holds within this node alone.
   */
  readonly update: <E2 = never, R = never>(
    key: K,
    compute: (
      current: Option.Option<A>,
      write: SourceWrite,
    ) => Effect.Effect<Option.Option<A>, E2, R>,
    options?: UpdateOptions<NoInfer<E2>>,
  ) => Effect.Effect<Option.Option<A>, E2 | InvalidKey | Contended | NotSettled, R>
  /** {@link Larder.update} that never creates: sets the value where a fresh one is stored; returns whether it did. */
  readonly setIfPresent: (
    key: K,
    value: A,
  ) => Effect.Effect<boolean, InvalidKey | Contended | NotSettled>
  /** Looks the value up now and stores it, whatever the tiers have and whatever lookup runs. */
  readonly refresh: (key: K) => Effect.Effect<A, E | LarderError>
  /** Invalidates every value with one of these tags, in one step however many there are. A string is one tag. */
  readonly invalidateTags: (
    tags: string | Iterable<string>,
    options?: MarkOptions,
  ) => Effect.Effect<Ack>
  /**
   * Invalidates every value of this larder, in one step. Other larders on the same tiers keep
   * theirs.
   */
  readonly clear: (options?: MarkOptions) => Effect.Effect<Ack>
  /**
   * Invalidates, in every tier and one by one, each key that is in this node's memory and whose
   * entry the predicate accepts: with `keepStale` (the default) as {@link Larder.expire} does, else
   * as {@link Larder.remove}. Keys that are not in memory stay; to invalidate values that belong
   * together wherever they are, use tags. A predicate that throws is a defect of this effect, and
   * invalidates nothing.
   */
  readonly invalidateWhen: (
    predicate: (one: InMemory<K, A>) => boolean,
    options?: MarkOptions,
  ) => Effect.Effect<Invalidated>
  /**
   * Removes every key that begins with the prefix, in every tier, one by one as `remove` does: keys that a
   * tier has when this begins, with a value or a lookup under way, and those of this node. The keys are
   * strings as `key` returns or encodes them. It lists the keys of each tier, so it takes time that grows with
   * the tier: tags, such as `Larder.prefixTags` sets, cover as many keys in one write. Fails with
   * `KeysNotListed` where a tier cannot list keys, or fails to.
   */
  readonly removeWhere: (options: RemoveWhereOptions) => Effect.Effect<Invalidated, KeysNotListed>
  /**
   * Whether this node's memory has a value that a caller may get, fresh or stale. Counts as no
   * read. Over a shared tier, memory has a value just looked up once that tier has stored it.
   */
  readonly has: (key: K) => Effect.Effect<boolean, InvalidKey>
  /** The keys of {@link Larder.entries}. */
  readonly keys: Effect.Effect<ReadonlyArray<K>>
  /**
   * The entries of this node's memory that a caller may get, fresh or stale, in any order; each key
   * is the one that was asked for or set. Reads no other tier, counts as no read, and takes time in
   * proportion to the number of entries.
   */
  readonly entries: Effect.Effect<ReadonlyArray<InMemory<K, A>>>
  /**
   * Sets other bounds for this larder's memory; a bound that is left out stays. Ends when memory is
   * within the bounds: surplus entries are evicted in slices, so that other callers do not wait.
   * Fails with `InvalidOptions` for an invalid bound, and for a stack without a memory tier.
   */
  readonly resizeMemory: (bounds: MemoryBounds) => Effect.Effect<void, InvalidOptions>
  /**
   * The events from when the stream is run until the larder closes. The first one is `Opened`, with
   * the tiers and the backplane of the larder.
   */
  readonly events: Stream.Stream<LarderEvent>
  /**
   * Subscribes to the events from when this effect ends. `Opened` is the first one. A take finds every event so far; a waiting
   * take resumes after the turn of the fiber that caused the event.
   */
  readonly subscribe: Effect.Effect<PubSub.Subscription<LarderEvent>, never, Scope.Scope>
  /**
   * {@link Larder.subscribe} with a choice of the hits, which are most events: all, a sample of them, or
   * none. A subscriber that takes no hits costs hits nothing.
   */
  readonly subscribeTo: (
    options: SubscribeOptions,
  ) => Effect.Effect<PubSub.Subscription<LarderEvent>, never, Scope.Scope>
  /** The counters since the larder was made, and its size now. */
  readonly stats: Effect.Effect<Stats>
}

/**
 * A larder whose option `key` is a schema. The schema encodes a key as the string under which tiers store
 * it, and decodes it from there: for what carries keys out of the program and brings them back, such as
 * messages, queues and snapshots.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * class Sku extends Schema.Class<Sku>("Sku")({ shop: Schema.String, number: Schema.Finite }) {}
 *
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     key: Schema.fromJsonString(Sku),
 *     upstream: Upstream.make({ lookup: (sku: Sku) => Effect.succeed(sku.number * 100) }),
 *     policy: Policy.make({ freshFor: "1 minute" })
 *   })
 *   const Task = Schema.fromJsonString(Schema.Struct({ refresh: prices.keySchema }))
 *   const message = Schema.encodeSync(Task)({ refresh: new Sku({ shop: "north", number: 3 }) })
 *   // Wherever the message comes back:
 *   const { refresh } = yield* Schema.decodeEffect(Task)(message)
 *   return yield* prices.refresh(refresh)
 * })
 * const price = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.strictEqual(price, 300)
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyedLarder<in out K, in out A, out E = never> extends Larder<K, A, E> {
  /** The schema that was given as `key`. */
  readonly keySchema: KeySchema<K>
}

/**
 * A function of a typed failure. It is bivariant, so that a function for the upstream's own errors
 * alone fits.
 *
 * @category models
 * @since 0.1.0
 */
export type OfFailure<E, K, A> = {
  of(error: NoInfer<E> | KeyNotReturned, key: NoInfer<K>): A
}["of"]

/**
 * The options of every larder, whatever its keys and whether or not it has a schema.
 *
 * @category options
 * @since 0.1.0
 */
export interface BaseOptions<A, K, E, R> {
  /**
   * Appears in events, metrics, spans, and in the keys of shared tiers: larders of one name share
   * entries there. A name of white space alone is refused. A second larder of one name on one
   * `TierStack` that stores bytes logs a warning.
   */
  readonly name: string
  /** The source of the values: the lookups, with their guards. */
  readonly upstream: Upstream.Upstream<K, A, E, R>
  /** How long values are fresh, how long stale values may be served, and the timeouts. */
  readonly policy: Policy.Policy | Policy.AdaptivePolicy<A, NoInfer<K>>
  /** Tags of a value, by which `invalidateTags` finds it. */
  readonly tags?: ((value: A, key: NoInfer<K>) => ReadonlyArray<string>) | undefined
  /** The validator that came with a value; a later lookup sees it as `previous.etag`. */
  readonly etag?: ((value: A, key: NoInfer<K>) => string | undefined) | undefined
  /**
   * How long the larder returns a typed failure of upstream again without asking (negative
   * caching). `KeyNotReturned` is the failure of a key that the bulk lookup left out: `getMany`
   * returns it again, `get` asks. Default: not at all.
   */
  readonly failureFor?: OfFailure<E, K, Duration.Input> | undefined
  /**
   * Whether callers may get a stale value in place of a typed failure. Return `false` for errors
   * that callers must see, such as 403 or 404: until `retryAfterFailure` has passed they get the
   * error, and no refresh runs in the background. Defects, timeouts, `Shed` and an open breaker
   * always allow grace, and so does a value that is still fresh. Default: always.
   */
  readonly graceFor?: OfFailure<E, K, boolean> | undefined
  /**
   * The source's own version of a value. A lookup that brings a lower version than the known one
   * read a lagging replica: the larder does not store its value, and callers get the known value
   * while that may be served. The larder refuses a `set` of a lower version without `force`.
   */
  readonly revision?: ((value: A) => number | bigint | string) | undefined
  /**
   * The version of the encoded values: entries that another release wrote under another number are
   * not read. An integer of at least 0. Default 0.
   */
  readonly schemaVersion?: number | undefined
  /** The longest that closing the larder may take. Default 5 seconds. */
  readonly closeTimeout?: Duration.Input | undefined
  /**
   * How long after a change replicas of the source may still return the value from before it. What a
   * lookup brings that begins within that time after a change of its key, by this node or another, is
   * fresh at most until that time is over; callers get it at once. `through` and `revision` need no
   * `replicaLag`. At most twice the arbiter's `settleTime` counts for changes that this node did not hear
   * of. Default 0.
   */
  readonly replicaLag?: Duration.Input | undefined
  /**
   * A freshness objective: this share of the answers is younger than this age. The larder counts the
   * answers within it in `larder_answers_within_objective_total` and in `stats`; it does not change how
   * values are served. Default: none.
   */
  readonly objective?: ObjectiveOptions | undefined
  /**
   * How many callers one lookup may answer without a `StampedeDetected`: an integer of at least 1, or
   * `Infinity`. Default 10.
   */
  readonly stampedeCallers?: number | undefined
  /**
   * Runs for each `StampedeDetected`, and may ask for a refresh or for longer grace: see
   * `StampedeRequest`. It runs in a fiber of the larder: no caller waits for it, its failure is logged,
   * and closing the larder interrupts it. It does not run for a key for which it is running, nor for
   * more than 16 keys at once. Default: none.
   */
  readonly onStampede?: OnStampede<NoInfer<K>> | undefined
  /**
   * Compares some fresh hits with upstream, in the background, after their callers have the answer: see
   * `AuditOptions`, and the event `Audited`. Never through a circuit that is not closed, and only with a
   * free background permit of `Upstream.withConcurrency`. Where the value differs, the key is looked up
   * again. Default: none.
   */
  readonly audit?: AuditOptions<A> | undefined
}

/**
 * {@link BaseOptions} with a schema of the values, which every tier that stores bytes needs.
 *
 * @category options
 * @since 0.1.0
 */
export interface SchemaOptions<S extends Schema.Constraint, K, E, R> extends BaseOptions<
  S["Type"],
  K,
  E,
  R
> {
  /** The schema of the values. Its JSON codec encodes them for tiers that store bytes. */
  readonly value: S
}

interface OwnKey<K> {
  /** The key as a string; equal strings are one key. */
  readonly key: (key: NoInfer<K>) => string
}

interface SimpleKey<K> {
  /** The key as a string; by default strings and numbers as they are. */
  readonly key?: ((key: NoInfer<K>) => string) | undefined
}

interface SchemaKey<K> {
  /**
   * The schema of the keys; keys that are encoded as equal strings are one key. Every call encodes its key.
   * A key that the schema does not encode is `InvalidKey`.
   */
  readonly key: KeySchema<K>
}

interface NoSchema {
  readonly value?: undefined
}

type SchemaServices<S extends Schema.Constraint> = S["DecodingServices"] | S["EncodingServices"]

/** `follows`: the larder is the inside of a follower. */
const makeAny = (
  options: AnyOptions,
  made: namesakes.Made = namesakes.here(),
  follows?: Following,
): Effect.Effect<Larder<unknown, unknown, unknown>, never, TierStack | Scope.Scope> =>
  Effect.gen(function* () {
    checkOptions(options)
    const { tiers } = yield* TierStack
    // A follower is meant to share the entries of its namesake.
    if (follows === undefined) yield* namesakes.register(tiers, nameOf(options), made)
    const scope = yield* Effect.scope
    const origin = yield* Effect.context<Scope.Scope>()
    const context = Context.omit(Scope.Scope, Tracer.ParentSpan)(origin)
    const clock = yield* Effect.clockWith(Effect.succeed)
    const steady = steadyOf(clock)
    const random = yield* Random.Random
    const backplane = yield* Backplane.Backplane
    const soon = Soon.make(context)
    const turns = new Turns(soon, clock)
    const told = new Warnings(options.name, steady, context)
    const instrument = checkedInstrument(yield* Instrument, told)
    const observer = new Observer(
      options.name,
      clock,
      soon,
      instrument,
      tiers.map((tier) => tier.name),
      objectiveOf(options)?.youngerThan,
      showKeyBy(yield* KeyDisplay),
    )
    const needsCodec = tiers.length > 1 || tiers[0].kind === "bytes"
    const codec = codecOf(options, needsCodec)
    const resolved = yield* options.upstream.resolve as Effect.Effect<
      Upstream.Resolved<unknown, unknown, unknown>,
      never,
      Scope.Scope
    >
    const upstream = ensureNoted(resolved)
    const settings = settingsOf(options, upstream, follows !== undefined)
    const marks = new Marks()
    const opened = yield* stack.open(tiers, {
      larder: options.name,
      codec: codec as never,
      context,
      schemaVersion: schemaVersionOf(options),
      tierTimeout: settings.policy.tierTimeout,
      clock: steady,
      observer,
      marks,
      turns,
      hasBackplane: backplane !== Backplane.none,
      maxFreshFor: follows?.maxFreshFor,
    })
    checkBreakers(options.name, upstream, opened.farther)
    const engine = new Engine(
      settings,
      { context, origin, clock: steady, random, soon, turns, backplane },
      opened,
      observer,
      marks,
    )
    // What tiers kept from before may have been marked since; where no arbiter knows, nobody does.
    if (engine.versions.outlives && tiers.some((tier) => tier.scope !== "process")) {
      marks.beginAt(engine.versions.asOf())
    }
    for (const breaker of upstream.breakers) {
      const times = observer.circuits.add(breaker.name)
      yield* watchBreaker(breaker.transitions, observer, () => times)
      watchSharedState(engine, breaker, times)
    }
    const registered = yield* metrics.observeMetrics(engine)
    metrics.observeCircuits(engine, registered)
    metrics.observeBounds(engine, registered)
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        openLarders.open({
          observer,
          tiers: tierNames(engine),
          madeAt: engine.stopwatch(),
          addSeries: registered.add,
        }),
      ),
      (end) => Effect.sync(end),
    )
    memoryAlone.tell(engine)
    tellOpened(engine)
    const { audit, onStampede } = settings
    if (audit !== undefined) observer.watchHits(new Audits(engine, audit).hit)
    if (onStampede !== undefined) {
      engine.stampedes.onDetected = new StampedeHook(engine, onStampede).detected
    }
    if (opened.hasMemory) engine.entries.onKeep = new Sweeps(engine).kept
    yield* Effect.provideContext(listen(engine), Context.add(context, Scope.Scope, scope))
    // Last in, so first out: the larder closes before anything it works with.
    yield* Scope.addFinalizer(scope, Effect.provideContext(close(engine), context))
    const { keyOf } = settings
    const larder = larderOf(engine)
    const given = instrument.wrap?.(larder, { tiers, keyOf }) ?? larder
    reportBy(given, (told) => observer.tell(told))
    return setParts(given, { observer, keyOf })
  })

const withMeta =
  (engine: Engine) =>
  ({ entry, freshness, tier }: Candidate): Exit.Exit<WithMeta<unknown>> =>
    Exit.succeed({
      value: entry.value,
      freshness,
      tier,
      age: Math.max(0, engine.now() - entry.storedAt),
      entry: shown(engine, entry, freshness),
    })

const larderOf = (engine: Engine): Larder<unknown, unknown, unknown> => {
  const { name } = engine.settings
  const meta = withMeta(engine)
  const mustBeKeys = "get an iterable of keys, such as an array; `get` takes one key"
  const mustCompute = "get a function of the current value, which returns an Effect of an Option"
  const mustBeTags = "get a tag, or an iterable of tags such as an array"
  const asked = (
    key: unknown,
    options: GetOptions | undefined,
    how: (call: Question) => Effect.Effect<unknown, unknown>,
    reply: Question["reply"],
  ) =>
    Effect.withFiber((fiber) => {
      const k = engine.settings.keyOf(key)
      return how(question(engine, key, k, options, engine.now(), fiber, reply))
    })
  // Memory answers at once.
  const waits = engine.stack.farther.length === 0 ? identity : engine.callers.during
  const checked = <A, E = never, R = never>(
    key: unknown,
    how: (k: string) => Effect.Effect<A, E, R>,
  ) =>
    Effect.suspend((): Effect.Effect<A, E | InvalidKey, R> => {
      const k = engine.settings.keyOf(key)
      const refused = refusal(engine, key, k)
      return refused === undefined && k !== undefined
        ? waits(how(k))
        : (refused as Exit.Exit<never, InvalidKey>)
    })
  const targeted = (target: unknown) =>
    Effect.suspend(() => {
      const { hasKeyFunction } = engine.settings
      const { keys, tags } = checks.partsOf(name, target, hasKeyFunction)
      const one = (key: unknown) => checked(key, (k) => Effect.succeed([k, key] as const))
      return Effect.map(Effect.forEach(keys, one), (all) => ({ keys: all, tags }))
    })
  const open = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => (engine.closed ? closed(engine) : waits(effect)))
  const keepsStale = (options: MarkOptions = {}): boolean => {
    checkNames(name, options, markNames)
    return flagOf(name, "keepStale", options.keepStale, true)
  }
  return {
    [TypeId]: TypeId,
    name,
    keySchema: engine.settings.keySchema,
    get: (key, options) => getOne(engine, key, options),
    getMany: ((keys: Iterable<unknown>) =>
      Effect.withFiber((fiber) =>
        typeof keys !== "string" && isIterable(keys)
          ? getMany(engine, keys, fiber.cache.span)
          : Exit.die(invalidOption(name, "getMany", mustBeKeys, keys)),
      )) as Larder<unknown, unknown, unknown>["getMany"],
    getWithMeta: (key, options) =>
      asked(key, options, (call) => ask(engine, call), meta) as Effect.Effect<
        WithMeta<unknown>,
        unknown
      >,
    read: (key) => checked(key, (k) => read(engine, key, k)),
    set: (key, value, options) =>
      checked(key, (k) => changed(engine, "set", k, set(engine, key, k, value, options))),
    expire: (key) => checked(key, (k) => expire(engine, key, k)),
    remove: (key) => checked(key, (k) => remove(engine, key, k)),
    around: (target, options) => (effect) =>
      open(
        Effect.suspend(() => {
          const checked = checks.aroundOptions(name, options)
          checks.mustBeEffect(name, "around", effect)
          return Effect.flatMap(targeted(target), (all) => around(engine, all, checked, effect))
        }),
        // Without `require` the effect never fails with `NotSettled`.
      ) as Effect.Effect<never, never>,
    through: (key, options) => (writing) =>
      checked(key, (k) => {
        const untouched = checks.throughOptions(name, options)
        checks.mustBeWriting(name, writing)
        return through(engine, key, k, writing, untouched)
      }),
    update: (key, compute, options) =>
      checked(key, (k) => {
        const chosen = checks.updateOptions(name, options as UpdateOptions)
        checks.mustBeFunction(name, "update", mustCompute, compute)
        return update(engine, { key, k, compute, ...chosen })
      }),
    setIfPresent: (key, value) =>
      checked(key, (k) => {
        const compute = (current: Option.Option<unknown>) =>
          Effect.succeed(Option.map(current, () => value))
        const present = update(engine, { key, k, compute, ...checks.updateOptions(name) })
        return Effect.map(present, Option.isSome)
      }),
    refresh: (key) => asked(key, { stale: "never" }, (call) => refresh(engine, call), exitOf),
    invalidateTags: (tags, options) =>
      open(
        Effect.suspend(() => {
          // A Set of null would have no tags, and nothing would be invalidated.
          if (!isIterable(tags)) throw invalidOption(name, "invalidateTags", mustBeTags, tags)
          const all = wellFormed(new Set(typeof tags === "string" ? [tags] : tags))
          const marked = mark(engine, all, keepsStale(options))
          return tellChanged(engine, { operation: "tags", tags: all }, marked)
        }),
      ),
    clear: (options) =>
      open(
        Effect.suspend(() =>
          tellChanged(
            engine,
            { operation: "clear" },
            mark(engine, [undefined], keepsStale(options)),
          ),
        ),
      ),
    invalidateWhen: (predicate, options) =>
      open(Effect.suspend(() => invalidateWhen(engine, predicate, keepsStale(options)))),
    removeWhere: (options) =>
      open(Effect.suspend(() => removeWhere(engine, prefixOf(engine, options)))),
    has: (key) => checked(key, (k) => Effect.sync(() => has(engine, k))),
    keys: open(Effect.sync(() => snapshot(engine).map(({ key }) => key))),
    entries: open(Effect.sync(() => snapshot(engine))),
    resizeMemory: (bounds) => open(resize(engine, bounds)),
    events: engine.observer.events,
    subscribe: engine.observer.subscribe,
    subscribeTo: (options) =>
      Effect.suspend(() => engine.observer.subscribeTo(hitsOf(name, options))),
    stats: Effect.suspend(() => statsOf(engine)),
  }
}

type Needs = TierStack | Scope.Scope

// The compiler prints the names of these types in its errors.
type MakeOptions<U, V, P> = { readonly name: string } & Explained<U, V, P, OfFailures<U>>
type ServiceOptions<U, V, P> = { readonly name?: string | undefined } & Explained<
  U,
  V,
  P,
  OfFailures<U>
>
type OfFailures<U> = Pick<
  BaseOptions<never, KeyOf<U>, ErrorOf<U>, never>,
  "failureFor" | "graceFor"
>

/**
 * Makes a larder. It lives until the scope closes.
 *
 * **When to use**
 *
 * Use it within a scope of your own. Use {@link Service} for a larder that is
 * provided as a layer, and {@link fn} to cache a function.
 *
 * **Details**
 *
 * The larder and its lookups use the clock, the random generator and the services of
 * the place where the larder is made, never those of a caller; from a caller they
 * take the span. `key` can be left out if keys are strings or numbers, `value` if no
 * tier of the stack stores bytes. `key` is a function that returns a string, or a schema
 * that is encoded as one, which also gives keys back: see {@link KeyedLarder}.
 *
 * **Gotchas**
 *
 * Invalid options are a defect, `InvalidOptions`, which names them.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const lengths = yield* Larder.make({
 *     name: "lengths",
 *     value: Schema.Finite,
 *     upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
 *     policy: Policy.make({ freshFor: "1 minute", staleIfError: "1 hour" })
 *   })
 *   return yield* lengths.get("larder")
 * })
 *
 * const length = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.strictEqual(length, 6)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  <A, K, E = never, R = never>(
    options: BaseOptions<A, K, E, R> & OwnKey<K> & NoSchema,
  ): Effect.Effect<Larder<K, A, E>, never, Needs | R>
  <A, K extends string | number, E = never, R = never>(
    options: BaseOptions<A, K, E, R> & SimpleKey<K> & NoSchema,
  ): Effect.Effect<Larder<K, A, E>, never, Needs | R>
  <S extends Schema.Constraint, K, E = never, R = never>(
    options: SchemaOptions<S, K, E, R> & OwnKey<K>,
  ): Effect.Effect<Larder<K, S["Type"], E>, never, Needs | R | SchemaServices<S>>
  <S extends Schema.Constraint, K extends string | number, E = never, R = never>(
    options: SchemaOptions<S, K, E, R> & SimpleKey<K>,
  ): Effect.Effect<Larder<K, S["Type"], E>, never, Needs | R | SchemaServices<S>>
  <A, K, E = never, R = never>(
    options: BaseOptions<A, K, E, R> & SchemaKey<K> & NoSchema,
  ): Effect.Effect<KeyedLarder<K, A, E>, never, Needs | R>
  <S extends Schema.Constraint, K, E = never, R = never>(
    options: SchemaOptions<S, K, E, R> & SchemaKey<K>,
  ): Effect.Effect<KeyedLarder<K, S["Type"], E>, never, Needs | R | SchemaServices<S>>
  // Accepts no options. The compiler reports mistakes against the last overload.
  <U = Absent, V = Absent, P = Absent>(options: MakeOptions<U, V, P>): never
  // The types of the options have done their work: inside, values are unknown.
} = makeAny as never

/**
 * Reads the values that a larder of the same name, the owner, stores in the shared tier. There is nothing
 * to write with, and nothing to look up: a key that the tiers do not have is `None`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Follower<in K, out A> {
  /** The name of the owner. */
  readonly name: string
  /**
   * The value of a key, fresh, or stale within the times that the owner gave it; `None` where the tiers do
   * not have one, or do not answer. Ends within `tierBudget`, and does not wait for a lookup of the owner.
   */
  readonly get: (key: K, options?: GetOptions) => Effect.Effect<Option.Option<A>, InvalidKey>
  /** The values of those keys that {@link Follower.get} would have, in the order of the keys. */
  readonly getMany: <K2 extends K>(
    keys: Iterable<K2>,
  ) => Effect.Effect<ReadonlyMap<K2, A>, InvalidKey>
  /** The entry that the tiers have, with its times, stale or fresh. Changes nothing. */
  readonly read: (key: K) => Effect.Effect<Reading<A>, InvalidKey>
  /** As `events` of a larder. A key that is not there is `Failed`, with the reason `notReturned`. */
  readonly events: Stream.Stream<LarderEvent>
  /** The counters since the follower was made, and its size now. */
  readonly stats: Effect.Effect<Stats>
}

const followerAny = (
  options: FollowerOptions<Schema.Constraint>,
): Effect.Effect<Follower<unknown, unknown>, never, TierStack | Scope.Scope> =>
  Effect.suspend(() => {
    const { following, larder } = followingOf(options)
    const made = makeAny(larder, undefined, following)
    const checked = Effect.map(TierStack, ({ tiers }) => checkShared(options.name, tiers))
    return Effect.andThen(checked, Effect.map(made, followerOf))
  })

/** A key of the follower as a string, by the same function or schema as the owner's `key`. */
interface FollowedKey<K> {
  readonly key: ((key: K) => string) | KeySchema<K>
}

interface PlainKey {
  readonly key?: undefined
}

/**
 * Makes a follower: it reads what the larder of that name, the owner, stores in the shared tier, and lives
 * until the scope closes.
 *
 * **When to use**
 *
 * Use in a service that needs the values of another service's larder and has no access to their source, or
 * must not load it. Who has a follower can neither look up nor change.
 *
 * **Details**
 *
 * - Over the same `TierStack` as a larder: memory in front of the tier that both share. It hears the owner's
 *   changes, and after a gap in messages takes its memory for stale until the shared tier has confirmed it.
 * - `name`, `schemaVersion` and the encoding of `value` must be those of the owner, and `key` must give the
 *   same strings; without `key`, keys are strings or numbers.
 * - A key that no tier has is `None`, and so is one that the tiers do not return in time. Nothing remembers
 *   it, and no lease is taken: the next call reads the tiers again.
 * - Stale values are served for as long as the owner's policy said when it stored them. Within
 *   stale-while-revalidate at once, while the follower reads the shared tier; within stale-if-error where
 *   the shared tier has nothing newer.
 *
 * **Gotchas**
 *
 * A follower does not make the owner look anything up: a value that nobody reads at the owner ends.
 * Invalid options, and a stack without a tier behind memory, are the defect `InvalidOptions`.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect, Option, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * const owner = Larder.make({
 *   name: "prices",
 *   value: Schema.Finite,
 *   upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(100) }),
 *   policy: Policy.make({ freshFor: "1 hour" })
 * })
 * const follower = Larder.follower({ name: "prices", value: Schema.Finite })
 *
 * const program = Effect.gen(function* () {
 *   const read = yield* follower
 *   const before = yield* read.get("milk")
 *   const prices = yield* owner
 *   yield* prices.get("milk")
 *   return [before, yield* read.get("milk")]
 * })
 * // In an application, owner and follower are in processes of their own, over one Redis.
 * const stack = TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared)
 * const answers = await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(stack)))
 * assert.deepStrictEqual(answers, [Option.none(), Option.some(100)])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const follower: {
  <S extends Schema.Constraint, K>(
    options: FollowerOptions<S> & FollowedKey<K>,
  ): Effect.Effect<Follower<K, S["Type"]>, never, Needs | SchemaServices<S>>
  <S extends Schema.Constraint>(
    options: FollowerOptions<S> & PlainKey,
  ): Effect.Effect<Follower<string | number, S["Type"]>, never, Needs | SchemaServices<S>>
  // The types of the options have done their work: inside, values are unknown.
} = followerAny as never

/**
 * The class that {@link Follower} makes: a service key, its layer, and the follower's methods as static
 * accessors.
 *
 * @category services
 * @since 0.1.0
 */
export interface FollowerClass<Self, Id extends string, K, A, R> extends Context.ServiceClass<
  Self,
  Id,
  Follower<K, A>
> {
  /** The follower as a layer, over the `TierStack` that the application provides. */
  readonly layer: Layer.Layer<Self, never, TierStack | R>
  readonly get: (key: K, options?: GetOptions) => Effect.Effect<Option.Option<A>, InvalidKey, Self>
  readonly getMany: <K2 extends K>(
    keys: Iterable<K2>,
  ) => Effect.Effect<ReadonlyMap<K2, A>, InvalidKey, Self>
  readonly read: (key: K) => Effect.Effect<Reading<A>, InvalidKey, Self>
  readonly events: Stream.Stream<LarderEvent, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

const followerService =
  () =>
  (id: string, options: Named<FollowerOptions<Schema.Constraint>>): unknown => {
    type Any = Follower<unknown, unknown>
    const tag = Context.Service<unknown, Any>()(id)
    // Invalid options, such as `null`, must not throw where the class is defined.
    const layer = Layer.effect(tag, followerAny({ ...options, name: options?.name ?? id }))
    return Object.assign(tag, {
      layer,
      get: (key: unknown, how?: GetOptions) =>
        Effect.flatMap(tag, (follower: Any) => follower.get(key, how)),
      getMany: (keys: Iterable<unknown>) =>
        Effect.flatMap(tag, (follower: Any) => follower.getMany(keys)),
      read: (key: unknown) => Effect.flatMap(tag, (follower: Any) => follower.read(key)),
      events: Stream.unwrap(Effect.map(tag, (follower: Any) => follower.events)),
      stats: Effect.flatMap(tag, (follower: Any) => follower.stats),
    })
  }

/**
 * Makes a follower that is a service: extend the class that it returns, and provide its `layer`.
 *
 * **When to use**
 *
 * Use it for the followers of an application, as {@link Service} for its larders: what depends on it may
 * read the owner's values and nothing else.
 *
 * **Details**
 *
 * Takes the options of {@link follower}. The default of `name` is the id; give the owner's.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, TierStack } from "@larder/core"
 * import { Effect, Layer, Option, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * class Prices extends Larder.Follower<Prices>()("app/Prices", {
 *   name: "prices",
 *   value: Schema.Finite,
 *   maxFreshFor: "10 seconds"
 * }) {}
 *
 * const stack = TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared)
 * const answer = await Effect.runPromise(
 *   Effect.provide(Prices.get("milk"), Layer.provide(Prices.layer, stack))
 * )
 * assert.deepStrictEqual(answer, Option.none())
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const Follower: <Self>() => {
  <const Id extends string, S extends Schema.Constraint, K>(
    id: Id,
    options: Named<FollowerOptions<S>> & FollowedKey<K>,
  ): FollowerClass<Self, Id, K, S["Type"], Exclude<SchemaServices<S>, Scope.Scope>>
  <const Id extends string, S extends Schema.Constraint>(
    id: Id,
    options: Named<FollowerOptions<S>> & PlainKey,
  ): FollowerClass<Self, Id, string | number, S["Type"], Exclude<SchemaServices<S>, Scope.Scope>>
  // The types of the options have done their work: inside, values are unknown.
} = followerService as never

type KeyOption<K> = ((key: K) => string) | KeySchema<K>

/**
 * The options of a larder's service that need no other service: how it names keys and reads values.
 *
 * @category models
 * @since 0.1.0
 */
export interface PlainOptions<in out K, in A, out Key extends KeyOption<K> = (key: K) => string> {
  readonly name: string
  readonly key?: Key | undefined
  readonly tags?: ((value: A, key: K) => ReadonlyArray<string>) | undefined
  readonly etag?: ((value: A, key: K) => string | undefined) | undefined
  readonly revision?: ((value: A) => number | bigint | string) | undefined
}

/**
 * The class that {@link Service} makes: a service key, its layer, and the larder's methods as static
 * accessors.
 *
 * @category services
 * @since 0.1.0
 */
export interface ServiceClass<
  Self,
  Id extends string,
  K,
  A,
  E,
  R,
  LayerError = never,
  L extends Larder<K, A, E> = Larder<K, A, E>,
  Key extends KeyOption<K> = (key: K) => string,
> extends Context.ServiceClass<Self, Id, L> {
  /** The larder as a layer, over the `TierStack` that the application provides. */
  readonly layer: Layer.Layer<Self, LayerError, TierStack | R>
  /**
   * For a larder with the same keys and another upstream, such as `LarderTest.stub` of
   * `@larder/testing` makes; undefined where the options come from an effect.
   */
  readonly options: PlainOptions<K, A, Key> | undefined
  readonly get: (key: K, options?: GetOptions) => Effect.Effect<A, E | LarderError, Self>
  readonly getMany: <K2 extends K>(
    keys: Iterable<K2>,
  ) => Effect.Effect<Map<K2, Exit.Exit<A, E | LarderError | KeyNotReturned>>, never, Self>
  readonly getWithMeta: (
    key: K,
    options?: GetOptions,
  ) => Effect.Effect<WithMeta<A>, E | LarderError, Self>
  readonly read: (key: K) => Effect.Effect<Reading<A>, InvalidKey, Self>
  readonly set: (key: K, value: A, options?: SetOptions) => Effect.Effect<Ack, InvalidKey, Self>
  readonly expire: (key: K) => Effect.Effect<Ack, InvalidKey, Self>
  readonly remove: (key: K) => Effect.Effect<Ack, InvalidKey, Self>
  readonly around: <const Q extends "sent" | "settled" = "sent">(
    target: K | Target<K>,
    options?: AroundOptions<Q>,
  ) => <B, E2, R2>(
    effect: Effect.Effect<B, E2, R2>,
  ) => Effect.Effect<B, E2 | AroundError<Q>, R2 | Self>
  readonly through: (
    key: K,
    options?: ThroughOptions,
  ) => <E2, R2>(writing: Writing<A, E2, R2>) => Effect.Effect<A, E2 | InvalidKey, R2 | Self>
  readonly update: <E2 = never, R2 = never>(
    key: K,
    compute: (
      current: Option.Option<A>,
      write: SourceWrite,
    ) => Effect.Effect<Option.Option<A>, E2, R2>,
    options?: UpdateOptions<NoInfer<E2>>,
  ) => Effect.Effect<Option.Option<A>, E2 | InvalidKey | Contended | NotSettled, R2 | Self>
  readonly setIfPresent: (
    key: K,
    value: A,
  ) => Effect.Effect<boolean, InvalidKey | Contended | NotSettled, Self>
  readonly refresh: (key: K) => Effect.Effect<A, E | LarderError, Self>
  readonly invalidateTags: (
    tags: string | Iterable<string>,
    options?: MarkOptions,
  ) => Effect.Effect<Ack, never, Self>
  readonly clear: (options?: MarkOptions) => Effect.Effect<Ack, never, Self>
  readonly invalidateWhen: (
    predicate: (one: InMemory<K, A>) => boolean,
    options?: MarkOptions,
  ) => Effect.Effect<Invalidated, never, Self>
  readonly removeWhere: (
    options: RemoveWhereOptions,
  ) => Effect.Effect<Invalidated, KeysNotListed, Self>
  readonly has: (key: K) => Effect.Effect<boolean, InvalidKey, Self>
  readonly keys: Effect.Effect<ReadonlyArray<K>, never, Self>
  readonly entries: Effect.Effect<ReadonlyArray<InMemory<K, A>>, never, Self>
  readonly resizeMemory: (bounds: MemoryBounds) => Effect.Effect<void, InvalidOptions, Self>
  readonly events: Stream.Stream<LarderEvent, never, Self>
  readonly subscribe: Effect.Effect<PubSub.Subscription<LarderEvent>, never, Self | Scope.Scope>
  readonly subscribeTo: (
    options: SubscribeOptions,
  ) => Effect.Effect<PubSub.Subscription<LarderEvent>, never, Self | Scope.Scope>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * {@link ServiceClass} of a larder whose option `key` is a schema.
 *
 * @category services
 * @since 0.1.0
 */
export interface KeyedServiceClass<Self, Id extends string, K, A, E, R> extends ServiceClass<
  Self,
  Id,
  K,
  A,
  E,
  R,
  never,
  KeyedLarder<K, A, E>,
  KeySchema<K>
> {
  /** The schema that was given as `key`: for schemas of messages and queues. */
  readonly keySchema: KeySchema<K>
}

/** A service's larder may be named after the service. */
type Named<O extends { readonly name: string }> = Omit<O, "name"> & {
  readonly name?: string | undefined
}

const accessors = <Self>(tag: Context.Service<Self, Larder<unknown, unknown, unknown>>) => {
  type Any = Larder<unknown, unknown, unknown>
  const method =
    <
      const M extends
        | "get"
        | "getMany"
        | "getWithMeta"
        | "read"
        | "set"
        | "expire"
        | "remove"
        | "update"
        | "setIfPresent"
        | "refresh"
        | "invalidateTags"
        | "clear"
        | "invalidateWhen"
        | "removeWhere"
        | "has"
        | "resizeMemory"
        | "subscribeTo",
    >(
      name: M,
    ) =>
    (...args: ReadonlyArray<unknown>) =>
      Effect.flatMap(tag, (larder) =>
        (larder[name] as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>)(
          ...args,
        ),
      )
  const combinator =
    <const M extends "around" | "through">(name: M) =>
    (...args: ReadonlyArray<unknown>) =>
    (effect: unknown) =>
      Effect.flatMap(tag, (larder) =>
        (
          larder[name] as (
            ...args: ReadonlyArray<unknown>
          ) => (effect: unknown) => Effect.Effect<unknown, unknown>
        )(...args)(effect),
      )
  return {
    get: method("get"),
    getMany: method("getMany"),
    getWithMeta: method("getWithMeta"),
    read: method("read"),
    set: method("set"),
    expire: method("expire"),
    remove: method("remove"),
    around: combinator("around"),
    through: combinator("through"),
    update: method("update"),
    setIfPresent: method("setIfPresent"),
    refresh: method("refresh"),
    invalidateTags: method("invalidateTags"),
    clear: method("clear"),
    invalidateWhen: method("invalidateWhen"),
    removeWhere: method("removeWhere"),
    has: method("has"),
    keys: Effect.flatMap(tag, (larder: Any) => larder.keys),
    entries: Effect.flatMap(tag, (larder: Any) => larder.entries),
    resizeMemory: method("resizeMemory"),
    events: Stream.unwrap(Effect.map(tag, (larder: Any) => larder.events)),
    subscribe: Effect.flatMap(tag, (larder: Any) => larder.subscribe),
    subscribeTo: method("subscribeTo"),
    stats: Effect.flatMap(tag, (larder: Any) => larder.stats),
  }
}

const serviceOf =
  () =>
  (
    id: string,
    options: Named<AnyOptions> | Effect.Effect<Named<AnyOptions>, unknown, unknown>,
  ): unknown => {
    const tag = Context.Service<unknown, Larder<unknown, unknown, unknown>>()(id)
    const made = namesakes.here()
    // Invalid options, such as `null`, must not throw where the class is defined: the layer dies with
    // `InvalidOptions`.
    const named = (given: Named<AnyOptions> | null) =>
      makeAny({ ...(given as AnyOptions), name: given?.name ?? id }, made)
    const layer = Layer.effect(
      tag,
      Effect.isEffect(options) ? Effect.flatMap(options, named) : named(options),
    )
    const isPlain = !Effect.isEffect(options) && hasProperty(options, "upstream")
    const plain = isPlain ? { ...options, name: options.name ?? id } : undefined
    const keySchema = isKeySchema(plain?.key) ? plain.key : undefined
    return Object.assign(tag, { layer, options: plain, keySchema }, accessors(tag))
  }

/**
 * Makes a larder that is a service: extend the class that it returns, and provide its
 * `layer`.
 *
 * **When to use**
 *
 * Use for the caches of an application: `layer` needs a `TierStack`, so that the
 * application chooses its tiers per environment, where it composes its layers.
 *
 * **Details**
 *
 * Takes the options of {@link make}, or an effect that returns them: a policy from
 * `Config`, an upstream from another service. The layer has the errors and requirements
 * of that effect. The default of `name` is the id. The class has the methods of the
 * larder as static accessors.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect, Layer, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * class Lengths extends Larder.Service<Lengths>()("app/Lengths", {
 *   value: Schema.Finite,
 *   upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
 *   policy: Policy.make({ freshFor: "1 minute" })
 * }) {}
 *
 * const layer = Lengths.layer.pipe(Layer.provide(TierStack.layer(MemoryTier.layer())))
 * const length = await Effect.runPromise(Effect.provide(Lengths.get("larder"), layer))
 * assert.strictEqual(length, 6)
 * ```
 *
 * **Example** (A policy from Config)
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Config, ConfigProvider, Effect, Layer } from "effect"
 * import * as assert from "node:assert"
 *
 * class Lengths extends Larder.Service<Lengths>()(
 *   "app/Lengths",
 *   Effect.map(Config.Duration("FRESH_FOR"), (freshFor) => ({
 *     upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
 *     policy: Policy.make({ freshFor })
 *   }))
 * ) {}
 *
 * const environment = ConfigProvider.layer(ConfigProvider.fromEnv({ env: { FRESH_FOR: "1 minute" } }))
 * const layer = Lengths.layer.pipe(
 *   Layer.provide([TierStack.layer(MemoryTier.layer()), environment])
 * )
 * const length = await Effect.runPromise(Effect.provide(Lengths.get("larder"), layer))
 * assert.strictEqual(length, 6)
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const Service: <Self>() => {
  <const Id extends string, A, K, E = never, R = never, E2 = never, R2 = never>(
    id: Id,
    options: Effect.Effect<Named<BaseOptions<A, K, E, R>> & OwnKey<K> & NoSchema, E2, R2>,
  ): ServiceClass<Self, Id, K, A, E, Exclude<R | R2, Scope.Scope>, E2>
  <
    const Id extends string,
    A,
    K extends string | number,
    E = never,
    R = never,
    E2 = never,
    R2 = never,
  >(
    id: Id,
    options: Effect.Effect<Named<BaseOptions<A, K, E, R>> & SimpleKey<K> & NoSchema, E2, R2>,
  ): ServiceClass<Self, Id, K, A, E, Exclude<R | R2, Scope.Scope>, E2>
  <
    const Id extends string,
    S extends Schema.Constraint,
    K,
    E = never,
    R = never,
    E2 = never,
    R2 = never,
  >(
    id: Id,
    options: Effect.Effect<Named<SchemaOptions<S, K, E, R>> & OwnKey<K>, E2, R2>,
  ): ServiceClass<Self, Id, K, S["Type"], E, Exclude<R | R2 | SchemaServices<S>, Scope.Scope>, E2>
  <
    const Id extends string,
    S extends Schema.Constraint,
    K extends string | number,
    E = never,
    R = never,
    E2 = never,
    R2 = never,
  >(
    id: Id,
    options: Effect.Effect<Named<SchemaOptions<S, K, E, R>> & SimpleKey<K>, E2, R2>,
  ): ServiceClass<Self, Id, K, S["Type"], E, Exclude<R | R2 | SchemaServices<S>, Scope.Scope>, E2>
  <const Id extends string, A, K, E = never, R = never>(
    id: Id,
    options: Named<BaseOptions<A, K, E, R>> & OwnKey<K> & NoSchema,
  ): ServiceClass<Self, Id, K, A, E, Exclude<R, Scope.Scope>>
  <const Id extends string, A, K extends string | number, E = never, R = never>(
    id: Id,
    options: Named<BaseOptions<A, K, E, R>> & SimpleKey<K> & NoSchema,
  ): ServiceClass<Self, Id, K, A, E, Exclude<R, Scope.Scope>>
  <const Id extends string, S extends Schema.Constraint, K, E = never, R = never>(
    id: Id,
    options: Named<SchemaOptions<S, K, E, R>> & OwnKey<K>,
  ): ServiceClass<Self, Id, K, S["Type"], E, Exclude<R | SchemaServices<S>, Scope.Scope>>
  <
    const Id extends string,
    S extends Schema.Constraint,
    K extends string | number,
    E = never,
    R = never,
  >(
    id: Id,
    options: Named<SchemaOptions<S, K, E, R>> & SimpleKey<K>,
  ): ServiceClass<Self, Id, K, S["Type"], E, Exclude<R | SchemaServices<S>, Scope.Scope>>
  <const Id extends string, A, K, E = never, R = never, E2 = never, R2 = never>(
    id: Id,
    options: Effect.Effect<Named<BaseOptions<A, K, E, R>> & SchemaKey<K> & NoSchema, E2, R2>,
  ): ServiceClass<Self, Id, K, A, E, Exclude<R | R2, Scope.Scope>, E2, KeyedLarder<K, A, E>>
  <
    const Id extends string,
    S extends Schema.Constraint,
    K,
    E = never,
    R = never,
    E2 = never,
    R2 = never,
  >(
    id: Id,
    options: Effect.Effect<Named<SchemaOptions<S, K, E, R>> & SchemaKey<K>, E2, R2>,
  ): ServiceClass<
    Self,
    Id,
    K,
    S["Type"],
    E,
    Exclude<R | R2 | SchemaServices<S>, Scope.Scope>,
    E2,
    KeyedLarder<K, S["Type"], E>
  >
  <const Id extends string, A, K, E = never, R = never>(
    id: Id,
    options: Named<BaseOptions<A, K, E, R>> & SchemaKey<K> & NoSchema,
  ): KeyedServiceClass<Self, Id, K, A, E, Exclude<R, Scope.Scope>>
  <const Id extends string, S extends Schema.Constraint, K, E = never, R = never>(
    id: Id,
    options: Named<SchemaOptions<S, K, E, R>> & SchemaKey<K>,
  ): KeyedServiceClass<Self, Id, K, S["Type"], E, Exclude<R | SchemaServices<S>, Scope.Scope>>
  // These accept no options. The compiler reports mistakes against the last overload.
  (id: NoOptions): ServiceClass<Self, never, never, never, never, never>
  <const Id extends string, U = Absent, V = Absent, P = Absent, G = Absent>(
    id: Id,
    options: OrEffect<G, ServiceOptions<U, V, P>>,
  ): never
} = serviceOf as never

/**
 * Makes an option `tags` for keys that are built in levels: the tags of a value are all prefixes of its
 * key that end with the separator.
 *
 * **When to use**
 *
 * Use it to invalidate all keys under a prefix: `invalidateTags("shop:7:")` is one small write, however
 * many keys there are, on all nodes.
 *
 * **Details**
 *
 * The key `shop:7:prices:milk` has the tags `shop:`, `shop:7:` and `shop:7:prices:`. Throws
 * `InvalidOptions` for a separator that is no text or empty.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * let lookups = 0
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.sync(() => (lookups += 1)) }),
 *     policy: Policy.make({ freshFor: "1 hour" }),
 *     tags: Larder.prefixTags(":")
 *   })
 *   yield* prices.getMany(["shop:7:milk", "shop:7:tea", "shop:8:milk"])
 *   yield* prices.invalidateTags("shop:7:")
 *   yield* prices.getMany(["shop:7:milk", "shop:7:tea", "shop:8:milk"])
 * })
 * await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.strictEqual(lookups, 5)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const prefixTags = (
  separator: string,
): ((value: unknown, key: string) => ReadonlyArray<string>) => {
  if (typeof separator !== "string" || separator === "") {
    const must = 'be a non-empty text, such as ":"'
    throw InvalidOptions.of({ module: "Larder", field: "prefixTags", must, got: separator })
  }
  return (_, key) => prefixesOf(key, separator)
}

const prefixesOf = (key: string, separator: string): ReadonlyArray<string> => {
  const prefixes: Array<string> = []
  let at = key.indexOf(separator)
  while (at >= 0) {
    const end = at + separator.length
    prefixes.push(key.slice(0, end))
    at = key.indexOf(separator, end)
  }
  return prefixes
}

/** The options of {@link fn} that are functions of the arguments. */
interface FnFunctions<Args extends ReadonlyArray<unknown>, A, E> {
  readonly policy: Policy.Policy | Policy.AdaptivePolicy<A, Args>
  /** The arguments as a string. Can be left out where there is one argument, a string or a number. */
  readonly key?: ((...args: Args) => string) | undefined
  readonly tags?: ((value: A, args: Args) => ReadonlyArray<string>) | undefined
  readonly etag?: ((value: A, args: Args) => string | undefined) | undefined
  readonly failureFor?: ((error: E, args: Args) => Duration.Input) | undefined
  readonly graceFor?: ((error: E, args: Args) => boolean) | undefined
  readonly onStampede?: OnStampede<Args> | undefined
}

type OwnOptions<A, E> = Omit<
  BaseOptions<A, never, E, never>,
  "upstream" | keyof FnFunctions<[], A, E>
>

/**
 * Options of {@link fn}: those of a larder without its upstream, which is the function.
 *
 * @category options
 * @since 0.1.0
 */
export interface FnOptions<Args extends ReadonlyArray<unknown>, S extends Schema.Constraint, E>
  extends OwnOptions<S["Type"], E>, FnFunctions<Args, S["Type"], E> {
  /** The schema of the results. Its JSON codec encodes them for tiers that store bytes. */
  readonly value: S
}

/**
 * {@link FnOptions} without a schema, for stacks in which no tier stores bytes.
 *
 * @category options
 * @since 0.1.0
 */
export interface FnOptionsInMemory<Args extends ReadonlyArray<unknown>, A, E>
  extends OwnOptions<A, E>, FnFunctions<Args, A, E>, NoSchema {}

type FnMakeOptions<V, P, A, Args extends ReadonlyArray<unknown>, E> = {
  readonly name: string
} & ExplainedFn<V, P, A, Args, Pick<FnFunctions<Args, A, E>, "failureFor" | "graceFor">>

interface FnKey<Args extends ReadonlyArray<unknown>> {
  readonly key: (...args: Args) => string
}

type AnyFnOptions = Omit<AnyOptions, "key" | "upstream"> & {
  readonly key?: ((...args: ReadonlyArray<unknown>) => string) | undefined
}

const cachedFn = (given: AnyFnOptions) => {
  const made = namesakes.here()
  return (f: (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown, unknown>) => {
    // Options that are not an object become `{}`: `makeAny` rejects them for the missing name.
    const { key, ...options } = { ...given }
    if (typeof f !== "function") {
      return Exit.die(invalidOption(options.name, "fn", "get a function that returns an Effect", f))
    }
    // A schema of keys would have to be one of lists of arguments.
    if (key !== undefined && (typeof key !== "function" || Schema.isSchema(key))) {
      return Exit.die(invalidOption(options.name, "key", "be a function, or be left out", key))
    }
    const keyOf = key ?? onlyArgument
    const argumentsOf = (asked: unknown) => asked as ReadonlyArray<unknown>
    const larder = makeAny(
      {
        ...options,
        key: (asked) => keyOf(...argumentsOf(asked)),
        upstream: Upstream.make({ lookup: (asked: unknown) => f(...argumentsOf(asked)) }),
      },
      made,
    )
    return Effect.map(larder, (larder) =>
      Object.assign((...args: ReadonlyArray<unknown>) => larder.get(args), { larder }),
    )
  }
}

/** `undefined`, which is no key, unless there is one argument that can be one. */
const onlyArgument = (...args: ReadonlyArray<unknown>): string =>
  (args.length === 1 ? keys.ofPrimitive(args[0]) : undefined) as string

/**
 * A cached function, and the larder behind it, whose keys are the lists of arguments.
 *
 * @category models
 * @since 0.1.0
 */
export interface CachedFn<Args extends ReadonlyArray<unknown>, A, E> {
  (...args: Args): Effect.Effect<A, E | LarderError>
  /** The larder, to invalidate or inspect what the function returned. */
  readonly larder: Larder<Args, A, E>
}

/**
 * Makes a cached function of an effectful one: the same arguments, the same result.
 *
 * **When to use**
 *
 * Use to put a cache in front of an existing function without a change of its callers.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack } from "@larder/core"
 * import { Effect, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * let calls = 0
 * const price = (id: string, currency: string) =>
 *   Effect.sync(() => `${++calls} ${currency} for ${id}`)
 *
 * const program = Effect.gen(function* () {
 *   const cached = yield* Larder.fn({
 *     name: "price",
 *     value: Schema.String,
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *     key: (id: string, currency: string) => `${id}/${currency}`
 *   })(price)
 *   yield* cached("milk", "EUR")
 *   return yield* cached("milk", "EUR")
 * })
 *
 * const answer = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.strictEqual(answer, "1 EUR for milk")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fn: {
  <A, Args extends ReadonlyArray<unknown>, E>(
    options: FnOptionsInMemory<Args, A, E> & FnKey<Args>,
  ): <Args2 extends Args, A2 extends A, E2 extends E, R = never>(
    f: (...args: Args2) => Effect.Effect<A2, E2, R>,
  ) => Effect.Effect<CachedFn<Args2, A2, E2>, never, Needs | R>
  <S extends Schema.Constraint, Args extends ReadonlyArray<unknown>, E>(
    options: FnOptions<Args, S, E> & FnKey<Args>,
  ): <Args2 extends Args, E2 extends E, R = never>(
    f: (...args: Args2) => Effect.Effect<S["Type"], E2, R>,
  ) => Effect.Effect<CachedFn<Args2, S["Type"], E2>, never, Needs | SchemaServices<S> | R>
  <A, Args extends ReadonlyArray<unknown>, E, F = undefined>(
    options: FnOptionsInMemory<Args, A, E> & { readonly key?: F },
  ): <Args2 extends Args, A2 extends A, E2 extends E, R = never, Key extends KeyArguments = OneKey>(
    f: ((...args: Args2) => Effect.Effect<A2, E2, R>) & KeyedBy<F, Key>,
  ) => Effect.Effect<CachedFn<Args2, A2, E2>, never, Needs | R>
  <S extends Schema.Constraint, Args extends ReadonlyArray<unknown>, E, F = undefined>(
    options: FnOptions<Args, S, E> & { readonly key?: F },
  ): <Args2 extends Args, E2 extends E, R = never, Key extends KeyArguments = OneKey>(
    f: ((...args: Args2) => Effect.Effect<S["Type"], E2, R>) & KeyedBy<F, Key>,
  ) => Effect.Effect<CachedFn<Args2, S["Type"], E2>, never, Needs | SchemaServices<S> | R>
  // Accepts no options. The compiler reports mistakes against the last overload.
  <A, Args extends ReadonlyArray<unknown>, E, V = Absent, P = Absent>(
    options: FnMakeOptions<V, P, A, Args, E>,
  ): never
  // The types of the options have done their work: inside, values are unknown.
} = cachedFn as never
