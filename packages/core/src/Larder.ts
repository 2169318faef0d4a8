/**
 * A named, typed cache for one kind of value. It looks a missing value up once
 * however many ask for it, gives stale values when that is better than waiting
 * or failing, and keeps them in the tiers of the `TierStack` it is made with.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as PubSub from "effect/PubSub"
import * as Random from "effect/Random"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { Entry } from "./Entry.ts"
import type { Freshness } from "./Freshness.ts"
import { type Question, closed, refusal } from "./internal/read/question.ts"
import { refresh } from "./internal/read/refresh.ts"
import { ask } from "./internal/read/getOne.ts"
import { expire, remove } from "./internal/write/removeExpire.ts"
import { type SetOptions, set } from "./internal/write/set.ts"
import { type Invalidated, invalidateWhen, mark } from "./internal/write/invalidate.ts"
import type { Ack } from "./internal/write/ack.ts"
import { close } from "./internal/lifecycle/close.ts"
import { Engine } from "./internal/state/engine.ts"
import { watchBreaker } from "./internal/tier/openTier.ts"
import type { Candidate } from "./internal/state/flight.ts"
import * as keys from "./internal/state/key.ts"
import { exitOf, get as getOne, type GetOptions, question } from "./internal/read/get.ts"
import { getMany } from "./internal/read/getMany.ts"
import { Marks } from "./internal/invalidation/marks.ts"
import * as memoryAlone from "./internal/lifecycle/memoryAlone.ts"
import * as metrics from "./internal/observe/metrics.ts"
import type { MemoryBounds } from "./internal/memory/bounds.ts"
import * as namesakes from "./internal/lifecycle/namesakes.ts"
import { Observer } from "./internal/observe/eventHub.ts"
import { read, type Reading } from "./internal/read/peek.ts"
import { shown } from "./internal/state/shownEntry.ts"
import { has, type InMemory, snapshot } from "./internal/state/snapshot.ts"
import {
  type AnyOptions,
  checkBreakers,
  codecOf,
  nameOf,
  schemaVersionOf,
  settingsOf,
} from "./internal/state/settings.ts"
import { resize } from "./internal/lifecycle/resizeMemory.ts"
import * as Soon from "./internal/runtime/nextTurn.ts"
import * as stack from "./internal/tier/openStack.ts"
import { type Stats, statsOf } from "./internal/lifecycle/stats.ts"
import { steadyOf } from "./internal/runtime/steadyClock.ts"
import { Sweeps } from "./internal/refresh/sweep.ts"
import { wellFormed } from "./internal/invalidation/tags.ts"
import { Turns } from "./internal/runtime/turns.ts"
import type { InvalidKey, KeyNotReturned, LarderError } from "./LarderError.ts"
import type { LarderEvent } from "./LarderEvent.ts"
import type * as Policy from "./Policy.ts"
import { TierStack } from "./TierStack.ts"
import * as Upstream from "./Upstream.ts"

export type { Ack } from "./internal/write/ack.ts"
export type { SetOptions } from "./internal/write/set.ts"
export type { GetOptions } from "./internal/read/get.ts"
export type { Reading } from "./internal/read/peek.ts"
export type { InMemory } from "./internal/state/snapshot.ts"
export type { Invalidated } from "./internal/write/invalidate.ts"
export type { Stats } from "./internal/lifecycle/stats.ts"
export {
  InvalidKey,
  KeyNotReturned,
  LarderClosed,
  type LarderError,
  LookupInterrupted,
  LookupTimeout,
  OptionFailed,
} from "./LarderError.ts"

export const TypeId = "~larder/Larder"

/** A value with where it came from. */
export interface WithMeta<out A> {
  readonly value: A
  /** How good the value was when it was given. */
  readonly freshness: Freshness
  /** The tier that had it; "upstream" for a value just looked up. */
  readonly tier: string
  /** The time since `entry.storedAt`, ms. */
  readonly age: number
  /** What was answered with: times, tags, version and etag of this value, whatever the tiers have by now. */
  readonly entry: Entry<A>
}

/** What a mark leaves: with `keepStale` (the default) values may still be given when upstream fails. */
export interface MarkOptions {
  readonly keepStale?: boolean | undefined
}

/** A cache of `A` by `K`, whose upstream fails with `E`. */
export interface Larder<in out K, in out A, out E = never> {
  readonly [TypeId]: typeof TypeId
  readonly name: string
  /** The value: from the nearest tier that has it, else from upstream. */
  readonly get: (key: K, options?: GetOptions) => Effect.Effect<A, E | LarderError>
  /**
   * Many values, each with a result of its own, in the order in which the keys
   * were first seen. One trip to each tier; one bulk lookup where upstream has one.
   * Keys that are not in memory go in slices of 250, eight of them at once: each has
   * its own trips, its own bulk lookup, and the times of a `get`.
   */
  readonly getMany: <K2 extends K>(
    keys: Iterable<K2>,
  ) => Effect.Effect<Map<K2, Exit.Exit<A, E | LarderError | KeyNotReturned>>>
  /** {@link Larder.get}, with the entry that is answered with, the tier that had it, and how good it is. */
  readonly getWithMeta: (
    key: K,
    options?: GetOptions,
  ) => Effect.Effect<WithMeta<A>, E | LarderError>
  /** What the tiers have, stale or fresh; never asks upstream and changes nothing. */
  readonly read: (key: K) => Effect.Effect<Reading<A>, InvalidKey>
  /**
   * Puts a value in every tier, with the policy's times. With `revision`, a value
   * whose revision is lower than that of a value still in its life is refused, and
   * the `Ack` says so; `force` sets it all the same. Such a `set` takes two trips to
   * the arbiter, one without `revision`. A function of the options that fails on the
   * value is a defect, `OptionFailed`, and nothing changes.
   */
  readonly set: (key: K, value: A, options?: SetOptions) => Effect.Effect<Ack, InvalidKey>
  /** Ends freshness now; the value may still be given when upstream fails. */
  readonly expire: (key: K) => Effect.Effect<Ack, InvalidKey>
  /** Drops the value everywhere. */
  readonly remove: (key: K) => Effect.Effect<Ack, InvalidKey>
  /** Looks the value up now, whatever is there or running, and keeps it. */
  readonly refresh: (key: K) => Effect.Effect<A, E | LarderError>
  /** Invalidates every value with one of these tags, in one step however many there are. */
  readonly invalidateTags: (tags: Iterable<string>, options?: MarkOptions) => Effect.Effect<Ack>
  /** Invalidates every value of this larder, in one step; other larders on the same tiers are not touched. */
  readonly clear: (options?: MarkOptions) => Effect.Effect<Ack>
  /**
   * Invalidates, in every tier, each key that is in this node's memory and for whose entry the
   * predicate holds, one by one: with `keepStale` (the default) as {@link Larder.expire} does,
   * else as {@link Larder.remove}. Keys that are not in memory are not touched; where all that
   * belongs together must go, wherever it is, use tags. A predicate that throws is a defect of
   * this effect, and nothing is invalidated.
   */
  readonly invalidateWhen: (
    predicate: (one: InMemory<K, A>) => boolean,
    options?: MarkOptions,
  ) => Effect.Effect<Invalidated>
  /** Whether this node's memory has a value that callers may be given, fresh or stale. Counts as no read. */
  readonly has: (key: K) => Effect.Effect<boolean, InvalidKey>
  /** The keys of {@link Larder.entries}. */
  readonly keys: Effect.Effect<ReadonlyArray<K>>
  /**
   * What this node's memory has at this moment and callers may be given, fresh or stale, in any
   * order; each key is the one that was asked for or set. Reads nothing from other tiers, counts
   * as no read, and takes time in proportion to the number of entries.
   */
  readonly entries: Effect.Effect<ReadonlyArray<InMemory<K, A>>>
  /**
   * Holds this larder's memory to other bounds from now on; one that is left out
   * stays. Ends when memory is within them: what is over lower ones goes in
   * slices, so that nobody else waits. Dies with `InvalidOptions` for a bound that cannot
   * be meant, and where the stack has no memory.
   */
  readonly resizeMemory: (bounds: MemoryBounds) => Effect.Effect<void>
  /** What happens, from when the stream is run until the larder closes. */
  readonly events: Stream.Stream<LarderEvent>
  /**
   * What happens, from when this effect ends. Whoever takes finds all of it so
   * far; who waits is woken after the turn of whoever caused it.
   */
  readonly subscribe: Effect.Effect<PubSub.Subscription<LarderEvent>, never, Scope.Scope>
  readonly stats: Effect.Effect<Stats>
}

/** A function of a typed failure. Bivariant, so that one for the upstream's own errors alone fits. */
export type OfFailure<E, K, A> = {
  of(error: NoInfer<E> | KeyNotReturned, key: NoInfer<K>): A
}["of"]

/** What every larder is made of, whatever its keys. */
export interface BaseOptions<A, K, E, R> {
  /**
   * Appears in events, metrics, spans, and in the keys of shared tiers: larders of one name
   * share entries there. A name of white space alone is refused; a second larder of one name
   * on one `TierStack` that keeps bytes is warned of in the log.
   */
  readonly name: string
  readonly upstream: Upstream.Upstream<K, A, E, R>
  readonly policy: Policy.Policy | Policy.AdaptivePolicy<A, NoInfer<K>>
  /** Tags of a value, by which `invalidateTags` finds it. */
  readonly tags?: ((value: A, key: NoInfer<K>) => ReadonlyArray<string>) | undefined
  /** The validator that came with a value; a later lookup sees it as `previous.etag`. */
  readonly etag?: ((value: A, key: NoInfer<K>) => string | undefined) | undefined
  /**
   * How long a typed failure of upstream is given again without asking. `KeyNotReturned`
   * is that of a key which the bulk lookup left out: `getMany` gives it again, `get` asks.
   * Default: not at all.
   */
  readonly failureFor?: OfFailure<E, K, Duration.Input> | undefined
  /**
   * Whether something stale may be given in place of a typed failure. `false` for
   * errors that callers must see, such as 403 or 404: until `retryAfterFailure` has
   * passed they get the error, and nothing is revalidated behind their backs any more.
   * Defects, timeouts, `Shed` and an open breaker always get grace, and so does a value
   * that is still fresh. Default: always.
   */
  readonly graceFor?: OfFailure<E, K, boolean> | undefined
  /**
   * The source's own version of a value. A lookup that brings a lower one than is
   * known comes from a replica that lags: it is not kept, and its callers get the
   * known value while that may be given. A `set` of a lower one is refused, unless forced.
   */
  readonly revision?: ((value: A) => number | bigint | string) | undefined
  /** Of the encoded values: entries that another release wrote under another number are not read. An integer of at least 0, default 0. */
  readonly schemaVersion?: number | undefined
  /** The longest that closing may take. Default 5 seconds. */
  readonly closeTimeout?: Duration.Input | undefined
}

/** With a schema of the values: needed wherever a tier keeps bytes. */
export interface SchemaOptions<S extends Schema.Constraint, K, E, R> extends BaseOptions<
  S["Type"],
  K,
  E,
  R
> {
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

interface NoSchema {
  readonly value?: undefined
}

type SchemaServices<S extends Schema.Constraint> = S["DecodingServices"] | S["EncodingServices"]

const makeAny = (
  options: AnyOptions,
  made: namesakes.Made = namesakes.here(),
): Effect.Effect<Larder<unknown, unknown, unknown>, never, TierStack | Scope.Scope> =>
  Effect.gen(function* () {
    const { tiers } = yield* TierStack
    yield* namesakes.register(tiers, nameOf(options), made)
    const scope = yield* Effect.scope
    const origin = yield* Effect.context<Scope.Scope>()
    const context = Context.omit(Scope.Scope, Tracer.ParentSpan)(origin)
    const clock = yield* Effect.clockWith(Effect.succeed)
    const steady = steadyOf(clock)
    const random = yield* Random.Random
    const soon = Soon.make(context)
    const turns = new Turns(soon, clock)
    const observer = new Observer(options.name, clock, soon)
    const needsCodec = tiers.length > 1 || tiers[0].kind === "bytes"
    const codec = codecOf(options, needsCodec)
    const upstream = yield* options.upstream.resolve as Effect.Effect<
      Upstream.Resolved<unknown, unknown, unknown>,
      never,
      Scope.Scope
    >
    const settings = settingsOf(options, upstream)
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
    })
    checkBreakers(options.name, upstream, opened.farther)
    const engine = new Engine(
      settings,
      { context, origin, clock: steady, random, soon, turns },
      opened,
      observer,
      marks,
    )
    // What tiers kept from before may have been marked since; where no arbiter knows, nobody does.
    if (engine.versions.outlives && tiers.some((tier) => tier.scope !== "process")) {
      marks.beginAt(engine.versions.asOf())
    }
    for (const { transitions } of upstream.breakers) yield* watchBreaker(transitions, observer)
    yield* metrics.observe(
      options.name,
      {
        counters: observer.counters,
        entries: () => engine.near.size,
        weight: () => engine.near.weight,
        inFlight: () => engine.flights.inFlight,
      },
      context,
    )
    yield* memoryAlone.tell(opened, settings.name)
    if (opened.hasMemory) engine.entries.onKeep = new Sweeps(engine).kept
    // Last in, so first out: the larder closes before anything it works with.
    yield* Scope.addFinalizer(scope, Effect.provideContext(close(engine), context))
    return larderOf(engine)
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
  const checked = <A>(key: unknown, how: (k: string) => Effect.Effect<A>) =>
    Effect.suspend((): Effect.Effect<A, InvalidKey> => {
      const k = engine.settings.keyOf(key)
      const refused = refusal(engine, key, k)
      return refused === undefined && k !== undefined
        ? waits(how(k))
        : (refused as Exit.Exit<never, InvalidKey>)
    })
  const open = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.suspend(() => (engine.closed ? closed(engine) : waits(effect)))
  return {
    [TypeId]: TypeId,
    name,
    get: (key, options) => getOne(engine, key, options),
    getMany: ((keys: Iterable<unknown>) =>
      Effect.withFiber((fiber) => getMany(engine, keys, fiber.cache.span))) as Larder<
      unknown,
      unknown,
      unknown
    >["getMany"],
    getWithMeta: (key, options) =>
      asked(key, options, (call) => ask(engine, call), meta) as Effect.Effect<
        WithMeta<unknown>,
        unknown
      >,
    read: (key) => checked(key, (k) => read(engine, key, k)),
    set: (key, value, options) => checked(key, (k) => set(engine, key, k, value, options)),
    expire: (key) => checked(key, (k) => expire(engine, key, k)),
    remove: (key) => checked(key, (k) => remove(engine, key, k)),
    refresh: (key) => asked(key, { stale: "never" }, (call) => refresh(engine, call), exitOf),
    invalidateTags: (tags, options) =>
      open(
        Effect.suspend(() => mark(engine, wellFormed(new Set(tags)), options?.keepStale ?? true)),
      ),
    clear: (options) => open(mark(engine, [undefined], options?.keepStale ?? true)),
    invalidateWhen: (predicate, options) =>
      open(invalidateWhen(engine, predicate, options?.keepStale ?? true)),
    has: (key) => checked(key, (k) => Effect.sync(() => has(engine, k))),
    keys: open(Effect.sync(() => snapshot(engine).map(({ key }) => key))),
    entries: open(Effect.sync(() => snapshot(engine))),
    resizeMemory: (bounds) => open(resize(engine, bounds)),
    events: engine.observer.events,
    subscribe: engine.observer.subscribe,
    stats: Effect.suspend(() => statsOf(engine)),
  }
}

type Needs = TierStack | Scope.Scope

/**
 * Makes a larder. It lives until the scope closes.
 *
 * **When to use**
 *
 * Use within a scope of your own; {@link Service} for a larder that is provided
 * as a layer, {@link fn} to cache a function.
 *
 * **Details**
 *
 * The clock, the source of chance and all services that lookups need are those
 * of where the larder is made, never those of a caller; of a caller it takes the
 * span. `key` can be left out where keys are strings or numbers; `value` where
 * no tier of the stack keeps bytes.
 *
 * **Gotchas**
 *
 * Options that cannot be meant are a defect, `InvalidOptions`, which names them.
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
  // Last, since the compiler reports mistakes against the last: this is the usual one.
  <S extends Schema.Constraint, K extends string | number, E = never, R = never>(
    options: SchemaOptions<S, K, E, R> & SimpleKey<K>,
  ): Effect.Effect<Larder<K, S["Type"], E>, never, Needs | R | SchemaServices<S>>
  // The types of the options have done their work: inside, values are unknown.
} = makeAny as never

/** What {@link Service} makes: a service key, its layer, and the larder's methods as accessors. */
export interface ServiceClass<
  Self,
  Id extends string,
  K,
  A,
  E,
  R,
  LayerError = never,
> extends Context.ServiceClass<Self, Id, Larder<K, A, E>> {
  readonly layer: Layer.Layer<Self, LayerError, TierStack | R>
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
  readonly refresh: (key: K) => Effect.Effect<A, E | LarderError, Self>
  readonly invalidateTags: (
    tags: Iterable<string>,
    options?: MarkOptions,
  ) => Effect.Effect<Ack, never, Self>
  readonly clear: (options?: MarkOptions) => Effect.Effect<Ack, never, Self>
  readonly invalidateWhen: (
    predicate: (one: InMemory<K, A>) => boolean,
    options?: MarkOptions,
  ) => Effect.Effect<Invalidated, never, Self>
  readonly has: (key: K) => Effect.Effect<boolean, InvalidKey, Self>
  readonly keys: Effect.Effect<ReadonlyArray<K>, never, Self>
  readonly entries: Effect.Effect<ReadonlyArray<InMemory<K, A>>, never, Self>
  readonly resizeMemory: (bounds: MemoryBounds) => Effect.Effect<void, never, Self>
  readonly events: Stream.Stream<LarderEvent, never, Self>
  readonly subscribe: Effect.Effect<PubSub.Subscription<LarderEvent>, never, Self | Scope.Scope>
  readonly stats: Effect.Effect<Stats, never, Self>
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
        | "refresh"
        | "invalidateTags"
        | "clear"
        | "invalidateWhen"
        | "has"
        | "resizeMemory",
    >(
      name: M,
    ) =>
    (...args: ReadonlyArray<unknown>) =>
      Effect.flatMap(tag, (larder) =>
        (larder[name] as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>)(
          ...args,
        ),
      )
  return {
    get: method("get"),
    getMany: method("getMany"),
    getWithMeta: method("getWithMeta"),
    read: method("read"),
    set: method("set"),
    expire: method("expire"),
    remove: method("remove"),
    refresh: method("refresh"),
    invalidateTags: method("invalidateTags"),
    clear: method("clear"),
    invalidateWhen: method("invalidateWhen"),
    has: method("has"),
    keys: Effect.flatMap(tag, (larder: Any) => larder.keys),
    entries: Effect.flatMap(tag, (larder: Any) => larder.entries),
    resizeMemory: method("resizeMemory"),
    events: Stream.unwrap(Effect.map(tag, (larder: Any) => larder.events)),
    subscribe: Effect.flatMap(tag, (larder: Any) => larder.subscribe),
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
    const named = (given: Named<AnyOptions>) => makeAny({ ...given, name: given.name ?? id }, made)
    const layer = Layer.effect(
      tag,
      Effect.isEffect(options) ? Effect.flatMap(options, named) : named(options),
    )
    return Object.assign(tag, { layer }, accessors(tag))
  }

/**
 * A class to extend: a larder as a service, with its layer.
 *
 * **When to use**
 *
 * Use for the caches of an application: `layer` needs a `TierStack`, so that
 * tiers are chosen per environment, where the application is put together.
 *
 * **Details**
 *
 * Takes what {@link make} takes, or an effect that gives it: a policy from `Config`, an
 * upstream from another service. What that effect fails with and needs, the layer does.
 * `name` is the id unless it is given. The methods of the larder are there as static
 * accessors.
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
} = serviceOf as never

/** What {@link fn} takes of arguments, beside the options of a larder. */
interface FnFunctions<Args extends ReadonlyArray<unknown>, A, E> {
  readonly policy: Policy.Policy | Policy.AdaptivePolicy<A, Args>
  /** The arguments as a string. Can be left out where there is one argument, a string or a number. */
  readonly key?: ((...args: Args) => string) | undefined
  readonly tags?: ((value: A, args: Args) => ReadonlyArray<string>) | undefined
  readonly etag?: ((value: A, args: Args) => string | undefined) | undefined
  readonly failureFor?: ((error: E, args: Args) => Duration.Input) | undefined
  readonly graceFor?: ((error: E, args: Args) => boolean) | undefined
}

type OwnOptions<A, E> = Omit<
  BaseOptions<A, never, E, never>,
  "upstream" | keyof FnFunctions<[], A, E>
>

/** What {@link fn} takes: the options of a larder but for its upstream, which is the function. */
export interface FnOptions<Args extends ReadonlyArray<unknown>, S extends Schema.Constraint, E>
  extends OwnOptions<S["Type"], E>, FnFunctions<Args, S["Type"], E> {
  readonly value: S
}

/** As {@link FnOptions} without a schema, for stacks of which no tier keeps bytes. */
export interface FnOptionsInMemory<Args extends ReadonlyArray<unknown>, A, E>
  extends OwnOptions<A, E>, FnFunctions<Args, A, E>, NoSchema {}

type AnyFnOptions = Omit<AnyOptions, "key" | "upstream"> & {
  readonly key?: ((...args: ReadonlyArray<unknown>) => string) | undefined
}

const cachedFn = ({ key, ...options }: AnyFnOptions) => {
  const made = namesakes.here()
  return (f: (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown, unknown>) => {
    const argumentsOf = (asked: unknown) => asked as ReadonlyArray<unknown>
    const larder = makeAny(
      {
        ...options,
        key: (asked) => (key === undefined ? onlyArgument : key)(...argumentsOf(asked)),
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

/** A cached function, and the larder behind it, whose keys are the lists of arguments. */
export interface CachedFn<Args extends ReadonlyArray<unknown>, A, E> {
  (...args: Args): Effect.Effect<A, E | LarderError>
  readonly larder: Larder<Args, A, E>
}

/**
 * An effectful function in, a cached function of the same shape out.
 *
 * **When to use**
 *
 * Use to put a cache in front of what exists without changing its callers.
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
 */
export const fn: {
  <A, Args extends ReadonlyArray<unknown>, E>(
    options: FnOptionsInMemory<Args, A, E>,
  ): <Args2 extends Args, A2 extends A, E2 extends E, R = never>(
    f: (...args: Args2) => Effect.Effect<A2, E2, R>,
  ) => Effect.Effect<CachedFn<Args2, A2, E2>, never, Needs | R>
  <S extends Schema.Constraint, Args extends ReadonlyArray<unknown>, E>(
    options: FnOptions<Args, S, E>,
  ): <Args2 extends Args, E2 extends E, R = never>(
    f: (...args: Args2) => Effect.Effect<S["Type"], E2, R>,
  ) => Effect.Effect<CachedFn<Args2, S["Type"], E2>, never, Needs | SchemaServices<S> | R>
  // The types of the options have done their work: inside, values are unknown.
} = cachedFn as never
