/** Larder with everything on: early refresh, both graces, tags with a mark set, statistics and metrics. */
import { EarlyRefresh, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { maxEntries } from "../Case.ts"
import { effectful, lookup } from "./effectful.ts"

const Product = Schema.Struct({
  id: Schema.String,
  number: Schema.Finite,
  name: Schema.String,
  category: Schema.String,
  brand: Schema.String,
  price: Schema.Finite,
  description: Schema.String,
})

const policy = Policy.make({
  freshFor: "1 hour",
  staleWhileRevalidate: "10 minutes",
  staleIfError: "1 day",
  earlyRefresh: EarlyRefresh.xfetch(),
})

export const contender = effectful({
  title: "Larder",
  packages: ["@larder/core", "effect"],
  setup: (source) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const stack = yield* Layer.buildWithScope(
        TierStack.layer(MemoryTier.layer({ maxEntries })),
        scope,
      )
      const larder = yield* Larder.make({
        name: "bench",
        value: Product,
        upstream: Upstream.make({ lookup: lookup(source) }),
        policy,
        tags: (product) => [product.category, product.brand],
      }).pipe(Effect.provideContext(stack), Effect.provideService(Scope.Scope, scope))
      // A mark that covers nothing here: a larder without any mark could skip the comparison.
      yield* larder.invalidateTags(["seasonal"])
      return { get: (key) => larder.get(key), close: Scope.close(scope, Exit.void) }
    }),
})
