/**
 * A backplane tells each node of the changes that other nodes make, where no tier does: for larders
 * that keep entries in memory alone on every node, and for shared tiers that do not notify.
 *
 * A stack whose farthest tier notifies, such as `RedisTier` or `MemoryTier.layerShared`, needs none:
 * its arbiter publishes each change, with a version that orders it.
 *
 * **Order is best effort**
 *
 * Without an arbiter that notifies, the versions of two nodes cannot be compared, and a change and its
 * message are two steps. Three histories go wrong:
 *
 * - Nodes A and B `set` the same key at the same time. Each hears the other, and each takes its own
 *   value for the older one. Neither value is fresh anywhere; the next reads ask upstream, and while
 *   upstream fails, A and B serve different stale values. An arbiter would keep the later value.
 * - Node A changes a key and dies before its message is sent. No node can know, so node B serves the
 *   old value until its freshness ends. An arbiter publishes the change and its message in one step.
 * - Node A changes a key, and node B looks it up in a lagging replica after the message. B keeps the
 *   old value as fresh. Give the larder a `revision`.
 *
 * So keep `freshFor` as short as a wrong value may live, or set `maxFreshFor` in the memory tier.
 *
 * @module
 * @category tiers
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Tier from "./Tier.ts"

/**
 * A message of one node to all others.
 *
 * **Details**
 *
 * Messages may come late, twice and in any order: the end is the same. `node` is the sender, a name
 * that each larder makes for itself; a larder ignores messages with its own. Keys and tags are any
 * text without control characters.
 *
 * @category models
 * @since 0.1.0
 */
export type Message =
  | {
      readonly _tag: "Changed"
      readonly node: string
      readonly key: string
      /** The change left no value: a removal, or a value without a life. */
      readonly isRemoval: boolean
      /** The version of the change, where an arbiter that does not notify has ordered it. */
      readonly version?: number | undefined
    }
  | {
      readonly _tag: "Marked"
      readonly node: string
      /** Every value with one of these tags is invalid; undefined stands for every value. */
      readonly tags: ReadonlyArray<string | undefined>
      /** Whether the values may still be served when upstream fails. */
      readonly keepStale: boolean
      /** The number of the mark, where an arbiter that does not notify has given it. */
      readonly number?: number | undefined
    }

/**
 * A report of the backplane that this node may have missed messages. See `Tier.Message`; `part` is
 * undefined, since every message of a larder goes the same way.
 *
 * @category models
 * @since 0.1.0
 */
export type Gap = Extract<Tier.Message, { readonly _tag: "Gap" }>

/**
 * The backplane could not do an operation. The larder tries again, and a caller never sees the error.
 *
 * **Example**
 *
 * ```ts
 * import { Backplane } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const error = new Backplane.BackplaneError({
 *   backplane: "nats",
 *   operation: "publish",
 *   cause: new Error("the connection is closed"),
 * })
 * assert.strictEqual(error._tag, "BackplaneError")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class BackplaneError extends Schema.TaggedError<BackplaneError>()("BackplaneError", {
  backplane: Schema.String,
  operation: Schema.String,
  cause: Schema.Defect(),
}) {}

/**
 * The connection of one larder to the larders of the same name on other nodes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Link {
  /**
   * Sends a message to all links of the same larder; its own may get it as well. Succeeds when the
   * backplane has taken it. A larder sends a message that fails again, after a pause. It interrupts
   * what is under way when the link ends, and sends it over the next one.
   */
  readonly publish: (message: Message) => Effect.Effect<void, BackplaneError>
  /**
   * The messages from now on, and the gaps in them. Unbounded, or else a message that finds no room is
   * a gap. When the queue ends, the larder counts that as a gap and opens another link.
   */
  readonly messages: Queue.Dequeue<Message | Gap>
}

/**
 * What a backplane does. To write one, provide this service in a layer, and test it with
 * `BackplaneConformance` of `@larder/testing`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Backplane {
  /** In `stats.backplane`, the event `Opened` and log lines. */
  readonly name: string
  /**
   * Connects a larder, until the scope closes. Messages of other larders must not arrive. It may wait
   * for a connection, in the background of the larder; while it fails, the larder tries again once a
   * second. A larder that closes with changes to send waits for it, within its `closeTimeout`.
   */
  readonly open: (options: {
    readonly larder: string
  }) => Effect.Effect<Link, BackplaneError, Scope.Scope>
}

/**
 * The backplane that sends nothing: the default.
 *
 * **When to use**
 *
 * To take a backplane away from a larder below a layer that provides one.
 *
 * **Example**
 *
 * ```ts
 * import { Backplane } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Effect.runSync(Backplane.Backplane), Backplane.none)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const none: Backplane = {
  name: "none",
  open: () =>
    Effect.map(Queue.unbounded<Message | Gap>(), (messages) => ({
      publish: () => Effect.void,
      messages,
    })),
}

/**
 * The backplane of the larders made below it, {@link none} by default.
 *
 * **When to use**
 *
 * Provide it to the layer of a larder: with `Layer.provide`, or around `Larder.make`.
 *
 * **Details**
 *
 * Larders whose farthest tier notifies do not use it; their event `Opened` says so.
 *
 * **Gotchas**
 *
 * The type checker does not see a backplane that was forgotten, or that was provided beside a larder
 * (`Layer.merge(Products.layer, Backplane.layerMemory)`) instead of below it. `stats.backplane` and
 * the event `Opened` name the one in use.
 *
 * **Example**
 *
 * ```ts
 * import { Backplane, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect, Layer } from "effect"
 * import * as assert from "node:assert"
 *
 * class Lengths extends Larder.Service<Lengths>()("app/Lengths", {
 *   upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
 *   policy: Policy.make({ freshFor: "1 minute" }),
 * }) {}
 *
 * const layer = Lengths.layer.pipe(
 *   Layer.provide([TierStack.layer(MemoryTier.layer()), Backplane.layerMemory]),
 * )
 * const { backplane } = await Effect.runPromise(Effect.provide(Lengths.stats, layer))
 * assert.strictEqual(backplane, "memory")
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const Backplane: Context.Reference<Backplane> = Context.Reference<Backplane>(
  "@larder/core/Backplane",
  { defaultValue: () => none },
)

type Inbox = Queue.Queue<Message | Gap>

/** The links of one process, by larder. */
const hub = (): Backplane => {
  const inboxes = new Map<string, Set<Inbox>>()
  const leave = (larder: string, inbox: Inbox) => {
    const all = inboxes.get(larder)
    all?.delete(inbox)
    if (all?.size === 0) inboxes.delete(larder)
  }
  return {
    name: "memory",
    open: ({ larder }) =>
      Effect.gen(function* () {
        const inbox = yield* Queue.unbounded<Message | Gap>()
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            const all = inboxes.get(larder) ?? new Set()
            inboxes.set(larder, all.add(inbox))
          }),
          () =>
            Effect.andThen(
              Effect.sync(() => leave(larder, inbox)),
              Queue.shutdown(inbox),
            ),
        )
        const publish = (message: Message) =>
          Effect.sync(() => {
            for (const other of inboxes.get(larder) ?? []) Queue.offerUnsafe(other, message)
          })
        return { publish, messages: inbox }
      }),
  }
}

/**
 * A backplane within one process: larders of one name that are made below it hear of each other's
 * changes.
 *
 * **When to use**
 *
 * For several nodes in one program: simulations and tests of what happens between nodes, or worker
 * larders with a memory of their own. Between processes use `RedisBackplane.layer`.
 *
 * **Details**
 *
 * A settled change holds for the other larders in the next turn of the event loop, however busy the
 * process is. Messages arrive in order, and none is lost.
 *
 * **Gotchas**
 *
 * It is a layer *value*: all larders of one build, or of one `MemoMap`, share one hub.
 * `Layer.fresh(Backplane.layerMemory)` makes a separate one.
 *
 * **Example**
 *
 * ```ts
 * import { Backplane, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect, Layer } from "effect"
 * import * as assert from "node:assert"
 *
 * let price = 1
 * // Each node has a memory of its own, and both share one backplane.
 * const node = Effect.suspend(() =>
 *   Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.sync(() => price) }),
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *   }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer()))),
 * )
 *
 * const program = Effect.gen(function* () {
 *   const a = yield* node
 *   const b = yield* node
 *   yield* b.get("milk")
 *   price = 2
 *   yield* a.set("milk", 2)
 *   yield* Effect.sleep("10 millis")
 *   return yield* b.get("milk")
 * })
 * const seen = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(Backplane.layerMemory)),
 * )
 * assert.strictEqual(seen, 2)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<never> = Layer.effect(Backplane, Effect.sync(hub))
