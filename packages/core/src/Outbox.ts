/**
 * A typed outbox: writes that have been acknowledged and that the source does not have yet, the newest of
 * each key. `WriteBehind` fills and empties it; `Outbox.overlay` lets lookups see what it holds.
 *
 * @module
 * @category writing
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { openOutbox } from "./internal/behind/openOutbox.ts"
import type { InvalidWrite, OutboxFailed, OutboxFull } from "./internal/behind/outboxErrors.ts"
import { overlaid } from "./internal/behind/overlay.ts"
import { outboxKeys } from "./internal/runtime/limits.ts"
import type { NamesOf } from "./internal/runtime/optionNames.ts"
import { InvalidOptions } from "./InvalidOptions.ts"
import type { ClaimRequest, Depth, Durability, OutboxStore } from "./OutboxStore.ts"
import type { Upstream } from "./Upstream.ts"

export { InvalidWrite, OutboxFailed, OutboxFull } from "./internal/behind/outboxErrors.ts"

/**
 * A write of one key.
 *
 * @category models
 * @since 0.1.0
 */
export interface OutboxWrite<out K, out A> {
  readonly key: K
  /** `None`: the key is removed. */
  readonly value: Option.Option<A>
  /** Rises with every write of the key, on all nodes: the source must refuse a lower one than it has. */
  readonly version: number
  /** How often a flusher has claimed it. */
  readonly attempts: number
  /** When the key got its first write that has not been flushed, ms since the Unix epoch. */
  readonly since: number
}

/**
 * A write that a flusher has claimed.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClaimedWrite<out K, out A> extends OutboxWrite<K, A> {
  /** Identifies the claim. */
  readonly claim: string
}

/**
 * What waits for a key.
 *
 * @category models
 * @since 0.1.0
 */
export interface NewestWrite<out K, out A> extends OutboxWrite<K, A> {
  /** Whether a part of it is being written, so that the source may have it already. */
  readonly inFlight: boolean
  /**
   * Whether the value is all that the source will have. `false` only for an outbox with `merge`: the
   * value is what is to be merged into that of the source.
   */
  readonly isWhole: boolean
}

/**
 * A write that failed at its last attempt.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadWrite<out K, out A> extends OutboxWrite<K, A> {
  /** The failure of the last attempt. */
  readonly why: string
  /** `false` where the value cannot be decoded: `value` is `None` then, though it may be no removal. */
  readonly isDecoded: boolean
}

/**
 * A claimed write that cannot be decoded, which becomes a dead letter.
 *
 * @category models
 * @since 0.1.0
 */
export interface UndecodedWrite<out K> {
  /** `None`: nor can the key. */
  readonly key: Option.Option<K>
  /** The place of the write in the order of writes of its key; 0 where the store cannot read it either. */
  readonly version: number
  /** How often a flusher has claimed it. */
  readonly attempts: number
  /** What is wrong with it, without the value. */
  readonly why: string
}

/**
 * An outbox for values `A` by `K`. Make one with {@link Service}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outbox<in out K, in out A> {
  readonly name: string
  readonly durability: Durability
  /** Whether offers are heard of on every process, or only on the one that made them. */
  readonly hears: "all" | "own"
  /** `merge` of the options, where the outbox has one. */
  readonly merge: ((older: A, newer: A) => A) | undefined
  /** Keeps a write, unless a newer one of its key is there. Offers of the same moment share one commit. */
  readonly offer: (write: {
    readonly key: K
    readonly value: Option.Option<A>
    readonly version: number
  }) => Effect.Effect<void, InvalidWrite | OutboxFull | OutboxFailed>
  /** What waits for keys; dead letters do not. */
  readonly newest: (
    keys: NonEmptyReadonlyArray<K>,
  ) => Effect.Effect<ReadonlyMap<K, NewestWrite<K, A>>, OutboxFailed>
  readonly depth: Effect.Effect<Depth, OutboxFailed>
  /** The dead letters, in the order of their encoded keys. Those whose key cannot be decoded are left out. */
  readonly dead: Stream.Stream<DeadWrite<K, A>, OutboxFailed>
  /** Lets a dead letter wait again; returns whether there was one. */
  readonly revive: (key: K) => Effect.Effect<boolean, OutboxFailed>
  /** Drops a dead letter; returns whether there was one. */
  readonly discard: (key: K) => Effect.Effect<boolean, OutboxFailed>
  /**
   * Claims what is to be written: for a flusher. A write that cannot be decoded becomes a dead letter:
   * `burying` gets it with the effect that buries it. Default: the effect.
   */
  readonly claim: (
    request: ClaimRequest,
    burying?: (
      write: UndecodedWrite<K>,
      bury: Effect.Effect<boolean, OutboxFailed>,
    ) => Effect.Effect<unknown, unknown>,
  ) => Effect.Effect<
    {
      readonly writes: ReadonlyArray<ClaimedWrite<K, A>>
      /** Where nothing was claimed: when to ask again, ms from now; undefined for not before an offer. */
      readonly nextMillis: number | undefined
    },
    OutboxFailed
  >
  /** Renews the locks; returns how many are still held. */
  readonly renew: (
    claims: ReadonlyArray<ClaimedWrite<K, A>>,
    lockMillis: number,
  ) => Effect.Effect<number, OutboxFailed>
  /** Drops what was written. */
  readonly done: (claims: ReadonlyArray<ClaimedWrite<K, A>>) => Effect.Effect<void, OutboxFailed>
  /** Lets writes rest after a failed attempt. */
  readonly retry: (
    claims: ReadonlyArray<ClaimedWrite<K, A>>,
    delayMillis: number,
  ) => Effect.Effect<void, OutboxFailed>
  /** Makes a dead letter of a write; returns `false` where a newer write takes its place. */
  readonly bury: (claim: ClaimedWrite<K, A>, why: string) => Effect.Effect<boolean, OutboxFailed>
  /** Asks the flusher of this process to begin now. */
  readonly urge: Effect.Effect<void>
  /**
   * Calls a function after each offer that is heard of, with the number of keys that wait; with `Infinity`
   * when the flusher is to begin now.
   */
  readonly listen: (wake: (waiting: number) => void) => Effect.Effect<void, never, Scope.Scope>
}

/**
 * Options of {@link Service}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<KS extends Schema.Constraint, S extends Schema.Constraint> {
  /** The schema of the keys, such as the `key` of the larder. Two keys are one if their JSON is the same. */
  readonly key: KS
  /** The schema of the values. */
  readonly value: S
  /**
   * The most keys that may wait, be in flight or be dead letters: an integer of at least 1, or
   * `Infinity`. Default 10,000.
   */
  readonly maxPending?: number | undefined
  /**
   * Combines a write that waits with a newer one of its key, and what the source has with what waits: for
   * values that must not replace each other, such as counts to add. Default: the newer one replaces the
   * older one.
   */
  readonly merge?: ((older: S["Type"], newer: S["Type"]) => S["Type"]) | undefined
}

/**
 * The class that {@link Service} makes.
 *
 * @category services
 * @since 0.1.0
 */
export interface ServiceClass<Self, Id extends string, K, A, R> extends Context.ServiceClass<
  Self,
  Id,
  Outbox<K, A>
> {
  /** The outbox as a layer, in the `OutboxStore` that the application provides. */
  readonly layer: Layer.Layer<Self, OutboxFailed, OutboxStore | R>
}

type SchemaServices<S extends Schema.Constraint> = S["DecodingServices"] | S["EncodingServices"]

const names: NamesOf<Options<Schema.Constraint, Schema.Constraint>> = {
  key: true,
  value: true,
  maxPending: true,
  merge: true,
}

const mistakeIn = (
  id: string,
  options: { readonly [Name in keyof Options<Schema.Constraint, Schema.Constraint>]: unknown },
): InvalidOptions | undefined => {
  const mistake = InvalidOptions.ofNames({ module: "Outbox", names, got: options })
  if (mistake !== undefined) return mistake
  const { key, maxPending = outboxKeys, merge, value } = options
  const unless = (field: string, must: string, got: unknown) =>
    InvalidOptions.of({ module: "Outbox", field, must, got })
  if (typeof id !== "string" || id.trim() === "") {
    return unless("id", 'be a non-blank string, such as "app/PriceOutbox"', id)
  }
  if (!Schema.isSchema(key)) return unless("key", "be a schema, such as Schema.String", key)
  if (!Schema.isSchema(value)) return unless("value", "be a schema, such as Schema.Finite", value)
  if (
    maxPending !== Infinity &&
    !(Number.isSafeInteger(maxPending) && (maxPending as number) >= 1)
  ) {
    return unless("maxPending", "be an integer of at least 1 or Infinity", maxPending)
  }
  return merge === undefined || typeof merge === "function"
    ? undefined
    : unless("merge", "be a function of an older and a newer value, or be left out", merge)
}

/**
 * Makes an outbox that is a service: extend the class that it returns, and provide its `layer`.
 *
 * **When to use**
 *
 * Once for each larder that is written behind: see `WriteBehind.Service`.
 *
 * **Details**
 *
 * Of each key the outbox holds at most one write in flight and the newest one that waits behind it, so
 * that ten writes of a key cost the source one, and the order of a key holds. It holds at most
 * `maxPending` keys, dead letters included; an offer of another key fails with {@link OutboxFull}.
 * Outboxes of one id in one store share their writes.
 *
 * With `merge` no write is dropped for a newer one: a write in flight whose flusher died is tried again
 * before the newer ones, and a newer write contains the dead letter whose place it takes. Lookups through
 * {@link overlay} ask the source, and merge what waits into its answer.
 *
 * Keys and values are kept as the JSON of their schemas.
 *
 * **Gotchas**
 *
 * Invalid options are a defect of the layer, `InvalidOptions`.
 *
 * **Example**
 *
 * ```ts
 * import { Outbox, OutboxStore } from "@larder/core"
 * import { Effect, Layer, Option, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * class PriceOutbox extends Outbox.Service<PriceOutbox>()("app/PriceOutbox", {
 *   key: Schema.String,
 *   value: Schema.Finite,
 *   maxPending: 50_000,
 * }) {}
 *
 * const program = Effect.gen(function* () {
 *   const outbox = yield* PriceOutbox
 *   yield* outbox.offer({ key: "milk", value: Option.some(119), version: 1 })
 *   yield* outbox.offer({ key: "milk", value: Option.some(129), version: 2 })
 *   return yield* outbox.newest(["milk"])
 * })
 * const layer = PriceOutbox.layer.pipe(Layer.provide(OutboxStore.layerMemory))
 * const newest = await Effect.runPromise(Effect.provide(program, layer))
 * assert.deepStrictEqual(newest.get("milk")?.value, Option.some(129))
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const Service =
  <Self>() =>
  <const Id extends string, KS extends Schema.Constraint, S extends Schema.Constraint>(
    id: Id,
    options: Options<KS, S>,
  ): ServiceClass<
    Self,
    Id,
    KS["Type"],
    S["Type"],
    Exclude<SchemaServices<KS> | SchemaServices<S>, Scope.Scope>
  > => {
    const tag = Context.Service<Self, Outbox<KS["Type"], S["Type"]>>()(id)
    const made = Effect.gen(function* () {
      const mistake = mistakeIn(id, options)
      if (mistake !== undefined) return yield* Effect.die(mistake)
      const { key, maxPending = outboxKeys, merge, value } = options
      return yield* openOutbox<KS, S>({ name: id, key, value, maxPending, merge })
    })
    return Object.assign(tag, { layer: Layer.effect(tag, made) }) as never
  }

/**
 * Options of {@link overlay}.
 *
 * @category options
 * @since 0.1.0
 */
export interface OverlayOptions<K, A, E, R> {
  /**
   * The answer for a key whose removal waits. Default: the lookup asks the flusher of this process to
   * begin, waits until the source has the removal, and asks the source, which alone knows how it says
   * that something is not there.
   */
  readonly whenRemoved?: ((key: K) => Effect.Effect<A, E, R>) | undefined
}

const overlayNames: NamesOf<OverlayOptions<never, unknown, unknown, unknown>> = {
  whenRemoved: true,
}

/**
 * Lets lookups give what waits in an outbox, instead of what the source still has.
 *
 * **When to use**
 *
 * On the upstream of every larder whose source is written through the outbox, on nodes that only read as
 * well. Put it last in the pipe: what waits needs no permit, no retry and no circuit.
 *
 * **Details**
 *
 * A key with a waiting write is answered with its value, however it left the cache. A key whose removal
 * waits: see {@link OverlayOptions}. A key of which nothing waits is looked up. Where the outbox does not
 * answer, what waits cannot be decoded or `merge` fails, the lookup fails with `OutboxFailed`: what the source has may be old.
 *
 * With `merge` the source is asked, and what waits is merged into its answer. A lookup does that only
 * while no write of the key is in flight, since the source may have that one already: else it waits,
 * within its `hardTimeout`.
 *
 * **Gotchas**
 *
 * A lookup that waits for a removal takes up to half of `maxLag` where the flusher is in another process.
 *
 * **Example**
 *
 * ```ts
 * import { Outbox, OutboxStore, Upstream } from "@larder/core"
 * import { Effect, Layer, Option, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * class PriceOutbox extends Outbox.Service<PriceOutbox>()("app/PriceOutbox", {
 *   key: Schema.String,
 *   value: Schema.Finite,
 * }) {}
 *
 * const prices = Upstream.make({ lookup: (_: string) => Effect.succeed(119) }).pipe(
 *   Outbox.overlay(PriceOutbox),
 * )
 * const program = Effect.gen(function* () {
 *   const { lookup } = yield* prices.resolve
 *   const before = yield* lookup("milk", undefined)
 *   const outbox = yield* PriceOutbox
 *   yield* outbox.offer({ key: "milk", value: Option.some(129), version: 1 })
 *   return [before, yield* lookup("milk", undefined)]
 * })
 * const layer = PriceOutbox.layer.pipe(Layer.provide(OutboxStore.layerMemory))
 * const seen = await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(layer)))
 * assert.deepStrictEqual(seen, [119, 129])
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const overlay: {
  <Self, K, A, E2 = never, R2 = never>(
    outbox: Context.Key<Self, Outbox<K, A>>,
    options?: OverlayOptions<K, A, E2, R2>,
  ): <E, R>(
    self: Upstream<K, A, E, R>,
  ) => Upstream<K, A, E | E2 | OutboxFailed, R | Exclude<R2, Scope.Scope> | Self>
} = (outbox, options = {}) => {
  const mistake = InvalidOptions.ofNames({ module: "Outbox", names: overlayNames, got: options })
  if (mistake !== undefined) throw mistake
  const { whenRemoved } = options
  if (whenRemoved !== undefined && typeof whenRemoved !== "function") {
    const must = "be a function from a key to an Effect, or be left out"
    throw InvalidOptions.of({ module: "Outbox", field: "whenRemoved", must, got: whenRemoved })
  }
  return (self) => overlaid(self, outbox, whenRemoved)
}
