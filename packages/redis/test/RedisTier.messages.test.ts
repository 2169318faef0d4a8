/** What a node hears of the changes of others, and how it learns that it may have missed some. */
import { it } from "@effect/vitest"
import { Tier } from "@larder/core"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { assert, describe } from "vitest"
import { connect, until } from "./support/clients.ts"
import { freshName, openOn } from "./support/tiers.ts"
import { redisSuite } from "./support/withRedis.ts"

const gap = (isOver: boolean, part?: string): Tier.Message => ({
  _tag: "Gap",
  reason: "disconnected",
  part,
  isOver,
})

const next = (queue: Queue.Dequeue<Tier.Message>) => Effect.timeout(Queue.take(queue), "5 seconds")

redisSuite("messages of a tier", () => {
  describe("law 19: a subscription that ends", () => {
    it.live("is a gap until the node is subscribed again; the first subscription is none", () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const larder = freshName()
        const { arbiter, set } = yield* openOn(yield* connect({ url: server.url }), { larder })
        const queue = yield* Tier.messages(arbiter)
        const before = yield* set("k", "v")
        assert.deepInclude(yield* next(queue), { _tag: "Changed", version: before })
        for (const _ of [1, 2]) {
          yield* server.cli("CLIENT", "KILL", "TYPE", "pubsub")
          assert.deepStrictEqual(yield* next(queue), gap(false))
          assert.deepStrictEqual(yield* next(queue), gap(true))
        }
        yield* server.kill()
        assert.deepStrictEqual(yield* next(queue), gap(false))
        yield* server.restart()
        assert.deepStrictEqual(yield* next(queue), gap(true))
        yield* until(set("k", "w"))
        assert.deepInclude(yield* next(queue), { _tag: "Changed", key: "k" })
      }),
    )
  })
})
