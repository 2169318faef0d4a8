/**
 * Tests of caching in virtual time. {@link layer} is all that a test of one node needs: a memory tier, a
 * `TestClock`, a seeded `Random`, a `Timeline` of what happens, and `Chaos`. {@link nodes} makes several
 * nodes of one application that share a tier, {@link stub} replaces a larder by values, and
 * {@link advance} and {@link settle} move the clock and wait for everything that is due.
 *
 * @module
 * @category testing
 * @since 0.1.0
 */
import {
  InvalidOptions,
  type Larder,
  MemoryTier,
  type Tier,
  TierStack,
  type Upstream,
} from "@larder/core"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Chaos from "./Chaos.ts"
import { recordsBefore } from "./internal/limits.ts"
import { finiteMillisOf, millisOf } from "./internal/millis.ts"
import { checkFunction, checkNames, layerOf, type NamesOf } from "./internal/options.ts"
import { nodeOf, simulate } from "./internal/nodes/simulate.ts"
import { stubLarder } from "./internal/stub.ts"
import { advanceTo, idle as idleOf, settled, virtualClock } from "./internal/time/advance.ts"
import { clockLayer } from "./internal/time/clockLayer.ts"
import { lanesOfPart } from "./internal/timeline/lanes.ts"
import * as Timeline from "./Timeline.ts"

export { NeverSettled, NoVirtualTime } from "./internal/time/advance.ts"
export { NodeKilled } from "./internal/nodes/node.ts"
export { WronglyShared } from "./internal/nodes/sharing.ts"
export { NotStubbed } from "./internal/stub.ts"

/**
 * Options of {@link layerWith}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<E = never, R = never> {
  /** The tiers. Default `TierStack.layer(MemoryTier.layer())`. */
  readonly stack?: Layer.Layer<TierStack.TierStack, E, R | Chaos.Chaos> | undefined
  /** The seed of `Random`: the same seed, the same events. Default 1. */
  readonly seed?: string | number | undefined
}

const random = (seed: string | number): Layer.Layer<never> =>
  Layer.effect(Random.Random, Random.withSeed(Random.Random, seed))

/**
 * {@link layer} with other tiers, or another seed.
 *
 * **Details**
 *
 * Tiers may be wrapped by `Chaos.aroundTier` without more.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { LarderTest } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(120) }),
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *   })
 *   yield* Effect.all([prices.get("milk"), prices.get("eggs")])
 *   return (yield* prices.stats).entries
 * })
 * const stack = TierStack.layer(MemoryTier.layer({ maxEntries: 1 }))
 * const entries = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(LarderTest.layerWith({ stack, seed: 42 }))),
 * )
 * assert.strictEqual(entries, 1)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = <E = never, R = never>(
  options: Options<E, R> = {},
): Layer.Layer<TierStack.TierStack | Timeline.Timeline | Chaos.Chaos, E, Exclude<R, Chaos.Chaos>> =>
  Layer.suspend(() => {
    checkNames("LarderTest", layerNames, options)
    const { seed = 1, stack = TierStack.layer(MemoryTier.layer()) } = options
    const time = Layer.provideMerge(random(checkedSeed(seed)), clockLayer)
    const recording = Layer.provideMerge(Timeline.layer, time)
    const chaos = Layer.provideMerge(Chaos.layer, recording)
    return Layer.provideMerge(layerOf("LarderTest", "stack", stack), chaos) as Layer.Layer<
      TierStack.TierStack | Timeline.Timeline | Chaos.Chaos,
      E,
      Exclude<R, Chaos.Chaos>
    >
  })

const layerNames: NamesOf<Options> = { stack: true, seed: true }

const checkedSeed = (seed: string | number): string | number => {
  if (typeof seed === "string" || Number.isFinite(seed)) return seed
  const must = "be a string or a finite number"
  throw InvalidOptions.of({ module: "LarderTest", field: "seed", must, got: seed })
}

/**
 * What a test of caching needs: a `TierStack` of a memory tier, virtual time, a seeded `Random`, a
 * `Timeline` that records all larders, and `Chaos` without faults.
 *
 * **When to use**
 *
 * Around each test: `Effect.provide(LarderTest.layer)` for larders that the test makes,
 * `Layer.provideMerge(Products.layer, LarderTest.layer)` for those of an application. It works with
 * `it.effect` of `@effect/vitest`, whose `TestClock` it uses, and with `Effect.runPromise`, where it makes
 * one.
 *
 * **Gotchas**
 *
 * Provide it per test. `it.layer` would share one clock and one cache among the tests of its block. With
 * `Layer.provide` the test itself would not have the clock; {@link advance} dies with
 * {@link NoVirtualTime} then.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, Policy, Upstream } from "@larder/core"
 * import { LarderTest, Timeline } from "@larder/testing"
 * import { Effect, Layer } from "effect"
 *
 * class Prices extends Larder.Service<Prices>()("shop/Prices", {
 *   upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(120) }),
 *   policy: Policy.make({ freshFor: "1 minute" }),
 * }) {}
 *
 * const program = Effect.gen(function* () {
 *   yield* Prices.get("milk")
 *   yield* LarderTest.advance("30 seconds")
 *   yield* Prices.get("milk")
 *   yield* Timeline.expect("milk").lookups(1)
 *   yield* LarderTest.advance("31 seconds")
 *   yield* Prices.get("milk")
 *   yield* Timeline.expect("milk").lookups(2)
 * })
 * await Effect.runPromise(
 *   Effect.provide(program, Layer.provideMerge(Prices.layer, LarderTest.layer)),
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<TierStack.TierStack | Timeline.Timeline | Chaos.Chaos> = layerWith()

/**
 * Lets time pass: moves the clock from one sleeper to the next, and after each waits until everything
 * that is due has run.
 *
 * **When to use**
 *
 * In place of `TestClock.adjust`, which moves on while work that takes several turns of the event loop is
 * still under way.
 *
 * **Details**
 *
 * Dies with {@link NoVirtualTime} without {@link layer} around it. What runs on a thread of its own, such
 * as compression, is not waited for.
 *
 * **Example**
 *
 * ```ts
 * import { LarderTest } from "@larder/testing"
 * import { Clock, Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   let woken = 0
 *   yield* Effect.forkChild(
 *     Effect.forever(Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => woken++))),
 *   )
 *   yield* LarderTest.advance("5 seconds")
 *   assert.strictEqual(woken, 5)
 *   return yield* Clock.currentTimeMillis
 * })
 * const now = await Effect.runPromise(Effect.provide(program, LarderTest.layer))
 * assert.strictEqual(now, 5_000)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const advance = (time: Duration.Input): Effect.Effect<void> =>
  Effect.gen(function* () {
    const asks = "LarderTest.advance"
    const clock = yield* virtualClock(asks)
    yield* advanceTo(clock, clock.now() + finiteMillisOf("LarderTest", "advance", time), asks)
  })

/**
 * Waits until nothing can run without time passing: a refresh behind has begun, a message has arrived.
 *
 * **Details**
 *
 * Dies with {@link NeverSettled} where work repeats without a pause. Outside of {@link layer} it waits for
 * nothing.
 *
 * **Example**
 *
 * ```ts
 * import { LarderTest } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   let turns = 0
 *   const turn = Effect.andThen(Effect.yieldNow, Effect.sync(() => turns++))
 *   yield* Effect.forkChild(Effect.repeat(turn, { times: 9 }))
 *   yield* LarderTest.idle
 *   return turns
 * })
 * assert.strictEqual(await Effect.runPromise(Effect.provide(program, LarderTest.layer)), 10)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const idle: Effect.Effect<void> = idleOf("LarderTest.idle")

/**
 * Options of {@link settle}.
 *
 * @category options
 * @since 0.1.0
 */
export interface SettleOptions {
  /** How much virtual time may pass until the effect has ended. Default 10 minutes. */
  readonly within?: Duration.Input | undefined
}

/**
 * Runs an effect to its end, and moves the clock as far as the effect needs: through lookups, retries and
 * timeouts, however long they sleep.
 *
 * **When to use**
 *
 * For a call that waits for time, without a fiber of its own and an adjustment of the clock that fits.
 *
 * **Details**
 *
 * Time moves only when nothing else can run, and only to the next sleeper. The effect that has not ended
 * `within` dies with {@link NeverSettled}, which shows the end of the timeline; so does one that waits for
 * something that no clock moves, after a second of real time.
 *
 * **Gotchas**
 *
 * Everything that sleeps wakes on the way, also what the effect does not wait for.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, Policy, Upstream } from "@larder/core"
 * import { LarderTest } from "@larder/testing"
 * import { Clock, Effect, Schedule } from "effect"
 * import * as assert from "node:assert"
 *
 * let attempts = 0
 * const flaky = Effect.suspend(() => (++attempts < 3 ? Effect.fail("busy") : Effect.succeed(120)))
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({ lookup: (_: string) => flaky }).pipe(
 *       Upstream.withRetry(Schedule.spaced("1 second")),
 *     ),
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *   })
 *   const price = yield* LarderTest.settle(prices.get("milk"))
 *   return [price, yield* Clock.currentTimeMillis]
 * })
 * const result = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
 * )
 * assert.deepStrictEqual(result, [120, 2_000])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const settle = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: SettleOptions = {},
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    checkNames("LarderTest", settleNames, options)
    const { within = "10 minutes" } = options
    return settled(effect, {
      asks: "LarderTest.settle",
      within: millisOf("LarderTest", "within", within),
      found: lastRecords,
    })
  })

const settleNames: NamesOf<SettleOptions> = { within: true }

/** The end of the timeline, if there is one. */
const lastRecords: Effect.Effect<string> = Effect.map(
  Effect.serviceOption(Timeline.Timeline),
  (timeline) => {
    if (Option.isNone(timeline) || timeline.value.records.length === 0) return ""
    const { began, nodes, records } = timeline.value
    const shown = records.filter(({ _tag }) => _tag !== "Decided").slice(-recordsBefore)
    return `. The last records:\n\n${lanesOfPart({ records: shown, began, nodes })}`
  },
)

/**
 * A simulated node of an application.
 *
 * @category models
 * @since 0.1.0
 */
export interface Node<A, E = never> {
  /**
   * The name in the timeline and before the names of its places for `Chaos`: A, B, C and so on, without those
   * that other nodes of the test have.
   */
  readonly name: string
  /** Runs an effect on the node: with its larders, its clock and its way to the shared tier. */
  readonly run: <B, E2, R>(effect: Effect.Effect<B, E2, R>) => Effect.Effect<B, E2, Exclude<R, A>>
  /**
   * Sets the node's time of day, by so many milliseconds ahead of virtual time, or behind where negative.
   * Durations are not affected: the node's monotonic time runs on.
   */
  readonly setSkew: (millis: number) => Effect.Effect<void>
  /**
   * From now on the node's time of day runs `rate` times as fast as virtual time: 1.001 gains 86 seconds a
   * day. What it is ahead already stays. Durations are not affected.
   */
  readonly setRate: (rate: number) => Effect.Effect<void>
  /**
   * Ends the node and begins it again, as where a process is replaced: its memory is empty, its file tier
   * and the shared tier are as they were. Larders write what is queued before they close; those of a killed
   * node do not. Fails as the layer of the application does.
   */
  readonly restart: Effect.Effect<void, E>
  /**
   * Ends the node's process at once, as `kill -9`: what it had queued reaches no tier, no lease is released,
   * and what sleeps or waits for a tier does not go on. Calls that wait die with {@link NodeKilled}, and so
   * does `run` until `restart`.
   */
  readonly kill: Effect.Effect<void>
  /**
   * Lets the node's process stand still until `resume`, as `SIGSTOP` or a long pause of the collector: its
   * timers, the answers of tiers, messages and new calls by `run` wait. Time runs on. Work that waits for
   * none of these continues.
   */
  readonly pause: Effect.Effect<void>
  /** Lets a node go on that stands still: what has arrived meanwhile is applied at once, in its order. */
  readonly resume: Effect.Effect<void>
}

/**
 * A list with `N` members; of unknown length where `N` is not a literal.
 *
 * @category models
 * @since 0.1.0
 */
export type ListOf<
  A,
  N extends number,
  List extends ReadonlyArray<A> = readonly [],
> = number extends N
  ? ReadonlyArray<A>
  : List["length"] extends N
    ? List
    : ListOf<A, N, readonly [...List, A]>

/**
 * Which node a layer is for.
 *
 * @category models
 * @since 0.1.0
 */
export interface NodeInfo {
  /** That of the node: A, B, C and so on. */
  readonly name: string
  /** From 0. */
  readonly index: number
}

/**
 * Options of {@link nodes}.
 *
 * @category options
 * @since 0.1.0
 */
export interface NodesOptions<E = never, R = never> {
  /** The memory tier of each node. Default: those of `MemoryTier.layer`. */
  readonly memory?: MemoryTier.Options | undefined
  /**
   * The file tier of each node, between memory and the shared tier: `true` for a simulated one, or a function
   * to a layer, such as `SqliteTier.layer` with another file for each node. It outlives a restart of its
   * node; a layer of a function is built again then. Default: none.
   */
  readonly file?: boolean | ((node: NodeInfo) => Layer.Layer<Tier.Tier, E, R>) | undefined
  /** The tier that the nodes share. Default `Chaos.layerShared`, with heartbeats and a network. */
  readonly shared?: Layer.Layer<Tier.Tier, E, R | Chaos.Chaos> | undefined
  /**
   * By how many milliseconds the time of day of each node is ahead, or behind where negative, in the order of
   * the nodes. Default 0.
   */
  readonly skews?: ReadonlyArray<number> | undefined
}

/**
 * Makes several nodes of one application, until the scope closes. They share one tier, and each has a
 * memory, a clock and larders of its own.
 *
 * **When to use**
 *
 * For what happens between nodes: coalescing, changes that others hear of, lost messages, clocks that
 * differ. Two nodes that are put together by hand easily share nothing, or everything.
 *
 * **Details**
 *
 * `app` is the layer of the application's larders, or a function of the node to it. It is built for each
 * node anew. Services that the layer needs besides its `TierStack` come from around, so that the nodes share
 * them: the database behind all nodes. What the layer itself provides each node has for itself.
 *
 * A layer that has a `TierStack` already is built with that: the nodes share the value
 * `MemoryTier.layerShared` in it, or the layer that is also the option `shared`.
 *
 * The way of node A to the shared tier is the place `A/shared` of `Chaos`.
 *
 * **Gotchas**
 *
 * Dies with {@link WronglyShared} where larders of one name do not share their shared tier, have neither a
 * shared tier nor a backplane, or have one and the same memory tier, and where `app` brings
 * {@link layer} along: provide it around.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, Policy, Upstream } from "@larder/core"
 * import { LarderTest, Timeline } from "@larder/testing"
 * import { Effect, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * class Prices extends Larder.Service<Prices>()("shop/Prices", {
 *   value: Schema.Finite,
 *   upstream: Upstream.make({
 *     lookup: (_: string) => Effect.delay(Effect.succeed(120), "50 millis"),
 *   }),
 *   policy: Policy.make({ freshFor: "1 minute" }),
 * }) {}
 *
 * const program = Effect.gen(function* () {
 *   const [a, b] = yield* LarderTest.nodes(2, Prices.layer)
 *   const both = Effect.all([a.run(Prices.get("milk")), b.run(Prices.get("milk"))], {
 *     concurrency: "unbounded",
 *   })
 *   assert.deepStrictEqual(yield* LarderTest.settle(both), [120, 120])
 *   // One of them looked the price up, the other waited for it.
 *   yield* Timeline.expect("milk").lookups(1)
 *
 *   yield* a.run(Prices.set("milk", 130))
 *   yield* LarderTest.idle
 *   assert.strictEqual(yield* b.run(Prices.get("milk")), 130)
 * })
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(LarderTest.layer)))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const nodes = <const N extends number, A, E, R, E2 = never, R2 = never>(
  count: N,
  app: Layer.Layer<A, E, R> | ((node: NodeInfo) => Layer.Layer<A, E, R>),
  options: NodesOptions<E2, R2> = {},
): Effect.Effect<
  ListOf<Node<A, E | E2>, N>,
  E | E2,
  Exclude<R | R2, TierStack.TierStack | Scope.Scope> | Timeline.Timeline | Chaos.Chaos | Scope.Scope
> =>
  Effect.map(
    simulate(count, app, options),
    (all) => all.map(nodeOf) as unknown as ListOf<Node<A, E | E2>, N>,
  )

/**
 * The values of a {@link stub}, by key: the text that the larder's `key` makes; a number as it is. An `Exit`
 * is the outcome of the lookup.
 *
 * @category options
 * @since 0.1.0
 */
export interface StubValues<A, E> {
  readonly [key: string]: Upstream.Answer<A, E>
}

/**
 * Options of {@link stub}.
 *
 * @category options
 * @since 0.1.0
 */
export interface StubOptions<K> {
  /** The text of a key in the values, or the schema of the keys. Default: that of the larder. */
  readonly key?: ((key: K) => string) | Larder.KeySchema<K> | undefined
}

/**
 * The layer of a larder over given values: without upstream and without tiers.
 *
 * **When to use**
 *
 * To test code that uses a larder, where its caching does not matter.
 *
 * **Details**
 *
 * All methods work: it is a larder in memory whose lookups find the values, and which keeps what is
 * `set`. Its options `key`, `tags`, `etag` and `revision` are those of the service. A key without a value
 * is a defect with the name of the key, {@link NotStubbed}, also in `getMany`.
 *
 * **Gotchas**
 *
 * Where the options of the service come from an effect, the stub does not know them: give it `key` if the
 * keys are neither strings nor numbers, and where the larder's `key` is a schema.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, Policy, Upstream } from "@larder/core"
 * import { LarderTest } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * class Prices extends Larder.Service<Prices>()("shop/Prices", {
 *   upstream: Upstream.make({
 *     lookup: (_: string): Effect.Effect<number> => Effect.die(new Error("no database here")),
 *   }),
 *   policy: Policy.make({ freshFor: "1 minute" }),
 * }) {}
 *
 * const total = Effect.map(Prices.getMany(["milk", "eggs"]), (prices) => prices.size)
 * const stub = LarderTest.stub(Prices, { milk: 120, eggs: 310 })
 * assert.strictEqual(await Effect.runPromise(Effect.provide(total, stub)), 2)
 *
 * const exit = await Effect.runPromiseExit(Effect.provide(Prices.get("bread"), stub))
 * assert.match(String(exit), /shop\/Prices has no value for the key bread/)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const stub = <
  Self,
  Id extends string,
  K,
  A,
  E,
  R,
  E2,
  L extends Larder.Larder<K, A, E>,
  Key extends ((key: K) => string) | Larder.KeySchema<K>,
>(
  service: Larder.ServiceClass<Self, Id, K, A, E, R, E2, L, Key>,
  values: StubValues<A, E>,
  given: StubOptions<K> = {},
): Layer.Layer<Self> =>
  Layer.suspend(() => {
    checkNames("LarderTest", stubNames, given)
    const { key } = given
    if (!Schema.isSchema(key)) checkFunction("LarderTest", "key", key)
    if (typeof values !== "object" || values === null || Array.isArray(values)) {
      const must = "be an object with a value for each key"
      throw InvalidOptions.of({ module: "LarderTest", field: "values", must, got: values })
    }
    const options = service.options ?? { name: service.key }
    // A service whose larder has a schema of its keys has it in its options, or `given` has it.
    const made = stubLarder<K, A, E>({ options, values, key: key ?? options.key }) as Effect.Effect<
      L,
      never,
      Scope.Scope
    >
    return Layer.effect(service, made)
  })

const stubNames: NamesOf<StubOptions<never>> = { key: true }
