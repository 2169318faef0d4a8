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
import { after } from "../../Entry.ts"
import * as Envelope from "../../Envelope.ts"
import { Tier, TierError, checkLimits } from "../../Tier.ts"
import type {
  Acquired,
  Arbiter,
  ByteStore,
  ByteTier,
  Committed,
  LeaseRequest,
  LimitOptions,
  Limits,
  Write,
  Written,
} from "../../Tier.ts"
import {
  brought,
  decideAcquire,
  decideCommit,
  decideDelayed,
  holds,
  mayPut,
  nextNumber,
  usable,
} from "../../Arbitration.ts"
import type { LeaseRecord, Stored } from "../../Arbitration.ts"
import { type Channel, type Network, type Published, direct, simulated } from "./channel.ts"
import { ExpiringMap } from "./expiringMap.ts"
import { InvalidOptions } from "../../InvalidOptions.ts"
import { MarkLog } from "../invalidation/markLog.ts"
import { type SteadyClock, steadyClock } from "../runtime/steadyClock.ts"
import type { NamesOf } from "../runtime/optionNames.ts"
import { marksPerPage, maxMarks, sharedEntries } from "../runtime/limits.ts"

const name = "shared"

interface Kept {
  readonly bytes: Uint8Array
  readonly expiresAt: number
}

const nothing: Stored = { version: 0, isValue: false }

const storedOf = (kept: Kept | undefined): Stored =>
  kept === undefined
    ? nothing
    : {
        version: usable(Envelope.version(kept.bytes)),
        isValue: !Envelope.isTombstone(kept.bytes),
      }

/**
 * The records of one larder. They stay when the larder closes, for the same larder opened again or
 * by another node.
 */
class Shelf {
  /**
   * The highest version or token whose record is gone. New numbers are above it: otherwise, while the
   * clock stands still, two nodes could get the same token.
   */
  #lost = 0
  readonly #entries = new ExpiringMap<Kept>(sharedEntries, ({ bytes }) => {
    this.#lost = Math.max(this.#lost, usable(Envelope.version(bytes)))
  })
  readonly #leases = new ExpiringMap<LeaseRecord>(sharedEntries, ({ token }) => {
    this.#lost = Math.max(this.#lost, token)
  })
  #marks: MarkLog
  readonly #clock: SteadyClock
  readonly #settleMillis: number
  readonly #pushBytes: number
  readonly channel: Channel

  constructor(clock: SteadyClock, { pushBytes, settleTime }: Limits, channel: Channel) {
    this.#clock = clock
    this.#settleMillis = settleTime
    this.#pushBytes = pushBytes
    this.channel = channel
    this.#marks = new MarkLog(this.#now(), maxMarks)
  }

  #now(): number {
    return Math.max(0, this.#clock.currentTimeMillisUnsafe())
  }

  read(keys: ReadonlyArray<string>): ReadonlyArray<Uint8Array | undefined> {
    const now = this.#now()
    return keys.map((key) => {
      const kept = this.#entries.get(key, now)
      return kept && new Uint8Array(kept.bytes)
    })
  }

  put(key: string, envelope: Uint8Array, lifeMillis: number): boolean {
    const now = this.#now()
    const version = brought(Envelope.version(envelope))
    const lease = this.#leases.get(key, now)
    if (!mayPut(storedOf(this.#entries.get(key, now)), lease, version)) return false
    this.#store(key, envelope, version, lifeMillis, now)
    return true
  }

  drop(key: string, version: number): void {
    const stored = storedOf(this.#entries.get(key, this.#now()))
    if (stored.version > version) return
    this.#entries.delete(key)
    this.#lost = Math.max(this.#lost, stored.version)
  }

  acquire(key: string, request: LeaseRequest): Acquired {
    const now = this.#now()
    const kept = this.#entries.get(key, now)
    const lease = this.#leases.get(key, now)
    const stored = storedOf(kept)
    const decision = decideAcquire(stored, lease, request, now)
    if (decision._tag === "Newer") {
      return { ...decision, envelope: new Uint8Array(kept!.bytes) }
    }
    if (decision._tag !== "Win") return decision
    const token = nextNumber(now, stored.version, lease?.token, brought(request.known), this.#lost)
    this.#lease(key, token, request.leaseMillis, now)
    return { _tag: "Won", token }
  }

  renew(key: string, token: number, leaseMillis: number): boolean {
    const now = this.#now()
    const stored = storedOf(this.#entries.get(key, now))
    if (!holds(stored, this.#leases.get(key, now), token)) return false
    this.#lease(key, token, leaseMillis, now)
    return true
  }

  release(key: string, token: number, failedMillis: number): void {
    const now = this.#now()
    const lease = this.#leases.get(key, now)
    if (lease === undefined || lease.token !== token || lease.until === undefined) return
    const failedUntil = failedMillis > 0 ? after(now, failedMillis) : 0
    const expiresAt = Math.max(lease.expiresAt, failedUntil)
    this.#leases.set(key, { token, until: undefined, failedUntil, expiresAt }, now)
    this.channel.publish({ _tag: "Released", key })
  }

  commit(key: string, token: number, envelope: Uint8Array, lifeMillis: number): Committed {
    const now = this.#now()
    const stored = storedOf(this.#entries.get(key, now))
    const decision = decideCommit(stored, this.#leases.get(key, now), token)
    if (decision === "Stored") this.#store(key, envelope, token, lifeMillis, now)
    return { decision, lastMark: this.#marks.last }
  }

  write(key: string, write: Write, known: number): Written {
    const time = this.#now()
    return { version: this.#write(key, write, known, time), time, lastMark: this.#marks.last }
  }

  #write(key: string, write: Write, known: number, time: number): number {
    const kept = this.#entries.get(key, time)
    if ("at" in write && write.at !== undefined) {
      return this.#writeDelayed(key, write, write.at, time)
    }
    const token = this.#leases.get(key, time)?.token
    const version = nextNumber(time, storedOf(kept).version, token, brought(known), this.#lost)
    if (write._tag === "Set") this.#store(key, write.envelope, version, write.lifeMillis, time)
    else if (write._tag === "Remove") this.#bury(key, version, time)
    else this.#expire(key, kept, version, time)
    return version
  }

  #writeDelayed(key: string, write: Write, at: number, time: number): number {
    const stored = storedOf(this.#entries.get(key, time))
    const lease = this.#leases.get(key, time)
    const decision = decideDelayed(stored, lease, at, time, this.#settleMillis)
    if (decision._tag === "Overtaken") return stored.version
    const { endsLease, isExpired, isTooLate, version } = decision
    const survivor = endsLease ? undefined : lease
    if (write._tag === "Set" && !isTooLate) {
      const { envelope, lifeMillis } = write
      const bytes = isExpired ? Envelope.expireAt(envelope, time) : envelope
      this.#store(key, bytes, version, lifeMillis, time)
    } else this.#bury(key, version, time)
    if (survivor !== undefined) this.#leases.set(key, survivor, time)
    return version
  }

  mark(tags: ReadonlyArray<string | undefined>, keepStale: boolean, known: number) {
    const now = this.#now()
    const { number, page, previous } = this.#marks.add(tags, keepStale, known, now)
    this.channel.publish({ _tag: "Marked", previous, page })
    return { ...this.#marks.after(known, now, marksPerPage), number }
  }

  marks(since: number) {
    const time = this.#now()
    // The reader knows a later mark: this server has lost some, of whatever kind.
    if (since > this.#marks.last) this.#marks.lostUpTo(since, true)
    return { ...this.#marks.after(since, time, marksPerPage), time }
  }

  versions(keys: ReadonlyArray<string>): ReadonlyArray<Stored> {
    const now = this.#now()
    return keys.map((key) => storedOf(this.#entries.get(key, now)))
  }

  /** All records are gone, and entries from before are no longer fresh anywhere. */
  loseAll(): void {
    const { drops, last } = this.#marks
    this.#entries.loseWhere(() => true)
    this.#leases.loseWhere(() => true)
    this.#marks = new MarkLog(this.#now(), maxMarks)
    this.#marks.lostUpTo(Math.max(last, this.#marks.last), drops)
  }

  evict(isChosen: (key: string) => boolean): void {
    this.#entries.loseWhere(isChosen)
  }

  readonly restoreEmpty = (): void => {
    this.loseAll()
    this.channel.reconnect()
  }

  /** The records as they are now; the function brings them back, on a server with another connection. */
  copied(): () => void {
    const [entries, leases] = [this.#entries.copied(), this.#leases.copied()]
    const marks = this.#marks.copied(this.#now())
    return () => {
      this.#entries.restore(entries)
      this.#leases.restore(leases)
      this.#marks = marks.copied(this.#now())
      this.channel.reconnect()
    }
  }

  #lease(key: string, token: number, leaseMillis: number, now: number): void {
    const until = after(now, leaseMillis)
    const expiresAt = Math.max(until, after(now, this.#settleMillis))
    this.#leases.set(key, { token, until, failedUntil: 0, expiresAt }, now)
  }

  /** Stores a value; a value without a life leaves a tombstone, so that older values stay away. */
  #store(
    key: string,
    envelope: Uint8Array,
    version: number,
    lifeMillis: number,
    now: number,
  ): void {
    if (!(lifeMillis > 0)) return this.#bury(key, version, now)
    const bytes = Envelope.withVersion(envelope, version)
    this.#change(key, { bytes, expiresAt: after(now, lifeMillis) }, now)
  }

  #bury(key: string, version: number, now: number): void {
    const expiresAt = after(now, 2 * this.#settleMillis)
    this.#change(key, { bytes: Envelope.tombstone(version), expiresAt }, now)
  }

  #expire(key: string, kept: Kept | undefined, version: number, now: number): void {
    if (kept === undefined || Envelope.isTombstone(kept.bytes)) {
      return this.#endLease(key, version, now)
    }
    if (!(usable(Envelope.staleUntil(kept.bytes)) > now)) return this.#bury(key, version, now)
    const bytes = Envelope.expireAt(Envelope.withVersion(kept.bytes, version), now)
    this.#change(key, { bytes, expiresAt: kept.expiresAt }, now)
  }

  /** Stores a change and ends the lease, so that a later reader can get one at once. */
  #change(key: string, kept: Kept, now: number): void {
    this.#entries.set(key, kept, now)
    this.#leases.delete(key)
    const { isValue, version } = storedOf(kept)
    const isPushed = isValue && kept.bytes.length <= this.#pushBytes
    const changed: Published = { _tag: "Changed", key, version, isRemoval: !isValue }
    this.channel.publish(isPushed ? { ...changed, envelope: new Uint8Array(kept.bytes) } : changed)
  }

  /** Ends the lease. With no value stored, the record of the ended lease keeps the version. */
  #endLease(key: string, token: number, now: number): void {
    const expiresAt = after(now, this.#settleMillis)
    this.#leases.set(key, { token, until: undefined, failedUntil: 0, expiresAt }, now)
    this.channel.publish({ _tag: "Changed", key, version: token, isRemoval: false })
  }
}

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
