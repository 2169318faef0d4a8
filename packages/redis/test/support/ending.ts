/**
 * Programs over Redis that close nothing: `node ending.ts OPTIONS NAME...`, with the options of the client
 * as JSON. Each prints its result as a line of JSON after a mark; after the last the process ends by itself. One that ends before its result
 * is the fault to find: Node's exit code is 13 then.
 */
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redis from "effect/persistence/Redis"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as RedisBackplane from "../../src/RedisBackplane.ts"
import * as RedisClient from "../../src/RedisClient.ts"
import * as RedisTier from "../../src/RedisTier.ts"

const [json = "{}", ...names] = process.argv.slice(2)
const scope = Scope.makeUnsafe()
const client = RedisClient.layer(JSON.parse(json) as RedisClient.Options)
const build = <A, E>(layer: Layer.Layer<A, E>) => Scope.provide(Layer.build(layer), scope)

/** Log lines have no such mark. */
const say = (result: unknown) => console.log(`=> ${JSON.stringify(result)}`)

const redis = Effect.map(build(client), (context) => Context.get(context, RedisClient.RedisClient))

const larderOver = <E>(
  layer: Layer.Layer<TierStack.TierStack, E>,
  policy: Partial<Policy.Options> = {},
) =>
  Effect.gen(function* () {
    return yield* Larder.make({
      name: "ending",
      value: Schema.String,
      upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(`of ${key}`) }),
      policy: Policy.make({ freshFor: "1 hour", tierTimeout: "1 second", ...policy }),
    }).pipe(Effect.provide(yield* build(layer)), Scope.provide(scope))
  })

const tier = TierStack.layer(MemoryTier.layer(), RedisTier.layer()).pipe(Layer.provide(client))
const backplane = TierStack.layer(MemoryTier.layer()).pipe(
  Layer.merge(RedisBackplane.layer().pipe(Layer.provide(client))),
)

const programs: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
  ping: Effect.flatMap(redis, ({ use }) => use((client) => client.ping())),
  client: Effect.flatMap(redis, ({ state }) => state),
  // The value of `get` is stored in the background.
  tier: Effect.gen(function* () {
    const larder = yield* larderOver(tier)
    const { settled } = yield* larder.set("a", "set")
    return [settled, yield* larder.get("a"), yield* larder.get("b")]
  }),
  "tier after a while": Effect.gen(function* () {
    const larder = yield* larderOver(tier)
    yield* larder.set("a", "set")
    // Messages are subscribed and heartbeats go.
    yield* Effect.sleep("1500 millis")
    return yield* larder.get("a")
  }),
  backplane: Effect.gen(function* () {
    const larder = yield* larderOver(backplane)
    yield* larder.set("a", "set")
    yield* Effect.sleep("1500 millis")
    yield* larder.set("a", "set again")
    return yield* larder.get("a")
  }),
  blocked: Effect.flatMap(redis, ({ use }) => use((client) => client.blpop("nothing", 0.5))),
  "waits for the tier": Effect.gen(function* () {
    const larder = yield* larderOver(tier)
    return [yield* larder.get("a"), (yield* larder.set("b", "set")).settled]
  }),
  "waits for a deadline": Effect.gen(function* () {
    const larder = yield* larderOver(tier, { tierTimeout: "200 millis" })
    return yield* Effect.timeoutOption(larder.get("a"), "5 seconds")
  }),
  "a reply too late": Effect.flatMap(redis, ({ use }) =>
    Effect.flip(use((client) => client.blpop("nothing", 2))),
  ),
  unavailable: Effect.flatMap(redis, ({ use }) => Effect.flip(use((client) => client.ping()))),
  // Says what it hears, and ends with its subscription.
  subscription: Effect.gen(function* () {
    const { subscribe } = yield* redis
    const events = yield* subscribe("news")
    yield* Queue.take(events)
    say("subscribed")
    return [(yield* Queue.take(events))._tag, (yield* Queue.take(events))._tag]
  }).pipe(Effect.scoped),
  "subscription in the background": Effect.gen(function* () {
    const { subscribe } = yield* redis
    const events = yield* Scope.provide(subscribe("news", { keepsAlive: false }), scope)
    yield* Effect.forkIn(Effect.forever(Queue.take(events)), scope)
    yield* Effect.sleep("200 millis")
    return "subscribed"
  }),
  // Effect's own service, with a connection for one user.
  "blocking command": Effect.gen(function* () {
    const { reserve } = Context.get(yield* build(client), Redis.Redis)
    const { send } = yield* reserve
    return yield* send("BLPOP", "nothing", "1.5")
  }).pipe(Effect.scoped),
}

for (const name of names) {
  const exit = await Effect.runPromiseExit(programs[name]!)
  say(Exit.isSuccess(exit) ? exit.value : String(Cause.squash(exit.cause)))
}
