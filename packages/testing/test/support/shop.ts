/** A small application: prices from a catalogue that a test can watch and change. */
import { Larder, Policy, Upstream } from "@larder/core"
import { Chaos } from "@larder/testing"
import { type Cause, Context, Effect, Exit, Layer, Schema } from "effect"
import * as Causes from "effect/Cause"

export interface Catalogue {
  price: number
  asked: number
  /** ms. */
  takes: number
}

/** The database behind all nodes. */
export class Source extends Context.Service<Source, Catalogue>()("shop/Source") {
  static readonly layer = Layer.sync(this, (): Catalogue => ({ price: 120, asked: 0, takes: 50 }))
}

export class Prices extends Larder.Service<Prices>()("shop/Prices", {
  value: Schema.Finite,
  upstream: Upstream.make({
    lookup: (_: string) =>
      Effect.gen(function* () {
        const source = yield* Source
        source.asked += 1
        if (source.takes > 0) yield* Effect.sleep(source.takes)
        return source.price
      }),
    lookupMany: (keys) =>
      Effect.map(Source, ({ price }) => new Map(keys.map((key) => [key, price]))),
  }).pipe(Chaos.aroundUpstream({ name: "catalogue" })),
  policy: Policy.make({
    freshFor: "10 seconds",
    staleWhileRevalidate: "10 seconds",
    staleIfError: "1 hour",
  }),
  tags: () => ["price"],
}) {}

/** The defect or failure of an effect that must end with one. */
export const failureOf = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<string, never, R> =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return `a success: ${String(exit.value)}`
    return messageOf(exit.cause)
  })

const messageOf = (cause: Cause.Cause<unknown>): string => {
  const failure = Causes.squash(cause)
  return failure instanceof Error ? `${failure.name}: ${failure.message}` : String(failure)
}
