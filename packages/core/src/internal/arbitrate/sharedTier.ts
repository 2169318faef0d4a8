/**
 * A shared byte tier in one process, with an arbiter that notifies: what a server does for many
 * nodes, done in memory for several nodes of one program.
 *
 * Every operation is one synchronous step, and so atomic. Its time is that of the `Clock` it was
 * built with, except that it never steps back. It has no timers, unless it simulates a network: reads
 * and writes remove expired records.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Envelope from "../../Envelope.ts"
import { Tier, TierError, checkLimits } from "../../Tier.ts"
import type { Arbiter, ByteStore, ByteTier, LimitOptions, Limits } from "../../Tier.ts"
import { type Channel, type Network, direct, simulated } from "./channel.ts"
import { InvalidOptions } from "../../InvalidOptions.ts"
import { type SteadyClock, steadyClock } from "../runtime/steadyClock.ts"
import type { NamesOf } from "../runtime/optionNames.ts"
import { Shelf } from "./shelf.ts"

const name = "shared"

/** Rejects bytes without a version, which cannot be ordered. */
const withEnvelope = <A>(
  operation: string,
  envelope: Uint8Array,
  step: () => A,
): Effect.Effect<A, TierError> =>
  Effect.suspend(() => {
    if (Envelope.version(envelope) !== undefined) return Effect.succeed(step())
    const cause = new Error("the bytes are not an envelope of format 1 with a version")
    return Effect.fail(new TierError({ tier: name, operation, cause }))
  })

const arbiterOf = (shelf: Shelf): Arbiter => ({
  acquire: (key, request) => Effect.sync(() => shelf.acquire(key, request)),
  renew: (key, token, leaseMillis) => Effect.sync(() => shelf.renew(key, token, leaseMillis)),
  release: (key, token, failedMillis) => Effect.sync(() => shelf.release(key, token, failedMillis)),
  commit: (key, token, envelope, lifeMillis) =>
    withEnvelope("commit", envelope, () => shelf.commit(key, token, envelope, lifeMillis)),
  acquireAll: (requests) =>
    Effect.sync(() => requests.map(({ key, ...request }) => shelf.acquire(key, request))),
  commitAll: (commits) =>
    Effect.sync(() =>
      commits.map(({ envelope, key, lifeMillis, token }) =>
        Envelope.version(envelope) === undefined
          ? undefined
          : shelf.commit(key, token, envelope, lifeMillis),
      ),
    ),
  write: (key, write, known) =>
    write._tag === "Set"
      ? withEnvelope("write", write.envelope, () => shelf.write(key, write, known))
      : Effect.sync(() => shelf.write(key, write, known)),
  mark: (tags, keepStale, known) => Effect.sync(() => shelf.mark(tags, keepStale, known)),
  marks: (since) => Effect.sync(() => shelf.marks(since)),
  versions: (keys) => Effect.sync(() => shelf.versions(keys)),
  listen: shelf.channel.subscribe,
})

const storeOf = (shelf: Shelf): ByteStore => ({
  read: (keys) => Effect.sync(() => shelf.read(keys)),
  put: (key, envelope, lifeMillis) =>
    withEnvelope("put", envelope, () => shelf.put(key, envelope, lifeMillis)),
  drop: (key, version) => Effect.sync(() => shelf.drop(key, version)),
  keys: (prefix) => Effect.sync(() => ({ keys: shelf.keys(prefix), next: undefined })),
  arbiter: arbiterOf(shelf),
})

interface Made {
  readonly tier: ByteTier
  /** The records of all larders. */
  readonly shelves: ReadonlyMap<string, Shelf>
}

const make = (clock: SteadyClock, limits: Limits, network: Network | undefined): Made => {
  const { heartbeat } = limits
  const channelOf = (larder: string): Channel =>
    network === undefined ? direct() : simulated({ larder, network, clock, heartbeat })
  const shelves = new Map<string, Shelf>()
  const shelfOf = (larder: string): Shelf => {
    const known = shelves.get(larder)
    if (known !== undefined) return known
    const shelf = new Shelf(clock, limits, channelOf(larder))
    shelves.set(larder, shelf)
    return shelf
  }
  const tier: ByteTier = {
    kind: "bytes",
    name,
    scope: "shared",
    abilities: { notifies: true },
    limits,
    open: ({ larder }) => Effect.sync(() => storeOf(shelfOf(larder))),
  }
  return { tier, shelves }
}

/**
 * Options of {@link layerSharedWith}.
 *
 * @category options
 * @since 0.1.0
 */
export interface SharedOptions extends LimitOptions {
  /**
   * How messages travel to the nodes, for tests of what nodes do when messages are late or lost. The
   * tier then sends a heartbeat to each subscription every `heartbeat`, over the same network. A
   * subscription that no heartbeat has reached for three of them gets a `Gap` of reason `silence`
   * until the next one arrives; one that lacks a message when a heartbeat arrives gets a `Gap` of
   * reason `hole`. Default: every message arrives at once, and there are no heartbeats.
   */
  readonly network?: Network | undefined
}

const ownNames: NamesOf<Omit<SharedOptions, keyof LimitOptions>> = { network: true }

/**
 * As {@link layerShared}, with other limits: how long leases last and are waited for, how late a change
 * may settle, when marks are read again, when the breaker opens. With a `network`, messages may be
 * late, lost, duplicated or reordered.
 *
 * **Details**
 *
 * The layer dies with `InvalidOptions` when an option is invalid.
 *
 * **Gotchas**
 *
 * Each call makes a layer, and so a tier, of its own: give one layer value to the stacks of all
 * nodes that share it.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { Effect } from "effect"
 * import { MemoryTier, Tier } from "@larder/core"
 *
 * const shared = MemoryTier.layerSharedWith({
 *   leaseTime: "3 seconds",
 *   breaker: { failures: 3, openFor: "1 second" },
 * })
 * const limits = Effect.map(Tier.Tier, (tier) => (tier.kind === "bytes" ? tier.limits : undefined))
 * const { leaseTime, leaseWait } = (await Effect.runPromise(Effect.provide(limits, shared))) ?? {}
 * assert.deepEqual([leaseTime, leaseWait], [3_000, 3_000])
 * ```
 *
 * **Example** (the first node is cut off)
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { Effect } from "effect"
 * import { MemoryTier, Tier } from "@larder/core"
 *
 * const cut = MemoryTier.layerSharedWith({
 *   heartbeat: "20 millis",
 *   network: { deliver: (_, { number }) => (number === 1 ? [] : [0]) },
 * })
 * const heard: Array<string> = []
 * const program = Effect.gen(function* () {
 *   const tier = yield* Tier.Tier
 *   if (tier.kind !== "bytes") return
 *   const { arbiter } = yield* tier.open({ larder: "products" })
 *   if (arbiter?.listen === undefined) return
 *   yield* arbiter.listen((message) => heard.push(`first: ${message._tag}`))
 *   yield* arbiter.listen((message) => heard.push(`second: ${message._tag}`))
 *   yield* arbiter.write("1", { _tag: "Remove" }, 0)
 *   yield* Effect.sleep("100 millis")
 * })
 * await Effect.runPromise(Effect.provide(Effect.scoped(program), cut))
 * assert.deepEqual(heard, ["second: Changed", "first: Gap"])
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSharedWith = (options: SharedOptions = {}): Layer.Layer<Tier> =>
  Layer.effect(
    Tier,
    Effect.map(madeWith(options), ({ tier }) => tier),
  )

const madeWith = (options: SharedOptions): Effect.Effect<Made> =>
  Effect.map(steadyClock, (clock) => {
    const limits = Result.getOrThrow(checkLimits("MemoryTier", options, ownNames))
    return make(clock, limits, Result.getOrThrow(networkOf(options)))
  })

/**
 * A shared tier in this process, whose records a test can lose. Made by {@link sharedServer}.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedServer {
  /** The tier, for the stacks of all nodes. */
  readonly layer: Layer.Layer<Tier>
  /**
   * Loses all records, as a server that is flushed, or that restarts without persistence. Nodes learn of it
   * when they read the marks again, or ask for a key.
   */
  readonly loseAll: Effect.Effect<void>
  /** Evicts entries, each with this chance, by `Random`; leases and marks stay. */
  readonly evict: (share: number) => Effect.Effect<void>
  /**
   * Copies all records now. The effect that it gives brings these back and reconnects all nodes, as a
   * replica does that takes the place of its master: what was written between the two is lost.
   */
  readonly replicate: Effect.Effect<Effect.Effect<void>>
}

/**
 * A shared tier as {@link layerSharedWith} makes it, with a handle that loses its records.
 *
 * **When to use**
 *
 * For tests of what nodes do when the shared tier is flushed, evicts entries, or fails over to a
 * replica that was behind. `Cluster` of `@larder/testing` uses it.
 *
 * **Details**
 *
 * Numbers of versions and marks rise through all of it. Dies with `InvalidOptions` when an option is
 * invalid.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { Effect, Schema } from "effect"
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 *
 * let lookups = 0
 * const program = Effect.gen(function* () {
 *   const server = yield* MemoryTier.sharedServer()
 *   const words = yield* Larder.make({
 *     name: "words",
 *     value: Schema.Finite,
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.sync(() => (lookups += 1)) }),
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *   }).pipe(Effect.provide(TierStack.layer(server.layer)))
 *   yield* words.get("milk")
 *   yield* words.get("milk")
 *   yield* server.loseAll
 *   yield* words.get("milk")
 * })
 * await Effect.runPromise(Effect.scoped(program))
 * assert.equal(lookups, 2)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const sharedServer = (options: SharedOptions = {}): Effect.Effect<SharedServer> =>
  Effect.map(madeWith(options), ({ shelves, tier }) => ({
    layer: Layer.succeed(Tier, tier),
    loseAll: Effect.sync(() => {
      for (const shelf of shelves.values()) shelf.loseAll()
    }),
    evict: (share) =>
      Effect.map(Random.Random, (random) => {
        if (!(typeof share === "number" && share >= 0 && share <= 1)) {
          const must = "be a share of the entries from 0 to 1"
          throw InvalidOptions.of({ module: "MemoryTier", field: "evict", must, got: share })
        }
        for (const shelf of shelves.values()) shelf.evict(() => random.nextDoubleUnsafe() < share)
      }),
    replicate: Effect.sync(() => {
      const copies = new Map([...shelves].map(([larder, shelf]) => [larder, shelf.copied()]))
      return Effect.sync(() => {
        // The replica knows nothing of a larder that was opened for the first time since.
        for (const [larder, shelf] of shelves) (copies.get(larder) ?? shelf.restoreEmpty)()
      })
    }),
  }))

const networkOf = ({
  network,
}: SharedOptions): Result.Result<Network | undefined, InvalidOptions> => {
  if (network === undefined || typeof network?.deliver === "function") {
    return Result.succeed(network)
  }
  const must = "be an object with a function deliver"
  return Result.fail(
    InvalidOptions.of({ module: "MemoryTier", field: "network", must, got: network }),
  )
}

/**
 * A shared tier in this process: keeps envelopes, orders writes, grants leases,
 * numbers marks and notifies, as a server does for many nodes.
 *
 * **When to use**
 *
 * For several nodes in one program: simulations and tests of what happens
 * between nodes, or as a second tier under a smaller `MemoryTier.layer`.
 *
 * **Details**
 *
 * Its time is the `Clock` of the build, and never steps back. It keeps at most 100,000 entries per
 * larder and evicts the oldest write first; marks for 7 days, 100,000 at most; tombstones for
 * 120 seconds. {@link layerSharedWith} takes other limits. The records of a larder stay when the larder closes. An operation fails only for bytes
 * that are no envelope.
 *
 * **Gotchas**
 *
 * It is a layer *value*: all stacks of one build, or of one `MemoMap`, share the same tier.
 * `Layer.fresh(MemoryTier.layerShared)` makes a separate tier.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { Effect } from "effect"
 * import { Envelope, MemoryTier, Tier } from "@larder/core"
 *
 * const program = Effect.gen(function* () {
 *   const tier = yield* Tier.Tier
 *   if (tier.kind !== "bytes") return []
 *   const store = yield* tier.open({ larder: "products" })
 *   yield* store.put("1", Envelope.tombstone(7), 1000)
 *   return yield* store.read(["1", "2"])
 * })
 * const read = await Effect.runPromise(
 *   Effect.provide(Effect.scoped(program), MemoryTier.layerShared),
 * )
 * assert.deepEqual(read, [Envelope.tombstone(7), undefined])
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerShared: Layer.Layer<Tier> = layerSharedWith()
