/** Larder over memory, and the parts that Larder over other stacks uses too. */
import { EarlyRefresh, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { maxEntries } from "../source.ts"
import { effectful, lookup } from "./effectful.ts"
import { Product } from "./product.ts"

export interface OpenLarder {
  readonly lookup: ReturnType<typeof lookup>
  readonly stack: Layer.Layer<TierStack.TierStack, unknown>
  /** Differences from the policy of the benchmarks. */
  readonly policy?: Partial<Policy.Options> | undefined
  /** The tag of every product. Default: two, its category and its brand. */
  readonly tag?: string | undefined
}

/**
 * Opens a larder with all features on: early refresh, stale-while-revalidate, stale-if-error, a tag
 * mark, statistics and metrics.
 */
export const openLarder = ({ lookup, policy, stack, tag }: OpenLarder) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(stack)
    const larder = yield* Larder.make({
      name: "bench",
      value: Product,
      upstream: Upstream.make({ lookup }),
      policy: Policy.make({
        freshFor: "1 hour",
        staleWhileRevalidate: "10 minutes",
        staleIfError: "1 day",
        earlyRefresh: EarlyRefresh.xfetch(),
        ...policy,
      }),
      tags: tag === undefined ? ({ brand, category }) => [category, brand] : () => [tag],
    }).pipe(Effect.provideContext(context))
    // Sets a mark that covers no entry here: a larder without any mark could skip the comparison.
    yield* larder.invalidateTags(["seasonal"])
    return larder
  }).pipe(Effect.provideService(Scope.Scope, Scope.makeUnsafe()), Effect.orDie)

/** `stackAt` gets the URL of the round's Redis server. */
export const larderOver = (
  stackAt: (redis: string) => OpenLarder["stack"],
  options?: Larder.GetOptions,
) =>
  effectful(({ lifetimes, redis, source, tag }) =>
    Effect.map(
      openLarder({
        lookup: lookup(source),
        stack: stackAt(redis),
        policy: lifetimes && {
          freshFor: lifetimes.freshMillis,
          staleWhileRevalidate: lifetimes.graceMillis,
        },
        tag,
      }),
      (larder) => ({
        get: (key) => larder.get(key, options),
        getMany: (keys) => Effect.map(larder.getMany(keys), (found) => found.values()),
        // As the other libraries, which keep no stale value of an invalidated entry.
        dropTagged:
          tag === undefined ? undefined : larder.invalidateTags([tag], { keepStale: false }),
      }),
    ),
  )

export const contender = larderOver(() => TierStack.layer(MemoryTier.layer({ maxEntries })))
