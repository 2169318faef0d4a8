/** The trips of a larder over memory and Redis, counted where its client sends. */
import { deepStrictEqual, strictEqual } from "node:assert"
import { MemoryTier, TierStack } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { lookup } from "../contenders/effectful.ts"
import { openLarder } from "../contenders/product.ts"
import * as Source from "../source.ts"
import { recorded, type Sent } from "./sent.ts"
import { settled } from "./settled.ts"

const openClient = (url: string) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(RedisClient.layer({ url }), scope)
    return {
      redis: Context.get(context, RedisClient.RedisClient),
      close: Scope.close(scope, Exit.void),
    }
  })

const stackOn = (redis: RedisClient.Client) =>
  TierStack.layer(
    MemoryTier.layer(),
    RedisTier.layer().pipe(
      Layer.provide(Layer.succeed(RedisClient.RedisClient, redis)),
      Layer.provide(Logger.layer([])),
    ),
  )

/** A node on a client of its own, that has read the marks and knows the scripts. */
const openNode = async (url: string, tags: number) => {
  const source = Source.make(101, "turn")
  const client = await Effect.runPromise(openClient(url))
  const sent = recorded(client.redis.client)
  const { close, larder } = await Effect.runPromise(
    openLarder({
      lookup: lookup(source),
      stack: stackOn(client.redis),
      tags: ({ id }) => Array.from({ length: tags }, (_, number) => `${id} tag ${number}`),
    }),
  )
  const [warm, ...keys] = source.keys
  await Effect.runPromise(Effect.andThen(larder.refresh(warm!), larder.get(warm!)))
  await settled(sent.count)
  sent.take()
  return {
    larder,
    source,
    keys,
    sent,
    close: () => Effect.runPromise(Effect.andThen(close, client.close)),
  }
}

type Node = Awaited<ReturnType<typeof openNode>>

/** What `ask` sends, also behind the answer, by a node whose memory is empty. */
const sentFor = async (
  url: string,
  { stored, tags = 2 }: { readonly stored: boolean; readonly tags?: number },
  ask: (node: Node) => Promise<ReadonlyArray<Source.Product>>,
): Promise<Sent> => {
  const other = await openNode(url, tags)
  if (stored) {
    for (const key of other.keys) await Effect.runPromise(other.larder.get(key))
    await settled(other.sent.count)
  }
  const node = await openNode(url, tags)
  const lookups = node.source.lookups()
  const products = await ask(node)
  for (const product of products) deepStrictEqual(product, node.source.expected(product.id))
  await settled(node.sent.count)
  strictEqual(node.source.lookups() - lookups, stored ? 0 : 1, "lookups")
  const sent = node.sent.take()
  await Effect.runPromise(node.larder.clear({ keepStale: false }))
  await Promise.all([node.close(), other.close()])
  return sent
}

const one = async ({ keys, larder }: Node) => [await Effect.runPromise(larder.get(keys[0]!))]

const hundred = async ({ keys, larder }: Node) =>
  Effect.runPromise(
    Effect.flatMap(larder.getMany(keys), (found) => Effect.all([...found.values()])),
  )

const thousand = ({ keys, larder }: Node) =>
  Promise.all(Array.from({ length: 1_000 }, () => Effect.runPromise(larder.get(keys[0]!))))

export type Line = readonly [operation: string, sent: Sent]

export const linesOf = async (url: string): Promise<ReadonlyArray<Line>> => [
  ["hit, no tags", await sentFor(url, { stored: true, tags: 0 }, one)],
  ["hit, 5 tags", await sentFor(url, { stored: true, tags: 5 }, one)],
  ["getMany of 100, all hits", await sentFor(url, { stored: true }, hundred)],
  ["miss", await sentFor(url, { stored: false }, one)],
  ["1,000 cold callers of one key", await sentFor(url, { stored: false }, thousand)],
]
