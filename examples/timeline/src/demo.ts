/** The scenario three times: with posts pushed to the earliest followers, to all, and to none. */
import { Effect, Random } from "effect"
import * as Larders from "./larders.ts"
import * as Network from "./network.ts"
import * as Nodes from "./nodes.ts"
import * as Scenario from "./scenario.ts"

export interface Settings extends Scenario.Settings {
  readonly pushLimit: number
  readonly seed: number
  /** Nothing: the nodes share the memory of this process. */
  readonly redis: { readonly url: string | undefined } | undefined
}

/** How long a query to the source takes. */
export const queryMillis = 5

const outcomeOf = (pushLimit: number, { redis, seed, ...settings }: Settings) =>
  Effect.gen(function* () {
    const nodes = yield* redis === undefined ? Nodes.inMemory : Nodes.overRedis(redis.url)
    return yield* Scenario.run(nodes, settings)
  }).pipe(
    Effect.scoped,
    Effect.provide(Network.layer(queryMillis)),
    Effect.provideService(Larders.PushLimit, pushLimit),
    Random.withSeed(seed),
  )

/** The outcome of the limit first, then of pushing to all, then of pulling alone. */
export const run = (settings: Settings) =>
  Effect.forEach([settings.pushLimit, settings.followers, 0], (limit) => outcomeOf(limit, settings))
