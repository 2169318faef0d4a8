/**
 * Faults that a test switches on and off while it runs: around any tier, backplane and upstream, and in
 * the messages between nodes. All chance comes from `Random` and all time from `Clock`, so that a seed
 * repeats them.
 *
 * A place with faults has a name, such as `shared`; on the nodes of `LarderTest.nodes` the place of node
 * A is `A/shared`, elsewhere `app/shared`. Setting faults for `shared` sets them on every node.
 *
 * @module
 * @category testing
 * @since 0.1.0
 */
import { Backplane, InvalidOptions, MemoryTier, Tier, type Upstream } from "@larder/core"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { backplaneWith } from "./internal/chaos/backplane.ts"
import type {
  BackplaneFaults,
  Given,
  Kind,
  MessageFaults,
  TierFaults,
  UpstreamFaults,
} from "./internal/chaos/faults.ts"
import { ChaosHandle } from "./internal/chaos/handle.ts"
import type { Distribution } from "./internal/chaos/latency.ts"
import { networkOf, overNetwork } from "./internal/chaos/network.ts"
import { tierWith } from "./internal/chaos/tier.ts"
import { upstreamWith } from "./internal/chaos/upstream.ts"
import { millisOf } from "./internal/millis.ts"
import { NodeName } from "./internal/nodes/nodeName.ts"
import {
  checkFunction,
  checkLimits,
  checkNames,
  layerOf,
  type NamesOf,
} from "./internal/options.ts"
import { Timeline } from "./Timeline.ts"

export type {
  BackplaneFaults,
  MessageFaults,
  TierFaults,
  UpstreamFaults,
} from "./internal/chaos/faults.ts"
export type { Distribution, Latency } from "./internal/chaos/latency.ts"
export { NoSuchPlace } from "./internal/chaos/handle.ts"
export { ChaosFailure } from "./internal/chaos/upstream.ts"

/**
 * The service: all faults of a test. `LarderTest.layer` provides it.
 *
 * **Example**
 *
 * ```ts
 * import { Chaos, LarderTest } from "@larder/testing"
 * import { Effect } from "effect"
 *
 * await Effect.runPromise(Effect.provide(Chaos.Chaos, LarderTest.layer))
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class Chaos extends Context.Service<Chaos, ChaosHandle>()("@larder/testing/Chaos") {}

/**
 * No faults at first.
 *
 * **When to use**
 *
 * Where `LarderTest.layer`, which has it, does not fit.
 *
 * **Details**
 *
 * Draws one number from `Random` when it is built, and all others from a generator of its own: faults
 * do not change what larders draw. A `Timeline` of the build shows when faults are set.
 *
 * **Example**
 *
 * ```ts
 * import { Chaos } from "@larder/testing"
 * import { Effect } from "effect"
 *
 * await Effect.runPromise(Effect.provide(Chaos.calm, Chaos.layer))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Chaos> = Layer.effect(
  Chaos,
  Effect.gen(function* () {
    const seed = yield* Random.nextInt
    const random = yield* Random.withSeed(Random.Random, seed)
    const timeline = yield* Effect.serviceOption(Timeline)
    const node = yield* NodeName
    return new ChaosHandle(random, (text) => {
      if (Option.isSome(timeline)) timeline.value.note(node, text)
    })
  }),
)

/**
 * The name of a place, and its faults at first.
 *
 * @category options
 * @since 0.1.0
 */
export interface PlaceOptions<F> {
  /** The name of the place. */
  readonly name?: string | undefined
  /** The faults until others are set. Default: none. */
  readonly faults?: F | undefined
}

const placeNames: NamesOf<PlaceOptions<never>> = { name: true, faults: true }

/** Throws `InvalidOptions`. */
const checkName = (name: unknown): void => {
  if (name === undefined || (typeof name === "string" && name !== "")) return
  const must = "be a non-empty string, or be left out"
  throw InvalidOptions.of({ module: "Chaos", field: "name", must, got: name })
}

/** The layer around which a place is. Throws `InvalidOptions`. */
const around = <A, E, R>(
  field: string,
  layer: Layer.Layer<A, E, R>,
  options: PlaceOptions<unknown>,
): Layer.Layer<A, E, R> => {
  checkNames("Chaos", placeNames, options)
  checkName(options.name)
  return layerOf("Chaos", field, layer)
}

/**
 * A tier with faults; its name is the default name of the place.
 *
 * **Details**
 *
 * The messages of an arbiter that pass here have the faults of `setMessages`. Only
 * {@link layerShared} also tells the nodes that messages are missing, as a server's heartbeat would.
 *
 * **Gotchas**
 *
 * Dies with `InvalidOptions` for a tier of values, such as `MemoryTier.layer`: it answers within the call
 * and cannot fail.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Chaos, LarderTest } from "@larder/testing"
 * import { Effect, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * const stack = TierStack.layer(MemoryTier.layer(), Chaos.aroundTier(MemoryTier.layerShared))
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     value: Schema.Finite,
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(120) }),
 *     policy: Policy.make({ freshFor: "1 minute", tierTimeout: "100 millis" }),
 *   })
 *   yield* Chaos.setTier("shared", { hang: 1 })
 *   // The tier does not answer: the larder gives it up after 100 ms, and asks upstream.
 *   return yield* LarderTest.settle(prices.get("milk"))
 * })
 * const price = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(LarderTest.layerWith({ stack }))),
 * )
 * assert.strictEqual(price, 120)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const aroundTier = <E, R>(
  tier: Layer.Layer<Tier.Tier, E, R>,
  options: PlaceOptions<TierFaults> = {},
): Layer.Layer<Tier.Tier, E, R | Chaos> =>
  Layer.suspend(() =>
    Layer.provide(
      Layer.effect(
        Tier.Tier,
        Effect.gen(function* () {
          const inner = yield* Tier.Tier
          const chaos = yield* Chaos
          const node = yield* NodeName
          if (inner.kind !== "bytes") {
            const must = "be a tier of bytes: a tier of values answers within the call"
            throw InvalidOptions.of({ module: "Chaos", field: "tier", must, got: inner.name })
          }
          const place = chaos.register("tier", node, options.name ?? inner.name, options.faults)
          chaos.register("messages", node, options.name ?? inner.name, undefined)
          return tierWith({ chaos, place, tier: inner })
        }),
      ),
      around("tier", tier, options),
    ),
  )

/**
 * {@link layerShared} with other limits, such as another `heartbeat`.
 *
 * **Gotchas**
 *
 * Each call makes a layer, and so a tier, of its own.
 *
 * **Example**
 *
 * ```ts
 * import { Chaos } from "@larder/testing"
 * import { Layer } from "effect"
 * import * as assert from "node:assert"
 *
 * const shared = Chaos.layerSharedWith({ heartbeat: "5 seconds" })
 * assert.ok(Layer.isLayer(shared))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSharedWith = (
  limits: Tier.LimitOptions = {},
): Layer.Layer<Tier.Tier, never, Chaos> =>
  Layer.effect(
    Tier.Tier,
    Effect.gen(function* () {
      checkLimits("Chaos", limits)
      const network = networkOf(yield* Chaos)
      const built = yield* Layer.build(MemoryTier.layerSharedWith({ ...limits, network }))
      return overNetwork(Context.get(built, Tier.Tier))
    }),
  )

/**
 * `MemoryTier.layerShared` over a network whose faults are those of `setMessages`.
 *
 * **When to use**
 *
 * For nodes that lose messages, or get them late. `LarderTest.nodes` uses it by default. Each node's way
 * to it goes through {@link aroundTier}, which gives the node a place of its own.
 *
 * **Details**
 *
 * The tier sends a heartbeat every second, so that nodes notice silence and missing messages.
 *
 * **Gotchas**
 *
 * A layer *value*: all stacks of one build share the tier. Heartbeats take a timer: an hour of virtual
 * time has 3,600 of them for each node and larder.
 *
 * **Example**
 *
 * ```ts
 * import { Chaos, LarderTest } from "@larder/testing"
 * import { Tier } from "@larder/core"
 * import { Effect, Layer } from "effect"
 * import * as assert from "node:assert"
 *
 * const name = Effect.map(Tier.Tier, (tier) => tier.name)
 * const layer = Layer.provide(Chaos.layerShared, Chaos.layer)
 * assert.strictEqual(await Effect.runPromise(Effect.provide(name, layer)), "shared")
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerShared: Layer.Layer<Tier.Tier, never, Chaos> = layerSharedWith()

/**
 * An upstream with faults, in the place `name`; `"upstream"` by default.
 *
 * **Details**
 *
 * A lookup that is to fail dies with {@link ChaosFailure}, or fails with the error that `failure` makes for
 * the key. Put it first in the pipe: then retries, breakers and permits see the faults.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, Policy, Upstream } from "@larder/core"
 * import { Chaos, LarderTest } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(120) }).pipe(
 *       Chaos.aroundUpstream({ name: "catalogue" }),
 *     ),
 *     policy: Policy.make({ freshFor: "1 second", staleIfError: "1 hour" }),
 *   })
 *   yield* prices.get("milk")
 *   yield* Chaos.setUpstream("catalogue", { failure: 1 })
 *   yield* LarderTest.advance("1 minute")
 *   return yield* prices.get("milk")
 * })
 * const price = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
 * )
 * assert.strictEqual(price, 120)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const aroundUpstream = <K, E = never>(
  options: PlaceOptions<UpstreamFaults> & {
    /** The failure of a lookup of the key. Default: a defect. */
    readonly failure?: ((key: K) => E) | undefined
  } = {},
): (<K2 extends K, A, E2, R>(
  upstream: Upstream.Upstream<K2, A, E2, R>,
) => Upstream.Upstream<K2, A, E | E2, R | Chaos>) => {
  checkNames("Chaos", { ...placeNames, failure: true }, options)
  const { failure, faults, name = "upstream" } = options
  checkName(name)
  checkFunction("Chaos", "failure", failure)
  return <K2 extends K, A, E2, R>(upstream: Upstream.Upstream<K2, A, E2, R>) =>
    upstreamWith<K2, A, E | E2, R, Chaos>(
      upstream,
      Effect.gen(function* () {
        const chaos = yield* Chaos
        const node = yield* NodeName
        const place = chaos.register("upstream", node, name, faults)
        return { chaos, place, failure }
      }),
    )
}

/**
 * A backplane with faults; its name is the default name of the place.
 *
 * **Example**
 *
 * ```ts
 * import { Backplane, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Chaos, LarderTest } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const node = Effect.suspend(() =>
 *   Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(120) }),
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *   }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer()))),
 * )
 * const program = Effect.gen(function* () {
 *   const a = yield* node
 *   const b = yield* node
 *   yield* b.get("milk")
 *   yield* Chaos.setBackplane("memory", { lose: 1 })
 *   yield* a.set("milk", 130)
 *   yield* LarderTest.advance("1 second")
 *   // Nothing tells b of the change, so it serves the older value until its freshness ends.
 *   return yield* b.get("milk")
 * }).pipe(Effect.provide(Chaos.aroundBackplane(Backplane.layerMemory)))
 * const price = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
 * )
 * assert.strictEqual(price, 120)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const aroundBackplane = <E, R>(
  backplane: Layer.Layer<never, E, R>,
  options: PlaceOptions<BackplaneFaults> = {},
): Layer.Layer<never, E, R | Chaos> =>
  Layer.suspend(() =>
    Layer.provide(
      Layer.effect(
        Backplane.Backplane,
        Effect.gen(function* () {
          const inner = yield* Backplane.Backplane
          const chaos = yield* Chaos
          const node = yield* NodeName
          const place = chaos.register(
            "backplane",
            node,
            options.name ?? inner.name,
            options.faults,
          )
          return backplaneWith({ chaos, place }, inner)
        }),
      ),
      around("backplane", backplane, options),
    ),
  )

const set = <K extends Kind>(
  kind: K,
  name: string,
  faults: Given[K],
): Effect.Effect<void, never, Chaos> => Effect.map(Chaos, (chaos) => chaos.set(kind, name, faults))

/**
 * Sets the faults of a tier, in place of those before: of `"shared"` on every node, of `"A/shared"` on the
 * way of node A.
 *
 * **Gotchas**
 *
 * Dies with {@link NoSuchPlace} where no `aroundTier` has this name, and with `InvalidOptions` for a share
 * that is not from 0 to 1. Operations that have begun keep the faults that they began with.
 *
 * **Example**
 *
 * ```ts
 * import { MemoryTier, Tier } from "@larder/core"
 * import { Chaos } from "@larder/testing"
 * import { Effect, Layer } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const tier = yield* Tier.Tier
 *   if (tier.kind !== "bytes") return
 *   const store = yield* tier.open({ larder: "prices" })
 *   yield* Chaos.setTier("shared", { failure: 1, operations: "reads" })
 *   return yield* Effect.exit(store.read(["milk"]))
 * })
 * const shared = Chaos.aroundTier(MemoryTier.layerShared)
 * const exit = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(Layer.provideMerge(shared, Chaos.layer))),
 * )
 * assert.strictEqual(exit?._tag, "Failure")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const setTier = (name: string, faults: TierFaults): Effect.Effect<void, never, Chaos> =>
  set("tier", name, faults)

/**
 * Sets the faults of an upstream, in place of those before. See {@link setTier} and
 * {@link aroundUpstream}.
 *
 * **Example**
 *
 * ```ts
 * import { Upstream } from "@larder/core"
 * import { Chaos } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const upstream = Upstream.make({ lookup: (id: string) => Effect.succeed(id) }).pipe(
 *   Chaos.aroundUpstream(),
 * )
 * const program = Effect.gen(function* () {
 *   const { lookup } = yield* upstream.resolve
 *   yield* Chaos.setUpstream("upstream", { failure: 1 })
 *   return yield* Effect.exit(lookup("milk", undefined))
 * })
 * const exit = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(Chaos.layer)),
 * )
 * assert.strictEqual(exit._tag, "Failure")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const setUpstream = (
  name: string,
  faults: UpstreamFaults,
): Effect.Effect<void, never, Chaos> => set("upstream", name, faults)

/**
 * Sets the faults of the messages of a shared tier to every node, or, for `"B/shared"`, to node B. See
 * {@link setTier}; the place is that of `aroundTier`.
 *
 * **Example**
 *
 * ```ts
 * import { MemoryTier, Tier } from "@larder/core"
 * import { Chaos } from "@larder/testing"
 * import { Effect, Layer } from "effect"
 * import * as assert from "node:assert"
 *
 * const heard: Array<string> = []
 * const program = Effect.gen(function* () {
 *   const tier = yield* Tier.Tier
 *   if (tier.kind !== "bytes") return
 *   const { arbiter } = yield* tier.open({ larder: "prices" })
 *   yield* arbiter!.listen!((message) => heard.push(message._tag))
 *   yield* Chaos.setMessages("shared", { lose: 1 })
 *   yield* arbiter!.write("milk", { _tag: "Remove" }, 0)
 * })
 * const shared = Chaos.aroundTier(MemoryTier.layerShared)
 * await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(Layer.provideMerge(shared, Chaos.layer))),
 * )
 * assert.deepStrictEqual(heard, [])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const setMessages = (
  name: string,
  faults: MessageFaults,
): Effect.Effect<void, never, Chaos> => set("messages", name, faults)

/**
 * Sets the faults of a backplane, in place of those before. See {@link setTier} and
 * {@link aroundBackplane}.
 *
 * **Example**
 *
 * ```ts
 * import { Backplane } from "@larder/core"
 * import { Chaos } from "@larder/testing"
 * import { Effect, Layer } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const backplane = yield* Backplane.Backplane
 *   const link = yield* backplane.open({ larder: "prices" })
 *   yield* Chaos.setBackplane("memory", { failure: 1 })
 *   const message = { _tag: "Changed", node: "a", key: "milk", isRemoval: true } as const
 *   return yield* Effect.exit(link.publish(message))
 * })
 * const layer = Layer.provideMerge(Chaos.aroundBackplane(Backplane.layerMemory), Chaos.layer)
 * const exit = await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(layer)))
 * assert.strictEqual(exit._tag, "Failure")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const setBackplane = (
  name: string,
  faults: BackplaneFaults,
): Effect.Effect<void, never, Chaos> => set("backplane", name, faults)

/**
 * Ends all faults.
 *
 * **Example**
 *
 * ```ts
 * import { Chaos } from "@larder/testing"
 * import { Effect } from "effect"
 *
 * await Effect.runPromise(Effect.provide(Chaos.calm, Chaos.layer))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const calm: Effect.Effect<void, never, Chaos> = Effect.map(Chaos, (chaos) => chaos.calm())

/**
 * Times that are drawn evenly between two.
 *
 * **Example**
 *
 * ```ts
 * import { Chaos } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const latency = Chaos.between("10 millis", "30 millis")
 * assert.strictEqual(latency(0.5), 20)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const between = (least: Duration.Input, most: Duration.Input): Distribution => {
  const from = millisOf("Chaos", "between", least)
  const to = millisOf("Chaos", "between", most)
  return (drawn) => from + (to - from) * drawn
}

/**
 * Times with this mean, most of them shorter and a few much longer, as those of a busy server.
 *
 * **Example**
 *
 * ```ts
 * import { Chaos } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const latency = Chaos.exponential("10 millis")
 * assert.strictEqual(latency(1), 0)
 * assert.ok(latency(0.01) > 40)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const exponential = (mean: Duration.Input): Distribution => {
  const millis = millisOf("Chaos", "exponential", mean)
  return (drawn) => millis * Math.log(1 / drawn)
}
