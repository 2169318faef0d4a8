/**
 * Effect's `PersistedCache` over Redis, on the connection of @larder/redis. Its memory cannot be
 * left out, so entries in it expire at once. Its requests are made beforehand, as other keys are:
 * with a new request for each call it would compile its schema in each. It has no batch reads, no
 * stale values and no tags.
 */
import { RedisClient } from "@larder/redis"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Persistable from "effect/persistence/Persistable"
import * as PersistedCache from "effect/persistence/PersistedCache"
import * as Persistence from "effect/persistence/Persistence"
import * as Scope from "effect/Scope"
import { maxEntries } from "../source.ts"
import { effectful, lookup } from "./effectful.ts"
import { Product } from "./product.ts"

class ProductRequest extends Persistable.Class<{ payload: { readonly key: string } }>()(
  "ProductRequest",
  { primaryKey: ({ key }) => key, success: Product },
) {}

export const contender = effectful(({ redis, source }) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(
      Persistence.layerRedis.pipe(
        Layer.provide(RedisClient.layer({ url: redis, commandTimeout: "10 seconds" })),
      ),
    )
    const load = lookup(source)
    const requests = new Map(source.keys.map((key) => [key, new ProductRequest({ key })]))
    const cache = yield* PersistedCache.make(({ key }: ProductRequest) => Effect.orDie(load(key)), {
      storeId: "effect",
      timeToLive: () => "1 hour",
      inMemoryCapacity: maxEntries,
      inMemoryTTL: () => 0,
    }).pipe(Effect.provideContext(context))
    return { get: (key: string) => cache.get(requests.get(key)!) }
  }).pipe(Effect.provideService(Scope.Scope, Scope.makeUnsafe()), Effect.orDie),
)
