/**
 * The contract of a tier: a place where entries are stored. A tier declares its
 * scope and opens one store per larder; `TierStack` puts tiers in order, nearest
 * first.
 *
 * There are two kinds. An *object tier* stores the values themselves, in this
 * process, and answers synchronously: `MemoryTier.layer`. A *byte tier* stores
 * envelopes (see `Envelope`) behind effects that may be slow or fail:
 * `MemoryTier.layerShared`, a file, a server. A byte tier with an
 * {@link Arbiter} orders the writes of all nodes that share it.
 *
 * @module
 * @category tier authors
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type * as Result from "effect/Result"
import { kindOf } from "./internal/runtime/errorKind.ts"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Stored } from "./Arbitration.ts"
import type { Bounds, Cause } from "./BoundedMap.ts"
import type { Entry } from "./Entry.ts"
import type { InvalidOptions } from "./InvalidOptions.ts"
import { limitsAmong } from "./internal/policy/tierLimits.ts"
import * as steady from "./internal/runtime/steadyClock.ts"
import type { Policy } from "./Policy.ts"
import type { Wire } from "./Wire.ts"

/**
 * How far a tier reaches: this process, this machine, or every node.
 *
 * @category models
 * @since 0.1.0
 */
export type TierScope = "process" | "machine" | "shared"

/**
 * Abilities that a byte tier declares. Arbitration is not declared: the stores of a tier that
 * arbitrates have an {@link Arbiter}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Abilities {
  /** The arbiter tells every node of each change: it has {@link Arbiter} `listen`. */
  readonly notifies: boolean
}

/**
 * When the circuit breaker of a byte tier opens, and for how long.
 *
 * @category options
 * @since 0.1.0
 */
export interface BreakerOptions {
  /** How many failures in a row open the breaker: an integer of at least 1. Default 5. */
  readonly failures?: number | undefined
  /**
   * How long the breaker stays open; then one step probes the tier. From 1 millisecond to 24 days.
   * Default 5 seconds.
   */
  readonly openFor?: Duration.Input | undefined
}

/**
 * The limits of a byte tier that its operator may change: options of every layer of such a tier.
 *
 * **Details**
 *
 * `breaker` is for each larder over the tier. The others hold where the tier is the arbiter of a
 * stack, its farthest tier; elsewhere the arbiter's hold.
 *
 * **Gotchas**
 *
 * Nodes that share a tier may have different limits, except for `settleTime`, which should be the
 * same for all: a node forgets a removal after twice its own time, and another node whose time is
 * longer may then bring back an older value that was delayed.
 *
 * @category options
 * @since 0.1.0
 */
export interface LimitOptions {
  /**
   * How long a lease lasts, the right of one node to look a key up. A lookup that takes longer
   * renews it after each third; the lease of a node that dies passes on after this time. From 100
   * milliseconds to 24 days. Default 10 seconds.
   */
  readonly leaseTime?: Duration.Input | undefined
  /**
   * How long a caller waits at most for another node's lookup; then its node takes the lease over
   * and looks the key up itself. A get ends within `tierBudget` + `leaseWait` + `hardTimeout`. From 0
   * to 24 days. Default: `leaseTime`.
   */
  readonly leaseWait?: Duration.Input | undefined
  /**
   * How old the known invalidations of other nodes may be when the tier is read; then they are read
   * with it. 0 reads them with every read. From 0 to 24 days. Default 5 seconds.
   */
  readonly markMaxAge?: Duration.Input | undefined
  /**
   * How late a result or a delayed `set` may reach the arbiter and still be stored. The tier keeps
   * records of leases at least as long, and tombstones twice as long. From 1 second to 24 days. Default
   * 60 seconds.
   */
  readonly settleTime?: Duration.Input | undefined
  /**
   * How often a node checks that messages reach it, in a tier that notifies. After three times this
   * without an answer the node no longer trusts its memory: see `Gap` in {@link Message}. From 10
   * milliseconds to 24 days. Default 1 second.
   */
  readonly heartbeat?: Duration.Input | undefined
  /**
   * Sends small values with the messages of their changes: nodes that have the key store the value at
   * once, without a read. `maxBytes` is the largest envelope that is sent, an integer of at least 1.
   * Only in a tier that notifies. Default: no values are sent.
   */
  readonly push?: PushOptions | undefined
  /** When the circuit breaker of the tier opens, and for how long. Default: 5 failures, 5 seconds. */
  readonly breaker?: BreakerOptions | undefined
}

/**
 * Which values a tier sends with the messages of their changes.
 *
 * @category options
 * @since 0.1.0
 */
export interface PushOptions {
  /** The largest envelope that is sent, in bytes: an integer of at least 1. */
  readonly maxBytes: number
}

/**
 * The limits of a byte tier, checked and complete; all times in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** ms. See {@link LimitOptions}. */
  readonly leaseTime: number
  /** ms. See {@link LimitOptions}. */
  readonly leaseWait: number
  /** ms. See {@link LimitOptions}. */
  readonly markMaxAge: number
  /** ms. See {@link LimitOptions}. */
  readonly settleTime: number
  /** ms. See {@link LimitOptions}. */
  readonly heartbeat: number
  /** The largest envelope that is sent with a message, in bytes; 0 sends none. */
  readonly pushBytes: number
  /** `failures` in a row, `openFor` in ms. See {@link BreakerOptions}. */
  readonly breaker: { readonly failures: number; readonly openFor: number }
}

/**
 * Checks the limits that an operator gives, and fills in the defaults; checked limits stay as they are. `module` is the name of the
 * tier's module for the error, such as `"DiskTier"`. `own` has the names of the tier's other options: with it, an option of
 * any other name is an error too, which names the nearest one.
 *
 * **When to use**
 *
 * In the layer of a tier of your own, which dies with the error; the result is the tier's `limits`.
 *
 * **Example**
 *
 * ```ts
 * import { Tier } from "@larder/core"
 * import { Result } from "effect"
 * import * as assert from "node:assert"
 *
 * const limits = Result.getOrThrow(Tier.checkLimits("DiskTier", { leaseTime: "3 seconds" }))
 * assert.strictEqual(limits.leaseWait, 3_000)
 * assert.strictEqual(limits.settleTime, 60_000)
 *
 * const invalid = Tier.checkLimits("DiskTier", { breaker: { failures: 0 } })
 * assert.ok(Result.isFailure(invalid))
 * assert.strictEqual(
 *   invalid.failure.message,
 *   "DiskTier: breaker.failures must be an integer of at least 1, got 0",
 * )
 *
 * const options = { folder: "./cache", heartbeat: 500, leasetime: 3_000 }
 * const misspelt = Tier.checkLimits("DiskTier", options, { folder: true })
 * assert.ok(Result.isFailure(misspelt))
 * assert.strictEqual(
 *   misspelt.failure.message,
 *   "DiskTier: leasetime is an unknown option; did you mean `leaseTime`?",
 * )
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const checkLimits = (
  module: string,
  options: LimitOptions | Limits,
  own?: Readonly<Record<string, true>>,
): Result.Result<Limits, InvalidOptions> => limitsAmong(module, options, own)

/**
 * A tier could not do an operation: it is away, full or broken. A larder continues with its other
 * tiers and upstream; a caller of `get` never sees the error.
 *
 * **Example**
 *
 * ```ts
 * import { Tier } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const error = new Tier.TierError({
 *   tier: "files",
 *   operation: "read",
 *   cause: new Error("the disk is full")
 * })
 * assert.strictEqual(error._tag, "TierError")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class TierError extends Schema.TaggedError<TierError>()("TierError", {
  tier: Schema.String,
  operation: Schema.String,
  cause: Schema.Defect(),
}) {
  override get message(): string {
    return `the tier ${this.tier} failed at ${this.operation} with ${kindOf(this.cause)}: see that its server or its file is there and has room; \`cause\` has the details`
  }
}

/**
 * One answer of `keys` of a {@link ByteStore}.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeysPage {
  readonly keys: ReadonlyArray<string>
  /** Asks for the next page; `undefined` after the last one. */
  readonly next: string | undefined
}

/**
 * The envelopes of one larder in one tier. Keys are the larder's keys as strings.
 *
 * @category models
 * @since 0.1.0
 */
export interface ByteStore {
  /**
   * Returns the envelopes at these keys, in their order, in one trip; `undefined` where there is
   * none.
   */
  readonly read: (
    keys: ReadonlyArray<string>,
  ) => Effect.Effect<ReadonlyArray<Uint8Array | undefined>, TierError>
  /**
   * Stores the envelope for `lifeMillis` (ms) if its version is higher than the stored one; returns
   * whether it did.
   */
  readonly put: (
    key: string,
    envelope: Uint8Array,
    lifeMillis: number,
  ) => Effect.Effect<boolean, TierError>
  /** Removes the stored envelope if its version is at most `version`. */
  readonly drop: (key: string, version: number) => Effect.Effect<void, TierError>
  /**
   * Lists keys that begin with a prefix, page by page, for `removeWhere`: `after` is `undefined` for the
   * first page, then the `next` of the page before. A key that has a value, or a lookup under a lease, from
   * before the first page until after the last one must be on some page; others may be, and a key may be
   * on two. A page must not hold the tier up, and may be empty. Absent: the tier cannot list keys.
   */
  readonly keys?:
    | ((prefix: string, after: string | undefined) => Effect.Effect<KeysPage, TierError>)
    | undefined
  /**
   * For a tier of several servers that can fail one by one: returns a name of the
   * server that has the key now, or, for `undefined`, the marks of the larder. It is
   * synchronous, and its answer may change. A larder has a breaker for each server,
   * and reads the keys of each server in a separate trip. Absent: the tier is one
   * server.
   */
  readonly partOf?: ((key: string | undefined) => string) | undefined
  /** Present if the tier orders the writes of all nodes that share it: in all of its stores, or in none. */
  readonly arbiter: Arbiter | undefined
}

/**
 * The answer of an {@link Arbiter} to `acquire`.
 *
 * @category models
 * @since 0.1.0
 */
export type Acquired =
  /** An entry of a higher version than the caller knows is stored. */
  | { readonly _tag: "Newer"; readonly envelope: Uint8Array }
  /** Another node holds the lease, for this long at most, in milliseconds. */
  | { readonly _tag: "Busy"; readonly leftMillis: number }
  /** The last holder's lookup failed: for this long a caller with a stale value should not look up. */
  | { readonly _tag: "Failed"; readonly leftMillis: number }
  /**
   * The caller may look the key up; `token` will be the version of its commit. `storedVersion` is the
   * version of the value or tombstone that is stored now, 0 for nothing. Absent: a caller that must know
   * it reads the key under the lease.
   */
  | {
      readonly _tag: "Won"
      readonly token: number
      readonly storedVersion?: number | undefined
    }

/**
 * A change by a caller. `Set` carries an envelope whose version the arbiter fills in.
 *
 * **Details**
 *
 * `at` is for a change that could not reach the arbiter when the caller made it: the
 * tier's time at that moment, in microseconds. Such a change takes that place in the
 * order of changes, as `Arbitration.decideDelayed` decides: if an entry of that version
 * or a higher one is stored, nothing happens; otherwise the change is stored with `at`
 * as its version, and ends a lease whose token is not above `at`. A change without `at`
 * is made now, and always wins.
 *
 * @category models
 * @since 0.1.0
 */
export type Write =
  | {
      readonly _tag: "Set"
      readonly envelope: Uint8Array
      readonly lifeMillis: number
      readonly at?: number | undefined
    }
  | { readonly _tag: "Remove"; readonly at?: number | undefined }
  | { readonly _tag: "Expire" }

/**
 * The answer of an {@link Arbiter} to `commit`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Committed {
  /**
   * `Superseded`: a newer entry is stored, or another node has the lease. `Lost`:
   * there is no record of the lease. In both cases the arbiter stores nothing.
   */
  readonly decision: "Stored" | "Superseded" | "Lost"
  /** See {@link Written}. */
  readonly lastMark: number | undefined
}

/**
 * The answer of an {@link Arbiter} to `write`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Written {
  /** The version now stored: that of the change, or the higher one that has overtaken a change with `at`. */
  readonly version: number
  /** The time of the tier's clock, in milliseconds. */
  readonly time: number
  /**
   * The number of the newest mark when the value was stored, or a higher one. A larder
   * that knows marks only up to a lower number reads the others, since they may cover
   * the value. Undefined if nothing was stored, and if another server has the marks: the
   * larder then asks that server for them at the same time.
   */
  readonly lastMark: number | undefined
}

/**
 * A page of marks, as an arbiter returns them.
 *
 * @category models
 * @since 0.1.0
 */
export interface MarkPage {
  /** The highest number that the arbiter has issued. */
  readonly last: number
  /** Entries with a lower `asOf` are no longer fresh. */
  readonly floor: number
  /** Entries with a lower `asOf` are dropped. */
  readonly dropFloor: number
  readonly marks: ReadonlyArray<Mark>
  /**
   * Present if there are more marks than one answer should hold: `marks` has all of them
   * up to this number, and the next request begins above it. Absent if `marks` has all.
   */
  readonly next?: number | undefined
}

/**
 * An invalidation: every value with this tag that was looked up before is invalid. `tag` undefined
 * means every value.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mark {
  readonly tag: string | undefined
  /** Whether the values may still be served when upstream fails. */
  readonly keepStale: boolean
  /** The place of the mark in the order of marks; an entry with a lower `asOf` is invalid. */
  readonly number: number
}

/**
 * Why a node may have missed messages.
 *
 * - `disconnected`: the subscription ended.
 * - `silence`: no heartbeat came for three times the tier's `heartbeat`.
 * - `hole`: a later message shows that an earlier one is missing.
 * - `newerFormat`: a message has a format of a newer release, and cannot be read.
 *
 * @category models
 * @since 0.1.0
 */
export type GapReason = "disconnected" | "silence" | "hole" | "newerFormat"

/**
 * A message that a tier with the ability `notifies` publishes to every node, or, for `Gap`, a report
 * of the tier that this node may have missed some.
 *
 * **Details**
 *
 * Messages may come late, twice and in any order, the sender's own ones included.
 *
 * @category models
 * @since 0.1.0
 */
export type Message =
  | {
      readonly _tag: "Changed"
      readonly key: string
      /** The version that the tier has since the change. */
      readonly version: number
      /** The change left no value: a removal, or a value without a life. */
      readonly isRemoval: boolean
      /** The new envelope, where the tier pushes values and this one is small enough; none for an expiry. */
      readonly envelope?: Uint8Array | undefined
    }
  /**
   * The holder of the key's lease has returned it without a value: its lookup failed or was given up.
   * Nodes that wait for the lease ask for it again.
   */
  | { readonly _tag: "Released"; readonly key: string }
  /** `page` has the new marks; `previous` is the number of the last mark before them. */
  | { readonly _tag: "Marked"; readonly previous: number; readonly page: MarkPage }
  /**
   * Messages from before this moment may be missing. With `isOver`, messages arrive from now on; without,
   * they do not, until a `Gap` with `isOver` follows. A `hole` is over when it is found.
   */
  | {
      readonly _tag: "Gap"
      readonly reason: GapReason
      /** The server whose messages are missing, as `partOf` names it; undefined for all servers. */
      readonly part: string | undefined
      readonly isOver: boolean
    }

/**
 * A request for the lease of a key: what the caller knows, and what it asks for.
 *
 * @category models
 * @since 0.1.0
 */
export interface LeaseRequest {
  /**
   * The highest version that the caller has seen, 0 for none. A stored value of a higher version
   * comes back as `Newer`.
   */
  readonly known: number
  /** How long the lease lasts, ms. */
  readonly leaseMillis: number
  /** Takes the lease from its holder. The answer is never `Newer` or `Failed`. */
  readonly force: boolean
  /**
   * Waiting callers have no stale value, so they need a lookup although another node's lookup has
   * failed: the answer is never `Failed`, and is `Busy` while another lookup runs.
   */
  readonly despiteFailure?: boolean | undefined
}

/**
 * One key of `acquireAll`; the other fields are those of `acquire`.
 *
 * @category models
 * @since 0.1.0
 */
export interface AcquireRequest extends LeaseRequest {
  readonly key: string
}

/**
 * One key of `commitAll`; the fields are those of `commit`.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommitRequest {
  readonly key: string
  /** The token of the lease; it becomes the version. */
  readonly token: number
  readonly envelope: Uint8Array
  /** How long the tier stores the envelope, ms. */
  readonly lifeMillis: number
}

/**
 * A shared tier as arbiter between the writes of many nodes. Each operation is atomic for each of
 * its keys, and takes one trip. An arbiter has four duties:
 *
 * - orders writes by versions, so that an older one never replaces a newer one;
 * - grants the lease of a key, the right to look it up, to one node at a time;
 * - keeps the numbered marks of tag invalidations and clears;
 * - has a clock, and the times of its entries are times of this clock. It must not step back: see
 *   {@link steadyClock}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Arbiter {
  /** Asks for the right to look `key` up. */
  readonly acquire: (key: string, request: LeaseRequest) => Effect.Effect<Acquired, TierError>
  /** Extends the lease by `leaseMillis` (ms); returns false when the caller no longer holds it. */
  readonly renew: (
    key: string,
    token: number,
    leaseMillis: number,
  ) => Effect.Effect<boolean, TierError>
  /**
   * Returns the lease after a lookup without a value. `failedMillis` above 0 keeps other callers
   * from looking the key up for that long, ms. A tier that notifies publishes `Released` if the caller
   * held the lease.
   */
  readonly release: (
    key: string,
    token: number,
    failedMillis: number,
  ) => Effect.Effect<void, TierError>
  /** Stores a looked-up value under its token, for `lifeMillis` (ms). */
  readonly commit: (
    key: string,
    token: number,
    envelope: Uint8Array,
    lifeMillis: number,
  ) => Effect.Effect<Committed, TierError>
  /**
   * As `acquire` for many keys, in one trip. Returns an answer for each request, in their
   * order; `undefined` for a key without an answer. If the store has `partOf`, all keys are
   * on one server. A lease that is granted after the caller has left is given back, as after
   * `acquire`. Absent: the larder asks key by key.
   */
  readonly acquireAll?:
    | ((
        requests: ReadonlyArray<AcquireRequest>,
      ) => Effect.Effect<ReadonlyArray<Acquired | undefined>, TierError>)
    | undefined
  /**
   * As `commit` for many keys, in one trip, with a decision for each; returns answers as
   * `acquireAll` does. Absent: the larder commits key by key.
   */
  readonly commitAll?:
    | ((
        commits: ReadonlyArray<CommitRequest>,
      ) => Effect.Effect<ReadonlyArray<Committed | undefined>, TierError>)
    | undefined
  /**
   * A caller's change: wins and ends any lease, unless it carries `at` (see {@link Write}).
   * `known` is the highest version the caller has seen.
   */
  readonly write: (key: string, write: Write, known: number) => Effect.Effect<Written, TierError>
  /** Sets marks with one number; `known` is the highest number the caller has seen. Returns the marks above it, or the first of them, the new ones included. */
  readonly mark: (
    tags: ReadonlyArray<string | undefined>,
    keepStale: boolean,
    known: number,
  ) => Effect.Effect<MarkPage & { readonly number: number }, TierError>
  /** Returns the marks with a number above `since`, or the first of them, and the tier's time. */
  readonly marks: (since: number) => Effect.Effect<MarkPage & { readonly time: number }, TierError>
  /**
   * Returns the version that is stored at each of these keys, in their order, in one trip: much
   * less than `read` transfers. Absent: the larder reads the entries to confirm those in memory.
   */
  readonly versions?:
    | ((keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Stored>, TierError>)
    | undefined
  /**
   * Subscribes to the messages from now on, until the scope closes; the effect ends once messages
   * arrive. Calls `receive` for each message in the order of arrival; `receive` is synchronous and never
   * throws. Present in a tier that declares `notifies`.
   */
  readonly listen?:
    | ((receive: (message: Message) => void) => Effect.Effect<void, TierError, Scope.Scope>)
    | undefined
}

/**
 * Subscribes to the messages of an arbiter as a queue, until the scope closes.
 *
 * **When to use**
 *
 * In tests of a tier, and for tools that watch one. A larder subscribes by itself.
 *
 * **Details**
 *
 * The queue has no bound. Dies where the tier does not notify.
 *
 * **Example**
 *
 * ```ts
 * import { MemoryTier, Tier } from "@larder/core"
 * import { Effect, Queue } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const tier = yield* Tier.Tier
 *   if (tier.kind !== "bytes") return
 *   const { arbiter } = yield* tier.open({ larder: "products" })
 *   if (arbiter === undefined) return
 *   const messages = yield* Tier.messages(arbiter)
 *   yield* arbiter.write("milk", { _tag: "Remove" }, 0)
 *   return yield* Queue.take(messages)
 * })
 *
 * const message = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(MemoryTier.layerShared)),
 * )
 * assert.ok(message?._tag === "Changed" && message.isRemoval)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const messages = (
  arbiter: Arbiter,
): Effect.Effect<Queue.Dequeue<Message>, TierError, Scope.Scope> =>
  Effect.gen(function* () {
    if (arbiter.listen === undefined) {
      return yield* Effect.die(new Error("the tier does not notify"))
    }
    const queue = yield* Effect.acquireRelease(Queue.unbounded<Message>(), Queue.shutdown)
    yield* arbiter.listen((message) => void Queue.offerUnsafe(queue, message))
    return Queue.asDequeue(queue)
  })

/**
 * Why a tier of values does not have a key.
 *
 * - `expired`: the life of its last entry had ended when the entry left the tier.
 * - `evicted`: the key was requested lately, and its entry had to make room.
 * - `new`: neither, as far as the tier remembers.
 *
 * @category models
 * @since 0.1.0
 */
export type Absence = "expired" | "evicted" | "new"

/**
 * Why a larder removes an entry from a tier of values: its life has ended (`expired`), or the key was
 * changed or invalidated (`changed`).
 *
 * @category models
 * @since 0.1.0
 */
export type Removal = "expired" | "changed"

/**
 * An entry in a tier of values. The larder makes it, and the tier returns it unchanged.
 *
 * @category models
 * @since 0.1.0
 */
export interface MemoryEntry {
  readonly key: string
  readonly entry: Entry<unknown>
  /** The effect that a hit returns: a success with the value. */
  readonly exit: Exit.Exit<unknown>
  /** The key as a caller passed it, for a refresh in the background. */
  readonly asked: unknown
  /** The policy of this value, computed when it was stored. */
  readonly policy: Policy
  /** The moment (ms) at which this tier's own bound ends the freshness. */
  readonly freshCap: number
  /** The number of gaps that the node knew before it read or looked up the entry. */
  readonly gapsBefore: number
  /** When the arbiter last confirmed the entry, or upstream returned it: ms of monotonic time. */
  readonly confirmedAt: number
  /** The node chose the version without the arbiter, whose version therefore confirms nothing. */
  readonly isProvisional: boolean
  /**
   * The version of the latest change since the entry, as far as the node knows. Messages of changes
   * before it, which may be late, bring nothing. By default there was none.
   */
  readonly changedUpTo?: number | undefined
}

/**
 * The conditions of a plain hit: a read that returns the value without judging the entry again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stamp {
  /** A read before this moment (ms) is plain: the end of freshness, or the earliest early refresh. */
  readonly until: number
  /**
   * The generation in which the larder judged the entry: a number that changes with each mark and each
   * gap. In a later generation no read is plain.
   */
  readonly checkedAt: number
}

/**
 * The entries of one larder in an {@link ObjectTier}. All operations are synchronous and never
 * fail, except `weigh`.
 *
 * **Details**
 *
 * A *slot* is a number above 0 that says where a key is; it is valid until the next write. The store
 * may return an expired entry: the larder judges it. The tier reports an entry that it evicts
 * (beyond a bound, or expired) to the `onEvicted` that it was opened with.
 *
 * @category models
 * @since 0.1.0
 */
export interface ObjectStore {
  /** The number of entries. */
  readonly size: number
  /** The weight of all entries together. */
  readonly weight: number
  readonly bounds: Bounds
  /** No entry is fresh here for longer than this many milliseconds; `Infinity` for no such bound. */
  readonly maxFreshFor: number
  /** The slot of a key; 0 for an absent key. Does not count as a read. */
  readonly find: (key: string) => number
  /** The entry in a slot. */
  readonly at: (slot: number) => MemoryEntry
  /** The value in a slot: `at(slot).exit`. */
  readonly exit: (slot: number) => Exit.Exit<unknown>
  readonly weightOf: (slot: number) => number
  /** The entry of a key, expired or not. Does not count as a read. */
  readonly peek: (key: string) => MemoryEntry | undefined
  /** Counts a read of the slot, for the eviction policy. */
  readonly hit: (slot: number) => void
  /** Whether `now < until` and `generation === checkedAt` by the stamp of the slot. */
  readonly isPlain: (slot: number, now: number, generation: number) => boolean
  /** Whether the stamp of the slot has this `checkedAt`. */
  readonly isStampedAt: (slot: number, generation: number) => boolean
  readonly stamp: (slot: number, stamp: Stamp) => void
  /** Removes the stamp of a key: no read of it is a plain hit until the next `stamp`. */
  readonly forgetStamp: (key: string) => void
  /**
   * Stores an entry in place of the one at its key, and returns whether it did. An entry of a higher
   * version at the key stays. A new entry that is too heavy, has no life left, or is worth less than
   * all others is not stored either; then the previous entry of the key is gone too.
   */
  readonly put: (held: MemoryEntry, weight: number, stamp: Stamp, now: number) => boolean
  /**
   * Replaces the entry in a slot by the same value with other times or records. Does not count as a
   * read or a write.
   */
  readonly replace: (slot: number, held: MemoryEntry, stamp: Stamp) => void
  /** The weight of a value, by the user's function. Throws what the function throws, and `InvalidOptions` for a result that is no weight. */
  readonly weigh: (value: unknown, key: string) => number
  /** Removes a key, and returns whether it was there. `why`: `"changed"` by default. */
  readonly delete: (key: string, why?: Removal) => boolean
  readonly clear: () => void
  /** Sets other bounds. The store may evict surplus entries later; `shrink` evicts them at once. */
  readonly resize: (bounds: Bounds) => void
  /** Evicts up to `limit` entries that have expired or exceed lowered bounds; returns whether more are left. */
  readonly shrink: (limit: number, now: number) => boolean
  /** Why the store does not have a key: the cause in the event `Miss`. Without it, all keys count as new. */
  readonly whyAbsent?: (key: string) => Absence
  /**
   * All entries, expired or not, in any order. Does not count as a read. A walk may pause while entries
   * come and go: it gives each key that has an entry all the time, also one that is read or replaced.
   */
  readonly entries: () => Iterable<MemoryEntry>
  /** Of the `limit` entries most worth keeping, those that were read since they were stored. */
  readonly hot: (limit: number) => ReadonlyArray<MemoryEntry>
}

/**
 * A tier that stores values themselves, in this process.
 *
 * @category models
 * @since 0.1.0
 */
export interface ObjectTier {
  readonly kind: "objects"
  readonly name: string
  readonly scope: TierScope
  readonly open: (options: {
    readonly larder: string
    /** `wasHit`: whether a caller got the entry since it was stored, if the tier knows. */
    readonly onEvicted: (key: string, cause: EvictionCause, wasHit?: boolean) => void
  }) => Effect.Effect<ObjectStore, never, Scope.Scope>
}

/**
 * Why a tier evicted an entry.
 *
 * @category models
 * @since 0.1.0
 */
export type EvictionCause = Cause

/**
 * A report of a byte tier to its larder.
 *
 * @category models
 * @since 0.1.0
 */
export type Notice =
  | {
      readonly _tag: "Evicted"
      readonly key: string
      readonly cause: EvictionCause
      /** The size of a value that was refused, if the tier knows it. */
      readonly bytes?: number | undefined
    }
  /** A condition that an operator should know, such as a file set aside or a server that may lose data. */
  | { readonly _tag: "Warning"; readonly message: string }
  /** A lost connection is back: the larder probes the tier at once if its breaker is open. */
  | { readonly _tag: "Connected" }

/**
 * The current `Clock` with a time of day that never steps back: monotonic time plus
 * the most that the time of day was ever ahead of it.
 *
 * **When to use**
 *
 * Use it in a tier of your own that takes its time from this process. When an
 * operator or NTP sets back a clock that was ahead, entries and leases from before
 * would otherwise live longer by the difference.
 *
 * **Details**
 *
 * It follows steps forward at once. Larders, `MemoryTier.layerShared` and circuit
 * breakers measure by the same clock. Its monotonic time and `sleep` are those of
 * the current clock.
 *
 * **Gotchas**
 *
 * After a step back its time of day is ahead of that of other processes, until the
 * clock has caught up: use it for durations, and do not show it.
 *
 * **Example**
 *
 * ```ts
 * import { Tier } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const time = Effect.gen(function* () {
 *   const clock = yield* Tier.steadyClock
 *   const before = clock.currentTimeMillisUnsafe()
 *   return clock.currentTimeMillisUnsafe() - before
 * })
 * assert.ok(Effect.runSync(time) >= 0)
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const steadyClock: Effect.Effect<Clock.Clock> = steady.steadyClock

/**
 * A tier that stores envelopes.
 *
 * @category models
 * @since 0.1.0
 */
export interface ByteTier {
  readonly kind: "bytes"
  readonly name: string
  readonly scope: TierScope
  readonly abilities: Abilities
  /** The wire: the encoding of values as bytes. Default `Wire.json`. */
  readonly wire?: Wire | undefined
  /**
   * Separates this tier's entries from those of other tiers on the same server or file, such as a
   * prefix. Each entry is bound to it: a larder rejects bytes of another namespace.
   */
  readonly namespace?: string | undefined
  /**
   * The limits of this tier that differ from the defaults, such as {@link checkLimits} returns. A
   * larder that opens the tier dies with `InvalidOptions` for invalid ones. A tier with a
   * `settleTime` keeps its records accordingly.
   */
  readonly limits?: LimitOptions | Limits | undefined
  readonly open: (options: {
    readonly larder: string
    /** Synchronous, never throws. */
    readonly notify?: ((notice: Notice) => void) | undefined
    /**
     * How long the larder waits for an operation, in ms, before it gives the operation up. When a
     * `write` without `at` or a `mark` of the {@link Arbiter} takes effect later than that, or after
     * it has failed, it must not win over newer changes.
     */
    readonly stepMillis?: number | undefined
  }) => Effect.Effect<ByteStore, never, Scope.Scope>
}

/**
 * The service that a tier's layer provides: one place where entries are stored. `TierStack.layer`
 * takes such layers.
 *
 * **Example**
 *
 * ```ts
 * import { MemoryTier, Tier } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const name = Effect.map(Tier.Tier, (tier) => tier.name)
 * assert.strictEqual(Effect.runSync(Effect.provide(name, MemoryTier.layer())), "memory")
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class Tier extends Context.Service<Tier, ObjectTier | ByteTier>()("@larder/core/Tier") {}
