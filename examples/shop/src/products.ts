/** The shop's larder: the whole of what a service has to say about its caching. */
import { EarlyRefresh, Larder, Policy, Upstream } from "@larder/core"
import { Exit, Option } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { CatalogueClient, onceMore, patience } from "./catalogueClient.ts"
import { Product } from "./product.ts"

/** How long a product may be shown without asking again; the TTL cache beside it gets the same. */
export const freshFor = "2 seconds"

/** How much longer it may be shown while it is asked for again behind the customer's back. */
export const revalidateFor = "10 seconds"

/** Everything the catalogue prices carries this tag, so that a new price list takes one write. */
export const pricesTag = "prices"

const policy = Policy.make({
  freshFor,
  // A page somebody looked at a few seconds ago is shown at once, and refreshed behind it...
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
    // "No longer sold" is an answer: it says that the catalogue is well.
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
  failureFor: (error) => (error._tag === "ProductGone" ? freshFor : 0),
}) {}
