/** What the client, the tier and the backplane say of their servers: through `LogEvents` where it is provided, and never with a key or a value. */
import { it } from "@effect/vitest"
import {
  KeyDisplay,
  Larder,
  LogEvents,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { assert } from "vitest"
import { Outside } from "../../core/test/support/outside.ts"
import { keysOf } from "../src/internal/keys.ts"
import * as RedisBackplane from "../src/RedisBackplane.ts"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisTier from "../src/RedisTier.ts"
import { connect, times, until } from "./support/clients.ts"
import { redisSuite } from "./support/withRedis.ts"

const mark = "SECRET"
const valueOf = (key: string) => `value of ${key}`

const larderOf = (name: string) =>
  Larder.make({
    name,
    value: Schema.String,
    upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(valueOf(key)) }),
    policy: Policy.make({
      freshFor: "1 second",
      staleIfError: "1 hour",
      tierTimeout: "250 millis",
    }),
    closeTimeout: "100 millis",
  })

/** Larders over a server that may not evict, is sent damaged messages, and goes away. */
const program = (outside: Outside) =>
  Effect.gen(function* () {
    const server = yield* RedisServer.start({ config: { maxmemory: "100mb" } })
    yield* server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
    const client = RedisClient.layer({ url: server.url, password: "needless", ...times })
    const tiers = TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), RedisTier.layer())
    const memories = Layer.merge(TierStack.layer(MemoryTier.layer()), RedisBackplane.layer())
    yield* Effect.gen(function* () {
      const shared = yield* Effect.provide(larderOf("shared"), yield* Layer.build(tiers))
      const told = yield* Effect.provide(larderOf("told"), yield* Layer.build(memories))
      const use = Effect.forEach([shared, told], (larder) =>
        Effect.forEach(["ann", "bob"], (name) =>
          Effect.andThen(
            larder.get(`${mark}-${name}`),
            larder.set(`${mark}-${name}-too`, valueOf(mark)),
          ),
        ),
      )
      yield* use
      const other = yield* connect({ url: server.url })
      const { channel } = keysOf("larder", "shared")
      for (const name of [channel, "larder:b:{told}"]) {
        yield* other.use((connection) => connection.publish(name, `damaged ${mark} message`))
      }
      const says = (text: string) =>
        until(
          Effect.sync(() => [text, ...outside.lines.map(({ message }) => message)]),
          ([_, ...messages]) => messages.some((message) => message.includes(text)),
        )
      yield* says("noeviction")
      yield* says("ignored a message that is not of a tier")
      yield* says("ignored a message that is not of a backplane")
      yield* server.kill()
      yield* says("not connected, retrying")
      yield* use
      yield* says("could not be sent")
      yield* server.restart()
      yield* says("connected again")
    }).pipe(Effect.scoped, Effect.provide(client))
  })

redisSuite("what leaves the process of larders over Redis", () => {
  it.live("goes through LogEvents, with annotations, and is said once", () =>
    Effect.gen(function* () {
      const [own, outside] = [new Outside(), new Outside()]
      yield* outside.around(Layer.build(LogEvents.layer()))
      yield* own.around(program(outside))
      assert.deepStrictEqual(own.lines, [])
      const about = (text: string) => outside.lines.filter(({ message }) => message.includes(text))
      assert.deepStrictEqual(
        about("noeviction").map(({ annotations }) => annotations),
        [{ tier: "redis" }],
      )
      const [outage] = about("not connected, retrying")
      assert.match(outage?.message ?? "", /^not connected, retrying: /)
      assert.match(String(outage?.annotations["server"]), /^127\.0\.0\.1:\d+$/)
      assert.deepStrictEqual(Object.keys(outage?.annotations ?? {}), ["server"])
      assert.deepInclude(about("could not be sent")[0]?.annotations, {
        larder: "told",
        backplane: "redis",
      })
    }),
  )

  for (const display of ["hashed", "shown"] as const) {
    it.live(`has no value, and keys only where they are shown: ${display}`, () =>
      Effect.gen(function* () {
        const outside = new Outside()
        yield* Effect.provide(program(outside), LogEvents.layer()).pipe(
          Effect.provideService(KeyDisplay.KeyDisplay, display),
          outside.around,
        )
        const having = (words: string) => outside.texts.filter((text) => text.includes(words))
        if (display === "hashed") assert.deepStrictEqual(having(mark), [])
        else assert.isNotEmpty(having(mark))
        assert.deepStrictEqual(having("value of"), [])
        assert.deepStrictEqual(having("damaged"), [])
      }),
    )
  }
})
