/** The prices as their owner has them: a larder with the source behind it. */
import { Larder, Policy, Upstream } from "@larder/core"
import { Data, Effect, Option } from "effect"
import { larderName, Price } from "./price.ts"
import * as PriceTable from "./priceTable.ts"

export class NoSuchPrice extends Data.TaggedError("NoSuchPrice")<{ readonly id: string }> {}

export class Prices extends Larder.Service<Prices>()(larderName, {
  value: Price,
  upstream: Upstream.make({
    lookup: (id: string) =>
      Effect.filterOrFail(
        PriceTable.find(id),
        (price) => price !== undefined,
        () => new NoSuchPrice({ id }),
      ),
  }),
  // Followers hear of changes, and serve the old price while the owner looks the new one up.
  policy: Policy.make({ freshFor: "1 day", staleIfError: "1 day" }),
}) {}

/** What the owner has in its tiers. Asks the source for nothing. */
export const known = (id: string) =>
  Prices.use((prices) =>
    Effect.map(prices.read(id), ({ entry, freshness }) =>
      freshness._tag === "Missing" ? Option.none() : Option.fromUndefinedOr(entry?.value),
    ),
  )
