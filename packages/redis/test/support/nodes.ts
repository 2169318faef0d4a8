import {
  Larder,
  type LarderEvent,
  MemoryTier,
  Policy,
  type Tier,
  TierStack,
  Upstream,
} from "@larder/core"
import type { Cluster, Redis } from "ioredis"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as scripts from "../../src/internal/scripts/run.ts"
import * as RedisClient from "../../src/RedisClient.ts"
import * as RedisTier from "../../src/RedisTier.ts"

const nameOf = new Map(
  Object.entries(scripts).map(([name, script]) => ["sha" in script ? script.sha : "", name]),
)

/** What is sent at intervals or for a connection; `publish` is the heartbeat of a tier. */
const ofTheConnection = new Set([
  "ping",
  "hello",
  "client",
  "info",
  "select",
  "quit",
  "publish",
  "spublish",
])

/** The commands that a connection sends from now on; scripts by their names. */
export const sent = (
  client: Redis | Cluster,
): { readonly commands: Array<string>; take: () => Array<string> } => {
  const commands: Array<string> = []
  const send = client.sendCommand.bind(client) as Cluster["sendCommand"]
  client.sendCommand = ((...args: Parameters<typeof send>) => {
    const [{ args: of, name }] = args
    const command = name === "evalsha" ? (nameOf.get(String(of[0])) ?? "unknown script") : name
    if (!ofTheConnection.has(name)) commands.push(command)
    return send(...args)
  }) as typeof send
  return { commands, take: () => commands.splice(0) }
}

export interface NodeOptions {
  readonly name: string
  readonly lookup: (key: string) => Effect.Effect<string, string>
  /** The differences from the default policy. */
  readonly policy?: Partial<Policy.Options> | undefined
  readonly tags?: ((value: string, key: string) => ReadonlyArray<string>) | undefined
  /** A memory tier in front. Default `true`. */
  readonly memory?: boolean | undefined
  /** The prefix of the tier. Default `"larder"`. */
  readonly prefix?: string | undefined
  /** More options of the tier. */
  readonly tier?: RedisTier.Options | undefined
  readonly closeTimeout?: Duration.Input | undefined
}

const stackOf = (redis: RedisClient.Client, { memory, prefix, tier: options }: NodeOptions) => {
  const tier: Layer.Layer<Tier.Tier> = RedisTier.layer({ prefix, ...options }).pipe(
    Layer.provide(Layer.succeed(RedisClient.RedisClient, redis)),
    Layer.provide(Logger.layer([])),
  )
  return memory === false ? TierStack.layer(tier) : TierStack.layer(MemoryTier.layer(), tier)
}

/** A larder of its own over the server, as another process would have it. */
export const node = (redis: RedisClient.Client, options: NodeOptions) =>
  Effect.gen(function* () {
    const stack = yield* Layer.build(stackOf(redis, options))
    return yield* Larder.make({
      name: options.name,
      value: Schema.String,
      upstream: Upstream.make({ lookup: (key: string) => options.lookup(key) }),
      policy: Policy.make({
        freshFor: "1 minute",
        staleIfError: "10 minutes",
        jitter: 0,
        tierTimeout: "1 second",
        tierBudget: "2 seconds",
        ...options.policy,
      }),
      tags: options.tags,
      closeTimeout: options.closeTimeout,
    }).pipe(Effect.provide(stack), Effect.provide(Logger.layer([])))
  })

/** The events of a larder from now on. */
export const heard = (larder: { readonly subscribe: Larder.Larder<string, string>["subscribe"] }) =>
  Effect.gen(function* () {
    const events: Array<LarderEvent.LarderEvent> = []
    yield* Stream.fromSubscription(yield* larder.subscribe).pipe(
      Stream.runForEach((event) => Effect.sync(() => events.push(event))),
      Effect.forkScoped({ startImmediately: true }),
    )
    return {
      of: <Tag extends LarderEvent.LarderEvent["_tag"]>(tag: Tag) =>
        events.filter(
          (event): event is Extract<LarderEvent.LarderEvent, { readonly _tag: Tag }> =>
            event._tag === tag,
        ),
    }
  })

/** A source that counts its requests. */
export const counting = (
  answer: (key: string, count: number) => Effect.Effect<string, string> = (key) =>
    Effect.succeed(`of ${key}`),
) => {
  const asked = new Map<string, number>()
  return {
    lookup: (key: string) =>
      Effect.suspend(() => {
        const count = (asked.get(key) ?? 0) + 1
        asked.set(key, count)
        return answer(key, count)
      }),
    of: (key: string) => asked.get(key) ?? 0,
    get all() {
      return [...asked.values()].reduce((sum, count) => sum + count, 0)
    },
  }
}
