/** Two nodes of the application in this process, each with its own memory and its own way to what they share. */
import { MemoryTier, type Tier, TierStack } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import * as RedisServer from "@larder/testing/RedisServer"
import { Clock, Data, Effect, Layer, Random } from "effect"
import * as Larders from "./larders.ts"
import type { Node } from "./scenario.ts"

export class NoRedis extends Data.TaggedError("NoRedis")<{}> {
  override get message(): string {
    return "--redis needs a Redis server: install redis-server or valkey-server, or give the address of one with --url redis://127.0.0.1:6379"
  }
}

const node = <E, R>(shared: Layer.Layer<Tier.Tier, E, R>) =>
  Effect.map(
    Layer.build(
      Layer.fresh(Larders.layer.pipe(Layer.provide(TierStack.layer(MemoryTier.layer(), shared)))),
    ),
    (services): Node => ({ run: (effect) => Effect.provideContext(effect, services) }),
  )

/** The nodes share a tier in the memory of this process. */
export const inMemory = Effect.gen(function* () {
  const built = yield* Layer.build(Layer.fresh(MemoryTier.layerShared))
  const shared = Layer.succeedContext(built)
  return { writing: yield* node(shared), reading: yield* node(shared) }
})

/** The nodes share a Redis server: the one of this address, or one of this run's own. */
export const overRedis = Effect.fnUntraced(function* (named: string | undefined) {
  if (named === undefined && (yield* RedisServer.find) === undefined) return yield* new NoRedis()
  const url = named ?? (yield* RedisServer.start()).url
  const prefix = `larder-timeline-${yield* Random.nextIntBetween(0, 2 ** 48)}-${yield* Clock.currentTimeMillis}`
  const shared = RedisTier.layer({ prefix }).pipe(Layer.provide(RedisClient.layer({ url })))
  return { writing: yield* node(shared), reading: yield* node(shared) }
})
