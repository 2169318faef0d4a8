import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Schema from "effect/Schema"
import type { SqliteTier } from "../../src/index.ts"
import { tierOn } from "./stores.ts"

/** A larder over the file alone, that counts what upstream is asked. */
export const larderOn = (
  filename: string,
  maxEntries = 1000,
  options: Partial<SqliteTier.Options> = {},
) =>
  Effect.gen(function* () {
    const tier = yield* tierOn({ filename, ...options })
    const asked: Array<string> = []
    const larder = yield* Larder.make({
      name: "products",
      value: Schema.String,
      upstream: Upstream.make({
        lookup: (key: string) => Effect.sync(() => (asked.push(key), `${key} ${asked.length}`)),
      }),
      policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 hour" }),
      // What the file missed is not waited for.
      closeTimeout: 0,
    }).pipe(
      Effect.provide(
        TierStack.layer(MemoryTier.layer({ maxEntries }), Layer.succeed(Tier.Tier, tier)),
      ),
    )
    const subscription = yield* larder.subscribe
    return { larder, asked, events: PubSub.takeUpTo(subscription, 1000) }
  })
