/** A follower over a real server: what the owner stores there, and what it hears of it. */
import { it } from "@effect/vitest"
import { Larder, MemoryTier, TierStack } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { assert } from "vitest"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisTier from "../src/RedisTier.ts"
import { connect, until } from "./support/clients.ts"
import { counting, node } from "./support/nodes.ts"
import { freshName, useServer } from "./support/tiers.ts"
import { redisSuite } from "./support/withRedis.ts"

redisSuite("a follower", () => {
  const { server } = useServer()

  it.live("reads what its owner has, hears of changes, and leaves nothing on the server", () =>
    Effect.gen(function* () {
      const { cli, url } = yield* server
      const name = freshName()
      const { lookup } = counting((key, count) => Effect.succeed(`${count} of ${key}`))
      const owner = yield* node(yield* connect({ url }), { name, lookup })
      const layer = TierStack.layer(
        MemoryTier.layer(),
        RedisTier.layer().pipe(
          Layer.provide(Layer.succeed(RedisClient.RedisClient, yield* connect({ url }))),
        ),
      )
      const opened = Larder.follower({ name, value: Schema.String, maxFreshFor: "1 hour" })
      const follower = yield* Effect.provide(opened, yield* Layer.build(layer))

      assert.deepStrictEqual(yield* follower.get("k"), Option.none())
      assert.deepStrictEqual(yield* cli("KEYS", `*${name}*`), [])
      yield* until(owner.get("k"), (value) => value === "1 of k")
      yield* until(follower.get("k"), Option.isSome)
      assert.deepStrictEqual(yield* follower.get("k"), Option.some("1 of k"))
      yield* until(owner.set("k", "set"), ({ settled }) => settled)
      yield* until(follower.get("k"), (value) => Option.contains(value, "set"))
      yield* until(owner.remove("k"), ({ settled }) => settled)
      yield* until(follower.get("k"), Option.isNone)
    }),
  )
})
