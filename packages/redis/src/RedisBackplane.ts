/**
 * A backplane over Redis Pub/Sub: nodes hear of each other's changes where no tier tells them. For
 * larders that keep entries in memory alone on every node, or in files of their own.
 *
 * A stack with `RedisTier` needs none: its arbiter publishes each change itself, with a version that
 * orders it.
 *
 * @module
 * @category tiers
 * @since 0.1.0
 */
import { Backplane, Heartbeat, InvalidOptions, Tier, TierLog } from "@larder/core"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { parse, toText } from "./internal/backplaneMessages.ts"
import { escape, prefixMust } from "./internal/keys.ts"
import { subscribeMillis } from "./internal/limits.ts"
import { type Client, RedisClient, type SubscriptionEvent } from "./RedisClient.ts"

/**
 * Options of {@link layer}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * The prefix of all channels. Applications that share a server need different prefixes. Default
   * `"larder"`.
   */
  readonly prefix?: string | undefined
  /**
   * How often a node checks that messages reach it. After three times this without an answer it no
   * longer trusts its memory. From 10 milliseconds to 24 days. Default 1 second.
   */
  readonly heartbeat?: Duration.Input | undefined
}

const names: Record<keyof Options, true> = { prefix: true, heartbeat: true }

const name = "redis"

type Received = Backplane.Message | Backplane.Gap

const gap = (reason: Tier.GapReason, isOver: boolean): Backplane.Gap => ({
  _tag: "Gap",
  reason,
  part: undefined,
  isOver,
})

const foreign: TierLog.Line = {
  level: "Debug",
  message: "ignored a message that is not of a backplane",
}

const logOf = (channel: string) =>
  TierLog.make({ subject: channel, annotations: { backplane: name, channel } })

/** What arrives for one larder, with the gaps in it. */
class Inbox {
  readonly queue: Queue.Queue<Received>
  readonly #log: TierLog.TierLog
  /** The subscription is lost, and the client connects again. */
  #isLost = false

  constructor(queue: Queue.Queue<Received>, log: TierLog.TierLog) {
    this.queue = queue
    this.#log = log
  }

  /** Applies an event of the subscription. */
  readonly take = (event: SubscriptionEvent): Effect.Effect<void> =>
    Effect.suspend(() => {
      switch (event._tag) {
        case "Lost":
          this.#isLost = true
          return this.#offer(gap("disconnected", false))
        case "Subscribed":
          return this.#subscribed()
        case "Message":
          return this.#message(event.message)
      }
    })

  /** Heartbeats are missing, or come again. While the subscription is lost, the larder knows already. */
  beats(isOver: boolean): void {
    if (!this.#isLost) Queue.offerUnsafe(this.queue, gap("silence", isOver))
  }

  /** Without a loss before it, the queue of the subscription was full. */
  #subscribed(): Effect.Effect<void> {
    const begun = this.#isLost ? Effect.void : this.#offer(gap("hole", false))
    this.#isLost = false
    return Effect.andThen(begun, this.#offer(gap("disconnected", true)))
  }

  #message(text: string): Effect.Effect<void> {
    const message = parse(text)
    if (message === undefined) {
      return Effect.sync(() => this.#log.write(foreign))
    }
    if (message !== "newer") return this.#offer(message)
    // Later messages arrive: only this one cannot be read.
    const missed = this.#offer(gap("newerFormat", false))
    return Effect.andThen(missed, this.#offer(gap("newerFormat", true)))
  }

  #offer(one: Received): Effect.Effect<void> {
    return Effect.asVoid(Queue.offer(this.queue, one))
  }
}

/** The links of this node, and whether its heartbeats come back. */
class Links {
  readonly #inboxes = new Set<Inbox>()
  #isSilent = false

  /** A link that opens during a silence has a gap from its beginning. */
  add(inbox: Inbox): void {
    this.#inboxes.add(inbox)
    if (this.#isSilent) inbox.beats(false)
  }

  remove(inbox: Inbox): void {
    this.#inboxes.delete(inbox)
  }

  beats(areBack: boolean): void {
    this.#isSilent = !areBack
    for (const inbox of this.#inboxes) inbox.beats(areBack)
  }
}

const failed = (operation: string) => (cause: unknown) =>
  new Backplane.BackplaneError({ backplane: name, operation, cause })

/** Opens the link of a larder. It ends when the server refuses the channel, or the client closes. */
const open = (redis: Client, channel: string, links: Links) =>
  Effect.gen(function* () {
    const events = yield* redis.subscribe(channel, { keepsAlive: false })
    yield* Queue.take(events).pipe(Effect.timeout(subscribeMillis), Effect.mapError(failed("open")))
    // Unbounded: a slow reader must not lose a message, which would be a change that it never sees.
    const queue = yield* Effect.acquireRelease(Queue.unbounded<Received>(), Queue.shutdown)
    const log = yield* logOf(channel)
    const inbox = new Inbox(queue, log)
    yield* Effect.acquireRelease(
      Effect.sync(() => links.add(inbox)),
      () => Effect.sync(() => links.remove(inbox)),
    )
    const ended = (cause: unknown) => {
      log.write({ level: "Debug", message: `the subscription ended: ${String(cause)}` })
      return Queue.shutdown(queue)
    }
    const pump = Effect.forever(Effect.flatMap(Queue.take(events), inbox.take))
    yield* Effect.forkScoped(Effect.catch(pump, ended), { startImmediately: true })
    const publish = (message: Backplane.Message) =>
      redis
        .use((client) => client.publish(channel, toText(message)))
        .pipe(Effect.asVoid, Effect.mapError(failed("publish")))
    return { publish, messages: Queue.asDequeue(queue) }
  })

let made = 0

/** The text of a beat. Each node has a channel for its own beats, so that no other node gets them. */
const beat = "1"

const ownChannel = (prefix: string): Effect.Effect<string> =>
  Effect.gen(function* () {
    const random = yield* Random.Random
    const now = yield* Clock.currentTimeMillis
    made += 1
    // The count tells nodes of one process apart, whose seed may be the same.
    const parts = [now, Math.floor(random.nextDoubleUnsafe() * 2 ** 48), made]
    return `${prefix}:h:{${parts.map((part) => part.toString(36)).join("-")}}`
  })

/** One heartbeat for all larders of the layer: they share the connection of the subscriptions. */
const watch = (redis: Client, prefix: string, everyMillis: number, links: Links) =>
  Effect.gen(function* () {
    const channel = yield* ownChannel(prefix)
    const events = yield* redis.subscribe(channel, { keepsAlive: false })
    const heartbeat = yield* Heartbeat.make({
      everyMillis,
      send: redis.use((client) => client.publish(channel, beat)),
      onSilence: () => links.beats(false),
      onHeard: () => links.beats(true),
    })
    const heard = Effect.flatMap(Queue.take(events), ({ _tag }) =>
      Effect.sync(() => {
        if (_tag !== "Lost") heartbeat.heard()
      }),
    )
    const log = yield* logOf(channel)
    const ended = (cause: unknown) =>
      Effect.sync(() =>
        log.write({
          level: "Warn",
          message: `no heartbeat, so memory is not trusted; let the user subscribe to this channel: ${String(cause)}`,
        }),
      )
    yield* Effect.forkScoped(Effect.catch(Effect.forever(heard), ended), { startImmediately: true })
  })

const checkedPrefix = (prefix: string): Effect.Effect<string> => {
  const must = prefixMust(prefix)
  return must === undefined
    ? Effect.succeed(prefix)
    : Effect.die(
        InvalidOptions.of({ module: "RedisBackplane", field: "prefix", must, got: prefix }),
      )
}

const make = (
  options: Options,
): Effect.Effect<Backplane.Backplane, never, RedisClient | Scope.Scope> =>
  Effect.gen(function* () {
    const given = { module: "RedisBackplane", names, got: options }
    const mistake = InvalidOptions.ofNames(given)
    if (mistake !== undefined) return yield* Effect.die(mistake)
    const prefix = yield* checkedPrefix(options.prefix ?? "larder")
    const { heartbeat } = yield* Effect.orDie(
      Effect.fromResult(Tier.checkLimits("RedisBackplane", { heartbeat: options.heartbeat })),
    )
    const redis = yield* RedisClient
    const links = new Links()
    yield* watch(redis, prefix, heartbeat, links)
    return {
      name,
      open: ({ larder }) => open(redis, `${prefix}:b:{${escape(larder)}}`, links),
    }
  })

/**
 * A backplane over Redis Pub/Sub, for the larders made below it.
 *
 * **When to use**
 *
 * Where several nodes have a memory of their own and share no tier, or files of their own with
 * `SqliteTier`: a change on one node then ends the freshness of older values on all nodes within
 * milliseconds.
 *
 * **Details**
 *
 * Larders of one name and one `prefix` hear of each other, on one server, behind Sentinel, or on a
 * Cluster. Only names of keys and tags are sent, no values. Redis stores nothing, and delivers a
 * message once or not at all: after a lost connection, and after three heartbeats that did not come
 * back, all entries from before are served only if upstream fails, until they are looked up again. Such a
 * gap, and a message of a newer format, is the event `GapDetected`. A change that could not be sent is
 * sent again once a second, and every 100 ms while the larder closes, until `closeTimeout`.
 *
 * A node sends one PUBLISH a `heartbeat`, and its client pings both connections every 5 seconds by
 * default, whatever the number of its larders. The user needs the rights
 * to PUBLISH and SUBSCRIBE on `prefix:b:*` and `prefix:h:*`. The layer dies with `InvalidOptions` when an
 * option is invalid.
 *
 * **Gotchas**
 *
 * The order of changes is best effort: see the module `Backplane` for the histories that go wrong, such
 * as two nodes that set the same key at the same time.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { RedisBackplane, RedisClient } from "@larder/redis"
 * import { Effect, Layer } from "effect"
 *
 * class Prices extends Larder.Service<Prices>()("shop/Prices", {
 *   upstream: Upstream.make({ lookup: (id: string) => Effect.succeed(id.length) }),
 *   policy: Policy.make({ freshFor: "1 minute", staleIfError: "1 hour" }),
 * }) {}
 *
 * // Below the larder, not beside it.
 * export const layer = Prices.layer.pipe(
 *   Layer.provide([TierStack.layer(MemoryTier.layer()), RedisBackplane.layer({ prefix: "shop" })]),
 *   Layer.provide(RedisClient.layer({ url: "redis://localhost:6379" })),
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, never, RedisClient> =>
  Layer.effect(Backplane.Backplane, make(options))
