/**
 * A simulated cluster under `TestClock`: the nodes of one application, the server of their shared tier, and
 * the network between them. Nodes are killed, paused and cut off; the server loses its records, stands
 * still, and fails over. `LarderTest.nodes` is the same without faults of the server.
 *
 * What it does not model: a replica that has some records and lacks others from before, connections that
 * are open in one direction, and failures inside a step of the server.
 *
 * @module
 * @category testing
 * @since 0.1.0
 */
import { MemoryTier, Tier, type TierStack } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Chaos from "./Chaos.ts"
import { networkOf } from "./internal/chaos/network.ts"
import { heldBy, Hold } from "./internal/nodes/heldTier.ts"
import { checkServer } from "./internal/nodes/sharing.ts"
import { nodeOf, simulate } from "./internal/nodes/simulate.ts"
import { checkLimits, checkNames, type NamesOf } from "./internal/options.ts"
import type * as LarderTest from "./LarderTest.ts"
import { Timeline } from "./Timeline.ts"

/**
 * The server of the shared tier.
 *
 * @category models
 * @since 0.1.0
 */
export interface Server extends Omit<MemoryTier.SharedServer, "layer"> {
  /**
   * Lets the server stand still until `resume`: it answers nothing and sends no heartbeats. Requests wait,
   * and are carried out when it goes on, also those that their senders have given up.
   */
  readonly pause: Effect.Effect<void>
  /** Lets the server go on. */
  readonly resume: Effect.Effect<void>
}

/**
 * A cluster of `N` nodes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cluster<A, E, N extends number> {
  /** The nodes A, B, C and so on. */
  readonly nodes: LarderTest.ListOf<LarderTest.Node<A, E>, N>
  readonly server: Server
  /**
   * Cuts these nodes off from the server: their requests do not arrive, and no message reaches them. Takes
   * the place of other faults of their way to it.
   */
  readonly partition: (
    ...nodes: ReadonlyArray<Pick<LarderTest.Node<never>, "name">>
  ) => Effect.Effect<void, never, Chaos.Chaos>
  /** Ends all partitions and other faults of `Chaos`, and lets the server go on. */
  readonly heal: Effect.Effect<void, never, Chaos.Chaos>
}

/**
 * Options of {@link make}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<E = never, R = never> extends Pick<
  LarderTest.NodesOptions<E, R>,
  "memory" | "file" | "skews"
> {
  /** The limits of the server, such as its `heartbeat` and `leaseTime`. */
  readonly limits?: Tier.LimitOptions | undefined
}

const names: NamesOf<Options> = { memory: true, file: true, skews: true, limits: true }

/** The name of the shared tier, of which each node has a way of its own. */
const shared = "shared"

/**
 * Makes a cluster, until the scope closes.
 *
 * **When to use**
 *
 * For what your application does when nodes die and servers lose data. Where only messages are late or lost,
 * `LarderTest.nodes` with `Chaos.setMessages` does.
 *
 * **Details**
 *
 * `app` is the layer of the application's larders, or a function of the node to it, as for
 * `LarderTest.nodes`. The way of node A to the server is the place `A/shared` of `Chaos`.
 *
 * **Gotchas**
 *
 * Dies with `LarderTest.WronglyShared` where `app` brings a `TierStack` along: its larders would not use the
 * server.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, Policy, Upstream } from "@larder/core"
 * import { Cluster, LarderTest, Timeline } from "@larder/testing"
 * import { Effect, Schema } from "effect"
 * import * as assert from "node:assert"
 *
 * class Prices extends Larder.Service<Prices>()("shop/Prices", {
 *   value: Schema.Finite,
 *   upstream: Upstream.make({
 *     lookup: (_: string) => Effect.delay(Effect.succeed(120), "50 millis"),
 *   }),
 *   policy: Policy.make({ freshFor: "1 minute", staleIfError: "1 hour" }),
 * }) {}
 *
 * const program = Effect.gen(function* () {
 *   const { nodes: [a, b], partition, heal } = yield* Cluster.make(2, Prices.layer)
 *   yield* LarderTest.settle(b.run(Prices.get("milk")))
 *   yield* partition(b)
 *   yield* a.run(Prices.set("milk", 130))
 *   // B knows after three heartbeats that it may have missed something.
 *   yield* LarderTest.advance("4 seconds")
 *   const known = yield* LarderTest.settle(b.run(Prices.read("milk")))
 *   assert.strictEqual(known.freshness._tag, "Stale")
 *   yield* heal
 *   yield* LarderTest.advance("2 seconds")
 *   assert.strictEqual(yield* LarderTest.settle(b.run(Prices.get("milk"))), 130)
 * })
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(LarderTest.layer)))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const N extends number, A, E, R, E2 = never, R2 = never>(
  count: N,
  app: Layer.Layer<A, E, R> | ((node: LarderTest.NodeInfo) => Layer.Layer<A, E, R>),
  options: Options<E2, R2> = {},
): Effect.Effect<
  Cluster<A, E | E2, N>,
  E | E2,
  Exclude<R | R2, TierStack.TierStack | Scope.Scope> | Timeline | Chaos.Chaos | Scope.Scope
> =>
  Effect.gen(function* () {
    checkNames("Cluster", names, options)
    const { limits = {}, ...own } = options
    checkLimits("Cluster", limits)
    const chaos = yield* Chaos.Chaos
    const timeline = yield* Timeline
    const hold = new Hold()
    const network = networkOf(chaos)
    const server = yield* MemoryTier.sharedServer({
      ...limits,
      network: {
        deliver: (sent, to) =>
          hold.isHeld && sent._tag === "Heartbeat" ? [] : network.deliver(sent, to),
      },
    })
    const tier = yield* Effect.provide(Tier.Tier, server.layer)
    if (tier.kind !== "bytes") return yield* Effect.die(new Error("the server keeps no bytes"))
    const held = Layer.succeed(Tier.Tier, heldBy(hold, tier))
    const all = yield* simulate(count, app, { ...own, shared: held })
    const larders = all.flatMap((node) => node.larders)
    yield* checkServer(larders, tier)
    const nodes = all.map(nodeOf) as unknown as LarderTest.ListOf<LarderTest.Node<A, E | E2>, N>
    const noted = <B>(text: string, effect: Effect.Effect<B>): Effect.Effect<B> =>
      Effect.andThen(
        Effect.sync(() => timeline.note(shared, text)),
        effect,
      )
    const cut = ({ name }: Pick<LarderTest.Node<never>, "name">) =>
      Effect.andThen(
        Chaos.setTier(`${name}/${shared}`, { hang: 1 }),
        Chaos.setMessages(`${name}/${shared}`, { lose: 1 }),
      )
    const resume = Effect.sync(() => hold.end())
    return {
      nodes,
      server: {
        loseAll: noted("all records are lost", server.loseAll),
        evict: (share) => noted(`evicts ${share} of its entries`, server.evict(share)),
        replicate: Effect.map(server.replicate, (failOver) => noted("fails over", failOver)),
        pause: noted(
          "paused",
          Effect.sync(() => hold.begin()),
        ),
        resume: noted("resumed", resume),
      },
      partition: (...cutOff) => Effect.forEach(cutOff, cut, { discard: true }),
      heal: Effect.andThen(Chaos.calm, resume),
    }
  })
