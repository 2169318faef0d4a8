/** The shop's larder: all the caching code of a service. */
import { EarlyRefresh, Larder, Policy, Upstream } from "@larder/core"
import { Exit, Option } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { CatalogueClient, onceMore, patience } from "./catalogueClient.ts"
import { Product } from "./product.ts"

/** How long a product is fresh; the TTL cache beside it gets the same. */
export const freshFor = "2 seconds"

/** How much longer a product is served stale while a refresh runs in the background. */
export const revalidateFor = "10 seconds"

/** The tag of every entry with a price, so that a new price list takes one tag invalidation. */
export const pricesTag = "prices"

const policy = Policy.make({
  freshFor,
  // A page requested a few seconds ago is served at once and refreshed in the background...
  staleWhileRevalidate: revalidateFor,
  // ...and an old page is better than none for as long as an outage may last.
  staleIfError: "10 minutes",
  jitter: 0.1,
  earlyRefresh: EarlyRefresh.xfetch(),
  softTimeout: "200 millis",
  hardTimeout: patience,
})

const catalogue = Upstream.make({
  lookup: (id: number) => CatalogueClient.use((client) => client.product(id)),
  lookupMany: (ids: ReadonlyArray<number>) => CatalogueClient.use((client) => client.products(ids)),
}).pipe(
  Upstream.withRetry(onceMore),
  Upstream.withCircuitBreaker({
    tripPolicy: CircuitBreaker.consecutive(5),
    openDuration: "500 millis",
    // "No longer sold" is an answer: it shows that the catalogue works.
    classify: (exit) =>
      Exit.isSuccess(exit) ||
      Option.exists(Exit.findErrorOption(exit), ({ _tag }) => _tag === "ProductGone")
        ? CircuitBreaker.success
        : CircuitBreaker.failure(),
  }),
  // Refreshes have a bound of their own, so that they never take a waiting customer's place.
  Upstream.withConcurrency({ foreground: 256, background: 64, queue: 256 }),
)

export class Products extends Larder.Service<Products>()("shop/Products", {
  value: Product,
  upstream: catalogue,
  policy,
  tags: () => [pricesTag],
  // Failed pages and those of a long outage are not within it.
  objective: { youngerThan: "15 seconds", share: 0.99 },
  // Do the news of prices arrive? Two hits in a thousand, and one a second at most, are compared.
  audit: { share: 0.002 },
  failureFor: (error) => (error._tag === "ProductGone" ? freshFor : 0),
}) {}
