/** The commands of a library over memory and Redis, counted by the server. */
import { deepStrictEqual } from "node:assert"
import type { RedisServer } from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import { layered, type LayeredName } from "../contenders/layered.ts"
import type { OpenOptions } from "../contenders/peers/peer.ts"
import { type Answer, found, lookup, type Promised } from "../contenders/promised.ts"
import * as redis from "../redis.ts"
import * as Source from "../source.ts"
import { counted } from "./report.ts"
import { ofTheConnection } from "./sent.ts"
import { settled } from "./settled.ts"

const source = Source.make(4, "turn")
const [warm, hit, miss, cold] = source.keys as readonly [string, string, string, string]

const options = (url: string): OpenOptions => ({
  url,
  load: lookup(source),
  memory: true,
  freshMillis: 3_600_000,
  graceMillis: 600_000,
})

const notCounted = new Set([
  ...ofTheConnection,
  "config|resetstat",
  "client|setinfo",
  "client|setname",
])

const callsOf = async (server: RedisServer): Promise<ReadonlyArray<readonly [string, number]>> =>
  [...(await Effect.runPromise(server.calls))]
    .filter(([name]) => !notCounted.has(name))
    .toSorted(([a], [b]) => a.localeCompare(b))

const callsFor = async (
  server: RedisServer,
  ask: () => Promise<ReadonlyArray<Answer>>,
): Promise<string> => {
  const total = async () => (await callsOf(server)).reduce((sum, [, times]) => sum + times, 0)
  await settled(total)
  await Effect.runPromise(server.cli("CONFIG", "RESETSTAT"))
  for (const product of (await ask()).map(found))
    deepStrictEqual(product, source.expected(product.id))
  await settled(total)
  return counted(await callsOf(server))
}

/** Its commands for a hit in Redis, a miss, and a thousand callers of a cold key. */
export const countsOf = async (name: LayeredName): Promise<ReadonlyArray<string>> => {
  const { server, stop } = await redis.start()
  const open = await layered(name).open()
  const [node, other]: ReadonlyArray<Promised> = [
    await open(options(server.url)),
    await open(options(server.url)),
  ]
  if (node === undefined || other === undefined) throw new Error("two nodes")
  await other.get(hit)
  await other.get(warm)
  await node.get(warm)
  const counts = [
    await callsFor(server, async () => [await node.get(hit)]),
    await callsFor(server, async () => [await node.get(miss)]),
    await callsFor(server, () => Promise.all(Array.from({ length: 1_000 }, () => node.get(cold)))),
  ]
  await Promise.all([node.close(), other.close()])
  await stop()
  return counts
}
