/**
 * Write-behind: a put is acknowledged when an outbox has it, and a flusher writes it to the source later,
 * in batches, the newest value of each key alone.
 *
 * Who reads needs the larder, with `Outbox.overlay` on its upstream. Who writes needs the service made here:
 * the right to write is a type.
 *
 * @module
 * @category writing
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { behind } from "./internal/behind/behind.ts"
import type { InvalidWrite, OutboxFailed, OutboxFull } from "./internal/behind/outboxErrors.ts"
import type { Settings } from "./internal/behind/settings.ts"
import { millisOf, mustBeDuration } from "./internal/runtime/duration.ts"
import {
  closeMillis,
  firstRetryMillis,
  longestRetryMillis,
  outboxLockMillis,
  writeAttempts,
  writeMillis,
  writesPerBatch,
} from "./internal/runtime/limits.ts"
import type { NamesOf } from "./internal/runtime/optionNames.ts"
import { InvalidOptions } from "./InvalidOptions.ts"
import type { Larder } from "./Larder.ts"
import type { InvalidKey } from "./LarderError.ts"
import type { Outbox, OutboxWrite } from "./Outbox.ts"
import type { Depth } from "./OutboxStore.ts"

/**
 * A put that the outbox has.
 *
 * @category models
 * @since 0.1.0
 */
export interface Put {
  /** The place of the write in the order of writes of its key: what `writeMany` gets with it, or a higher one where it was merged. */
  readonly version: number
}

/**
 * What a `flush` has done with the writes that were there when it began.
 *
 * @category models
 * @since 0.1.0
 */
export interface Flushed {
  /** Writes that have left the outbox. */
  readonly written: number
  /** Writes that have become dead letters. */
  readonly dead: number
}

/**
 * Writes values of a larder behind: see {@link Service}.
 *
 * @category models
 * @since 0.1.0
 */
export interface WriteBehind<in K, in A> {
  /**
   * Puts a value. Ends when the outbox has it, durably, and this and every other node that shares the
   * arbiter reads it or something newer.
   */
  readonly put: (
    key: K,
    value: A,
  ) => Effect.Effect<Put, InvalidKey | InvalidWrite | OutboxFull | OutboxFailed>
  /** Removes a key, likewise: see `Outbox.overlay` for what lookups give until the source has heard. */
  readonly remove: (
    key: K,
  ) => Effect.Effect<void, InvalidKey | InvalidWrite | OutboxFull | OutboxFailed>
  /**
   * Writes everything now. Ends when all that was put before, by any process, has been written or is a
   * dead letter; where no flusher of this process runs, it waits for those of others.
   */
  readonly flush: Effect.Effect<Flushed, OutboxFailed>
  /** How much waits. */
  readonly depth: Effect.Effect<Depth, OutboxFailed>
}

/**
 * Options of {@link Service}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<LSelf, OSelf, K, A, LE, E, R> {
  /** The larder whose values are put. Its upstream must have `Outbox.overlay` of the same outbox. */
  readonly larder: Context.Key<LSelf, Larder<K, A, LE>>
  readonly outbox: Context.Key<OSelf, Outbox<K, A>>
  /**
   * Writes a batch to the source, each key once. The same write may come again, and a writer that was held
   * up may come late: the source must refuse a `version` that is lower than the one it has. Answers
   * with the keys that failed alone, if any; where it fails, its writes are tried one by one.
   */
  readonly writeMany: (
    batch: NonEmptyReadonlyArray<OutboxWrite<NoInfer<K>, NoInfer<A>>>,
  ) => Effect.Effect<ReadonlyMap<NoInfer<K>, E> | void, E, R>
  /**
   * How long a write may wait. A flush begins when the oldest has waited half as long, so that the other
   * half is left to write it; one that waits longer is a `WriteLagging`.
   */
  readonly maxLag: Duration.Input
  /** The most writes of one `writeMany`. An integer of at least 1. Default 100. */
  readonly batch?: number | undefined
  /**
   * The rests between the attempts of one write; when the schedule is over, the write is a dead letter.
   * Default: 100 ms, doubled each time up to 30 seconds.
   */
  readonly retry?: Schedule.Schedule<unknown, NoInfer<E>> | undefined
  /**
   * The attempts of one write, after which it is a dead letter. An integer of at least 1, or `Infinity`.
   * Default 30, which with the default `retry` is an outage of ten minutes.
   */
  readonly maxAttempts?: number | undefined
  /** What a put of another key does while the outbox is full. Default `"wait"`. */
  readonly whenFull?: "wait" | "fail" | undefined
  /** The longest that one `writeMany` may take. Default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
  /**
   * How long the writes of a flusher that died are left alone; renewed after each third. Default 10
   * seconds.
   */
  readonly lock?: Duration.Input | undefined
  /** How long closing may flush. Default 5 seconds. */
  readonly closeTimeout?: Duration.Input | undefined
}

const names: NamesOf<Options<never, never, never, never, never, never, never>> = {
  larder: true,
  outbox: true,
  writeMany: true,
  maxLag: true,
  batch: true,
  retry: true,
  maxAttempts: true,
  whenFull: true,
  timeout: true,
  lock: true,
  closeTimeout: true,
}

/**
 * The class that {@link Service} makes.
 *
 * @category services
 * @since 0.1.0
 */
export interface ServiceClass<Self, Id extends string, K, A, L, R> extends Context.ServiceClass<
  Self,
  Id,
  WriteBehind<K, A>
> {
  /** Puts, and flushes in the background until the scope closes. */
  readonly layer: Layer.Layer<Self, never, L | R>
  /** Puts only: for processes that leave the flushing to others. */
  readonly layerOfferOnly: Layer.Layer<Self, never, L>
}

type AnyOptions = { readonly [Name in keyof typeof names]?: unknown }

type Chosen = Pick<
  Settings<unknown, unknown, unknown>,
  "maxLag" | "batch" | "retry" | "maxAttempts" | "whenFull" | "timeout" | "lock" | "closeTimeout"
>

const defaultRetry = Schedule.min([
  Schedule.exponential(firstRetryMillis),
  Schedule.spaced(longestRetryMillis),
])

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 1

/** The options with their defaults; throws `InvalidOptions`. */
const chosenOf = (options: AnyOptions): Chosen => {
  const mistake = InvalidOptions.ofNames({ module: "WriteBehind", names, got: options })
  if (mistake !== undefined) throw mistake
  const unless = (field: keyof typeof names, must: string): never => {
    throw InvalidOptions.of({ module: "WriteBehind", field, must, got: options[field] })
  }
  const { batch = writesPerBatch, maxAttempts = writeAttempts, whenFull = "wait" } = options
  const { closeTimeout = closeMillis } = options
  const retry = options.retry ?? defaultRetry
  const time = (field: "maxLag" | "timeout" | "lock", by?: number): number => {
    const millis = millisOf(options[field] === undefined ? by : options[field])
    return millis === undefined || millis === 0 || millis === Infinity
      ? unless(field, 'be a finite duration above 0, such as "1 second"')
      : millis
  }
  for (const field of ["larder", "outbox"] as const) {
    if (!Context.isKey(options[field])) unless(field, "be the class of a service")
  }
  if (typeof options.writeMany !== "function") {
    unless("writeMany", "be a function from writes to an Effect")
  }
  if (!isCount(batch)) return unless("batch", "be an integer of at least 1")
  if (!isCount(maxAttempts) && maxAttempts !== Infinity) {
    return unless("maxAttempts", "be an integer of at least 1 or Infinity")
  }
  if (!Schedule.isSchedule(retry)) {
    return unless("retry", 'be a Schedule, such as Schedule.exponential("100 millis")')
  }
  if (whenFull !== "wait" && whenFull !== "fail") {
    return unless("whenFull", 'be "wait" or "fail"')
  }
  return {
    maxLag: time("maxLag"),
    batch,
    retry: retry as Chosen["retry"],
    maxAttempts,
    whenFull,
    timeout: time("timeout", writeMillis),
    lock: time("lock", outboxLockMillis),
    closeTimeout: millisOf(closeTimeout) ?? unless("closeTimeout", mustBeDuration),
  }
}

/**
 * Makes a write-behind that is a service: extend the class that it returns, and provide `layer` where
 * writes are flushed, `layerOfferOnly` where they are only put.
 *
 * **When to use**
 *
 * For values that change often and of which the source needs the last one only: prices, counters, "last
 * seen" times, carts. Not where the caller must know that the source has the value, or where others read
 * the source itself: use `through` of the larder.
 *
 * **Details**
 *
 * - `put` takes the key's token from the arbiter, keeps the write in the outbox with the token as its
 *   `version`, then stores the value in the cache. Offers of the same moment share one commit.
 * - While a write waits, every read on every node gives its value or a newer one. When it is written, the
 *   flush stores the value anew before the outbox forgets it, so that no lookup that read the source before
 *   leaves an older one behind.
 * - A batch that fails is tried one by one, so that one bad write holds up no other. After `maxAttempts`
 *   the write is a dead letter: the event `WriteDead`, an error in the log, the cached value is removed.
 *   It stays in the outbox until it is revived, discarded or replaced by a newer write of its key.
 * - A put does not belong to a transaction of its caller: the outbox has it even when that rolls back.
 * - Closing the scope flushes for up to `closeTimeout`, and logs how many writes are left: for the next
 *   process, or lost, as the `durability` of the store says.
 *
 * **Gotchas**
 *
 * - Delivery is at least once, and a flusher that was paused for longer than its lock writes late: without
 *   a source that refuses lower versions (`... WHERE version < $version`) an older value may win.
 * - Without an arbiter the versions of two nodes are ordered by their clocks.
 * - Invalid options are a defect of the layer, `InvalidOptions`.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Outbox, OutboxStore, Policy, TierStack, Upstream, WriteBehind } from "@larder/core"
 * import { Effect, Layer, Option, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * const source = new Map<string, { readonly price: number; readonly version: number }>()
 *
 * class PriceOutbox extends Outbox.Service<PriceOutbox>()("app/PriceOutbox", {
 *   key: Schema.String,
 *   value: Schema.Finite,
 * }) {}
 *
 * class Prices extends Larder.Service<Prices>()("app/Prices", {
 *   value: Schema.Finite,
 *   upstream: Upstream.make({
 *     lookup: (id: string) => Effect.sync(() => source.get(id)?.price ?? 0),
 *   }).pipe(Outbox.overlay(PriceOutbox)),
 *   policy: Policy.make({ freshFor: "1 minute" }),
 * }) {}
 *
 * class PriceWrites extends WriteBehind.Service<PriceWrites>()("app/PriceWrites", {
 *   larder: Prices,
 *   outbox: PriceOutbox,
 *   maxLag: "1 second",
 *   writeMany: (batch) =>
 *     Effect.sync(() => {
 *       for (const { key, value, version } of batch) {
 *         // The source refuses what is older than what it has.
 *         if ((source.get(key)?.version ?? 0) >= version) continue
 *         source.set(key, { price: Option.getOrElse(value, () => 0), version })
 *       }
 *     }),
 * }) {}
 *
 * const layer = PriceWrites.layer.pipe(
 *   Layer.provideMerge(Prices.layer),
 *   Layer.provide([PriceOutbox.layer, TierStack.layer(MemoryTier.layer())]),
 *   Layer.provide(OutboxStore.layerMemory),
 * )
 *
 * const program = Effect.gen(function* () {
 *   const writes = yield* PriceWrites
 *   yield* writes.put("milk", 119)
 *   yield* writes.put("milk", 129)
 *   const read = yield* Prices.get("milk")
 *   const flushed = yield* writes.flush
 *   return { read, flushed, stored: source.get("milk")?.price }
 * })
 * const result = await Effect.runPromise(Effect.provide(program, layer))
 * assert.deepStrictEqual(result, { read: 129, flushed: { written: 1, dead: 0 }, stored: 129 })
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const Service =
  <Self>() =>
  <const Id extends string, LSelf, OSelf, K, A, LE, E = never, R = never>(
    id: Id,
    options: Options<LSelf, OSelf, K, A, LE, E, R>,
  ): ServiceClass<Self, Id, K, A, LSelf | OSelf, Exclude<R, Scope.Scope>> => {
    const tag = Context.Service<Self, WriteBehind<K, A>>()(id)
    const made = (flushes: boolean) =>
      Effect.gen(function* () {
        const chosen = chosenOf(options)
        const larder = yield* options.larder
        const outbox = yield* options.outbox
        const { writeMany } = options
        return yield* behind<K, A, E, R>(
          { ...chosen, name: id, larder: larder as Larder<K, A, unknown>, outbox, writeMany },
          flushes,
        )
      })
    return Object.assign(tag, {
      layer: Layer.effect(tag, made(true)),
      // The services of `writeMany` are not needed where nothing is written.
      layerOfferOnly: Layer.effect(tag, made(false)) as Layer.Layer<Self, never, LSelf | OSelf>,
    })
  }
