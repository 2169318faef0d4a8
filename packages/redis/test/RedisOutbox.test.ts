/** Outboxes in Redis: other processes are heard of, and options are checked. */
import { InvalidOptions, OutboxStore } from "@larder/core"
import { describe, expect, it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisOutbox from "../src/RedisOutbox.ts"
import { redisSuite } from "./support/withRedis.ts"

redisSuite("an outbox in Redis", () => {
  it.live("is one for all processes, and survives that the server is killed, with its file", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start({
        config: { appendonly: "yes", appendfsync: "everysec" },
      })
      const process = Effect.gen(function* () {
        const client = RedisClient.layer({ url: server.url, commandTimeout: "5 seconds" })
        const built = Layer.build(Layer.fresh(RedisOutbox.layer().pipe(Layer.provide(client))))
        const { open } = yield* Effect.provide(OutboxStore.OutboxStore, yield* built)
        return yield* open({ outbox: "prices", maxPending: 1_000, merges: false })
      })
      const one = yield* process
      const other = yield* process
      const heard: Array<number> = []
      yield* other.listen((waiting) => heard.push(waiting))
      const offers = Array.from({ length: 100 }, (_, i) => ({
        key: `k${i}`,
        version: 1,
        payload: "1",
        merged: [],
      }))
      expect(new Set((yield* one.offer(offers)).map(({ _tag }) => _tag))).toEqual(
        new Set(["Accepted"]),
      )
      yield* Effect.sleep("10 millis").pipe(Effect.repeat({ until: () => heard.includes(100) }))
      yield* server.kill()
      yield* server.restart({ keepData: true })
      const depth = yield* Effect.retry(other.depth, { times: 50 })
      expect(depth.waiting).toBe(100)
    }),
  )
})

describe("options", () => {
  const redis = Layer.succeed(RedisClient.RedisClient, {} as never)
  it.each([
    [{ prefix: "" }, "prefix"],
    [{ name: " " }, "name"],
    [{ prefx: "shop" }, "prefx"],
  ])("dies with InvalidOptions for %o", async (options, field) => {
    const layer = RedisOutbox.layer(options as never).pipe(Layer.provide(redis))
    const exit = await Effect.runPromiseExit(Effect.scoped(Layer.build(layer)))
    const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
    expect(reason).toMatchObject({ defect: expect.any(InvalidOptions) })
    expect(reason).toMatchObject({ defect: { module: "RedisOutbox", field } })
  })
})
