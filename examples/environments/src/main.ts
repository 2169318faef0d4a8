/**
 * `LARDER_STACK=box LARDER_FILE=/tmp/rates.db node src/main.ts`: run it twice; the second run makes
 * no lookup.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer } from "effect"
import { describe, Rates, RatesClosed, RateSource } from "./rates.ts"
import { Environment, layer as stackLayer } from "./stack.ts"

const prices: Readonly<Record<string, number>> = { USD: 0.92, GBP: 1.17, JPY: 0.0061 }

const source = Layer.succeed(RateSource, {
  rate: (currency) =>
    Effect.suspend(() => {
      const rate = prices[currency]
      return Effect.andThen(
        Console.log(`    the exchange is asked for ${currency}`),
        Effect.delay(
          rate === undefined ? Effect.fail(new RatesClosed({ currency })) : Effect.succeed(rate),
          "100 millis",
        ),
      )
    }),
})

const program = Effect.gen(function* () {
  yield* Console.log(`stack: ${yield* Environment}`)
  for (const currency of ["USD", "GBP", "USD", "XXX"]) {
    yield* Console.log(yield* describe(100, currency))
  }
  const { tiers } = yield* Rates.stats
  yield* Console.log(`tiers: ${tiers.join(", ")}`)
})

program.pipe(
  Effect.provide(Rates.layer.pipe(Layer.provide(stackLayer), Layer.provide(source))),
  NodeRuntime.runMain,
)
