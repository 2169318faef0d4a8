/** The application: exchange rates, from a service that is sometimes down. It knows of no tier. */
import { Larder, Policy, Upstream } from "@larder/core"
import { Context, Data, Effect, Exit, Schema } from "effect"

export class RatesClosed extends Data.TaggedError("RatesClosed")<{ readonly currency: string }> {}

/** The upstream of the rates. */
export class RateSource extends Context.Service<
  RateSource,
  { readonly rate: (currency: string) => Effect.Effect<number, RatesClosed> }
>()("environments/RateSource") {}

const policy = Policy.make({
  freshFor: "1 minute",
  staleWhileRevalidate: "5 minutes",
  staleIfError: "1 day",
  jitter: 0.1,
})

export class Rates extends Larder.Service<Rates>()("environments/Rates", {
  value: Schema.Finite,
  upstream: Upstream.make({
    lookup: (currency: string) => RateSource.use((source) => source.rate(currency)),
  }),
  policy,
  tags: () => ["rates"],
}) {}

/** Converts a sum to euros. */
export const inEuros = (sum: number, currency: string) =>
  Effect.map(Rates.get(currency), (rate) => sum * rate)

/** One line of text: the sum in euros, and the source of the rate. */
export const describe = Effect.fnUntraced(function* (sum: number, currency: string) {
  const found = yield* Effect.exit(Rates.getWithMeta(currency))
  if (Exit.isFailure(found)) return `${sum} ${currency}: no rate`
  const { freshness, tier, value } = found.value
  return `${sum} ${currency} = ${(sum * value).toFixed(2)} EUR  (${freshness._tag.toLowerCase()}, ${tier})`
})
