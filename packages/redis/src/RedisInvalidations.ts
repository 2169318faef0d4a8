/**
 * Messages about changes that any service publishes on a channel of Redis, as a feed for
 * `Invalidations.from` of `@larder/core`.
 *
 * A publisher needs one command: `PUBLISH channel '{"v":1,"larder":"app/Products","keys":["milk"]}'`.
 *
 * @module
 * @category cache
 * @since 0.1.0
 */
import { InvalidOptions, Invalidations } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { RedisClient, type RedisClientError, type SubscriptionEvent } from "./RedisClient.ts"

/**
 * Options of {@link stream}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** The channel on which others publish. */
  readonly channel: string
  /**
   * What the feed begins with. `"gap"`, the default: messages from before may be missing, so everything
   * counts as changed. `"now"` is for a larder that has nothing from before, such as one in memory alone,
   * and for nodes whose shared tier another node has kept up to date meanwhile.
   */
  readonly begin?: "gap" | "now" | undefined
}

const names: Record<keyof Options, true> = { channel: true, begin: true }

const mistakeIn = (options: Options): InvalidOptions | undefined => {
  const module = "RedisInvalidations"
  const mistake = InvalidOptions.ofNames({ module, names, got: options })
  if (mistake !== undefined) return mistake
  const { begin, channel } = options
  if (typeof channel !== "string" || channel === "") {
    const must = 'be the name of a channel, such as "changes"'
    return InvalidOptions.of({ module, field: "channel", must, got: channel })
  }
  if (begin === undefined || begin === "gap" || begin === "now") return undefined
  return InvalidOptions.of({ module, field: "begin", must: 'be "gap" or "now"', got: begin })
}

/** `isFirst`: no event came before. Without a subscription nothing can be known: a loss is no gap until it is over. */
const changesOf = (
  event: SubscriptionEvent,
  isFirst: boolean,
  begin: Options["begin"],
): ReadonlyArray<Invalidations.Change> => {
  switch (event._tag) {
    case "Subscribed":
      return isFirst && begin === "now" ? [] : [Invalidations.gap]
    case "Lost":
      return []
    case "Message":
      return [Invalidations.parse(event.message)]
  }
}

/**
 * The messages of a channel, with a `Gap` wherever some may be missing: after each reconnect, when the
 * reader was too slow for 10,000 messages, and at the beginning.
 *
 * **When to use**
 *
 * Use it where another service changes values, in whatever language. For changes by other nodes of the
 * same larder the tier, or `RedisBackplane`, tells already.
 *
 * **Details**
 *
 * It subscribes while it is run, on the connection that all subscriptions of the client share, and is
 * subscribed when its first element could arrive. It fails when the server refuses the channel, and
 * when the client closes. Dies with `InvalidOptions` when an option is invalid.
 *
 * **Gotchas**
 *
 * Redis delivers a message to who is subscribed, once: what a publisher sends while the connection is
 * down is lost, and the gap after it stands for it.
 *
 * **Example**
 *
 * ```ts
 * import { Invalidations, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { RedisClient, RedisInvalidations } from "@larder/redis"
 * import { Effect, Layer } from "effect"
 *
 * class Prices extends Larder.Service<Prices>()("shop/Prices", {
 *   upstream: Upstream.make({ lookup: (id: string) => Effect.succeed(id.length) }),
 *   policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 day" }),
 * }) {}
 *
 * const changes = RedisInvalidations.stream({ channel: "changes", begin: "now" })
 *
 * export const layer = Layer.effectDiscard(
 *   Effect.flatMap(Prices, (prices) => Effect.forkScoped(Invalidations.from(prices, changes))),
 * ).pipe(
 *   Layer.provideMerge(Prices.layer),
 *   Layer.provide(TierStack.layer(MemoryTier.layer())),
 *   Layer.provide(RedisClient.layer({ url: "redis://localhost:6379" })),
 * )
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const stream = (
  options: Options,
): Stream.Stream<Invalidations.Change, RedisClientError, RedisClient> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const mistake = mistakeIn(options)
      if (mistake !== undefined) return yield* Effect.die(mistake)
      const redis = yield* RedisClient
      const events = yield* redis.subscribe(options.channel, { keepsAlive: false })
      let isFirst = true
      return Stream.flatMap(Stream.fromQueue(events), (event) => {
        const changes = changesOf(event, isFirst, options.begin)
        isFirst = false
        return Stream.fromIterable(changes)
      })
    }),
  )
