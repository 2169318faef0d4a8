/**
 * Where an outbox keeps its writes until they have reached the source.
 *
 * `OutboxStore.layerMemory` loses them with the process; `SqlOutbox` of `@larder/sql` and `RedisOutbox` of
 * `@larder/redis` do not. The rest of the module is for authors of stores: `OutboxConformance` of
 * `@larder/testing` checks one.
 *
 * @module
 * @category writing
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { kindOf } from "./internal/runtime/errorKind.ts"
import * as memory from "./internal/behind/memoryStore.ts"
import type { Burial, DeadLetter, Offer, Offered, Row } from "./OutboxRow.ts"

/**
 * A store could not do an operation: it is away, full or broken. `Outbox` passes it on as the cause of an
 * `OutboxFailed`.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxStore } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const cause = new Error("the disk is full")
 * const error = new OutboxStore.OutboxStoreError({ store: "files", operation: "offer", cause })
 * assert.strictEqual(error._tag, "OutboxStoreError")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class OutboxStoreError extends Schema.TaggedError<OutboxStoreError>()("OutboxStoreError", {
  /** The name of the store. */
  store: Schema.String,
  operation: Schema.String,
  cause: Schema.Defect(),
}) {
  override get message(): string {
    return `the outbox store ${this.store} failed at ${this.operation} with ${kindOf(this.cause)}: see that its server or its disk is there and has room`
  }
}

/**
 * What survives of a write that was acknowledged: nothing after the process, all that the machine's disk
 * has, or all that a server has which several machines use.
 *
 * @category models
 * @since 0.1.0
 */
export type Durability = "process" | "machine" | "shared"

/**
 * A write that a flusher has claimed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Claimed {
  readonly key: string
  /** Rises with every write of the key, on all nodes. */
  readonly version: number
  /** The encoded value; undefined removes the key. */
  readonly payload: string | undefined
  /** How often it was claimed, this time included. */
  readonly attempts: number
  /** When the key got its first write that has not been flushed, ms since the Unix epoch. */
  readonly since: number
  /** Identifies this claim: no other claim, of whatever process, has the same. */
  readonly claim: string
}

/**
 * A claim, as a flusher asks for it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClaimRequest {
  /** The most writes. */
  readonly max: number
  /** How long no other flusher may claim them, ms. */
  readonly lockMillis: number
  /** Claims nothing unless so many writes may be claimed, or one of them meets `minAgeMillis`. */
  readonly minCount: number
  /** Claims nothing unless a write has waited so long, ms, or one rested after a failure. */
  readonly minAgeMillis: number
}

/**
 * The answer to a {@link ClaimRequest}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Claims {
  /** Those ready longest first. */
  readonly writes: ReadonlyArray<Claimed>
  /**
   * Where nothing was claimed: when the same request would claim something if no write is offered until
   * then, in ms from now; undefined for never.
   */
  readonly nextMillis: number | undefined
}

/**
 * How much an outbox holds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Depth {
  /** Keys with a write that waits. */
  readonly waiting: number
  /** Keys with a write that was claimed, those that rest before the next attempt included. */
  readonly inFlight: number
  /** Keys with a dead letter. */
  readonly dead: number
  /** The age of the oldest write that waits or is in flight, ms; 0 without any. */
  readonly oldestMillis: number
}

/**
 * A write that failed at its last attempt, with its key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Dead extends DeadLetter {
  readonly key: string
}

/**
 * How an outbox uses a store.
 *
 * @category options
 * @since 0.1.0
 */
export interface OpenOptions {
  /** The name of the outbox: outboxes of one name share their writes. */
  readonly outbox: string
  /** The most keys, whatever is kept for them. */
  readonly maxPending: number
  /** Whether an older write must never be dropped for a newer one: see `OutboxRow.offered`. */
  readonly merges: boolean
}

/**
 * The writes of one outbox in one store. Each step is all or nothing, also between processes. Steps on
 * claims leave out those that are not held any more.
 *
 * @category models
 * @since 0.1.0
 */
export interface Store {
  /** Keeps writes of different keys, durably, before it answers; the answers are in their order. */
  readonly offer: (
    offers: ReadonlyArray<Offer>,
  ) => Effect.Effect<ReadonlyArray<Offered>, OutboxStoreError>
  /** What is kept for keys; those of which nothing is kept are left out. */
  readonly rows: (
    keys: ReadonlyArray<string>,
  ) => Effect.Effect<ReadonlyMap<string, Row>, OutboxStoreError>
  /** Claims the writes that have been ready longest. */
  readonly claim: (request: ClaimRequest) => Effect.Effect<Claims, OutboxStoreError>
  /** Renews the locks; returns how many are still held. */
  readonly renew: (
    claims: ReadonlyArray<Claimed>,
    lockMillis: number,
  ) => Effect.Effect<number, OutboxStoreError>
  /** Drops what was written. */
  readonly done: (claims: ReadonlyArray<Claimed>) => Effect.Effect<void, OutboxStoreError>
  /** Lets writes rest after a failed attempt. */
  readonly retry: (
    claims: ReadonlyArray<Claimed>,
    delayMillis: number,
  ) => Effect.Effect<void, OutboxStoreError>
  /** Makes a dead letter of a write; returns whether it is one: see `OutboxRow.buried`. */
  readonly bury: (claim: Claimed, burial: Burial) => Effect.Effect<boolean, OutboxStoreError>
  /** Lets a dead letter wait again; returns whether it does: see `OutboxRow.revived`. */
  readonly revive: (key: string) => Effect.Effect<boolean, OutboxStoreError>
  /** Drops a dead letter; returns whether there was one. */
  readonly discard: (key: string) => Effect.Effect<boolean, OutboxStoreError>
  /** Up to `max` dead letters, of the keys that come after this one. */
  readonly dead: (
    after: string | undefined,
    max: number,
  ) => Effect.Effect<ReadonlyArray<Dead>, OutboxStoreError>
  readonly depth: Effect.Effect<Depth, OutboxStoreError>
  /**
   * Calls a function after each offer and each revival that the store hears of, until the scope closes;
   * with the number of keys that wait.
   */
  readonly listen: (wake: (waiting: number) => void) => Effect.Effect<void, never, Scope.Scope>
}

/**
 * The store of the outboxes of an application.
 *
 * **Example** (The writes of a flaky network live on the disk)
 *
 * ```ts
 * import { OutboxStore } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const durability = await Effect.runPromise(
 *   OutboxStore.OutboxStore.use((store) => Effect.succeed(store.durability)).pipe(
 *     Effect.provide(OutboxStore.layerMemory),
 *   ),
 * )
 * assert.strictEqual(durability, "process")
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class OutboxStore extends Context.Service<
  OutboxStore,
  {
    /** The name in errors. */
    readonly name: string
    readonly durability: Durability
    /**
     * Whether `listen` hears the offers of every process, or only those of its own: then a flusher asks
     * from time to time.
     */
    readonly hears: "all" | "own"
    /** Opens an outbox until the scope closes. */
    readonly open: (options: OpenOptions) => Effect.Effect<Store, OutboxStoreError, Scope.Scope>
  }
>()("@larder/core/OutboxStore") {}

/**
 * Whether a request claims something of the rows that may be claimed now, and if not, when it would.
 *
 * **When to use**
 *
 * In a store of your own: `ready` are the rows whose `OutboxRow.readyAt` has come, as many as the request
 * takes; `nextAt` is the earliest time of the others.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxRow, OutboxStore } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const request = { max: 100, lockMillis: 10_000, minCount: 100, minAgeMillis: 500 }
 * const ready = [{ ...OutboxRow.empty, waiting: { version: 1, payload: "2", since: 0 } }]
 * const options = { ready, request, nextAt: undefined }
 * assert.strictEqual(OutboxStore.claimIn({ ...options, now: 100 }), 400)
 * assert.strictEqual(OutboxStore.claimIn({ ...options, now: 500 }), 0)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const claimIn = (options: {
  readonly ready: ReadonlyArray<Row>
  readonly request: ClaimRequest
  readonly now: number
  readonly nextAt: number | undefined
}): number | undefined => memory.claimIn(options)

/**
 * Outboxes in memory: fast, and lost with the process.
 *
 * **When to use**
 *
 * For tests, where it runs under `TestClock`; and for writes of which some may be lost, such as "last
 * seen" times: a process that is killed loses up to `maxPending` keys.
 *
 * **Details**
 *
 * Each build of the layer has outboxes of its own: give several nodes of one test the same build.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxStore } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const { open } = yield* OutboxStore.OutboxStore
 *   const store = yield* open({ outbox: "prices", maxPending: 10, merges: false })
 *   yield* store.offer([{ key: "milk", version: 1, payload: "2", merged: [] }])
 *   return yield* store.depth
 * })
 * const depth = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(OutboxStore.layerMemory)),
 * )
 * assert.strictEqual(depth.waiting, 1)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<OutboxStore> = Layer.effect(
  OutboxStore,
  Effect.map(Clock.clockWith(Effect.succeed), (clock) => {
    const outboxes = new Map<string, memory.MemoryOutbox>()
    return OutboxStore.of({
      name: "memory",
      durability: "process",
      hears: "all",
      open: ({ maxPending, merges, outbox }) =>
        Effect.sync(() => {
          let kept = outboxes.get(outbox)
          if (kept === undefined) outboxes.set(outbox, (kept = new memory.MemoryOutbox(clock)))
          return kept.open({ maxPending, merges })
        }),
    })
  }),
)
