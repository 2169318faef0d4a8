/** Replies that no command waits for end a connection, not the process: an uncaught error fails the run. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { assert, describe } from "vitest"
import { connect, until } from "../../support/clients.ts"
import * as liar from "../../support/liar.ts"
import { useServer } from "../../support/tiers.ts"
import { redisSuite } from "../../support/withRedis.ts"

redisSuite("stray replies", () => {
  const { server } = useServer()

  const between = Effect.gen(function* () {
    const way = yield* liar.start((yield* server).port)
    const redis = yield* connect({ host: "127.0.0.1", port: way.port })
    yield* redis.use((client) => client.ping())
    return { way, redis }
  })

  const idOf = (redis: Effect.Success<typeof between>["redis"]) =>
    redis.use((client) => client.call("client", "id"))

  describe.each(["_", "*-1", "+OK", ":12", "-ERR no"])("%s after a reply", (text) => {
    it.live("is followed by a new connection", () =>
      Effect.gen(function* () {
        const { redis, way } = yield* between
        const before = yield* idOf(redis)
        yield* way.tell((said) => Buffer.concat([said, Buffer.from(`${text}\r\n`)]))
        yield* Effect.ignore(redis.use((client) => client.ping()))
        yield* way.tellTheTruth
        yield* until(idOf(redis), (id) => id !== before)
        yield* until(
          redis.use((client) => client.ping()),
          (reply) => reply === "PONG",
        )
      }),
    )
  })

  describe.each(["_", "*-1", "+OK", "*0", "$5\r\nhello"])("%s to a subscription", (text) => {
    it.live("is followed by a new subscription", () =>
      Effect.gen(function* () {
        const { redis, way } = yield* between
        yield* way.tell((said) => (said.includes("subscribe") ? Buffer.from(`${text}\r\n`) : said))
        const events = yield* redis.subscribe("news")
        yield* Effect.sleep(50)
        yield* way.tellTheTruth
        assert.strictEqual((yield* Queue.take(events))._tag, "Subscribed")
        yield* (yield* server).cli("PUBLISH", "news", "1")
        assert.deepStrictEqual(yield* Queue.take(events), {
          _tag: "Message",
          channel: "news",
          message: "1",
        })
      }),
    )
  })
})
