/**
 * Reads entries: one command for one key; for many keys, one trip to each server that has some of
 * them.
 */
import type { Cluster, Redis } from "ioredis"
import { byNode, isRedirection } from "../client/nodes.ts"
import { keysPerRead } from "../limits.ts"

/** `wrongType`: the name holds something other than a string. */
export type Found = Buffer | null | "wrongType"

const isWrongType = (cause: unknown): boolean =>
  cause instanceof Error && cause.message.startsWith("WRONGTYPE")

const wrongType = (cause: unknown): "wrongType" => {
  if (isWrongType(cause)) return "wrongType"
  throw cause
}

const one = (client: Redis | Cluster, key: string): Promise<Found> =>
  client.getBuffer(key).catch(wrongType)

const alone = (found: Found): ReadonlyArray<Found> => [found]
const wrongTypeAlone = (cause: unknown): ReadonlyArray<Found> => [wrongType(cause)]

/** MGET returns null for a wrong type; the next write replaces it. */
const fromServer = (client: Redis, keys: ReadonlyArray<string>): Promise<ReadonlyArray<Found>> => {
  if (keys.length <= keysPerRead) return client.mgetBuffer(...keys)
  const chunks: Array<Promise<ReadonlyArray<Found>>> = []
  for (let i = 0; i < keys.length; i += keysPerRead) {
    chunks.push(client.mgetBuffer(...keys.slice(i, i + keysPerRead)))
  }
  return Promise.all(chunks).then((all) => all.flat())
}

const pipelined = (
  cluster: Cluster,
  node: Redis,
  keys: ReadonlyArray<string>,
): Promise<ReadonlyArray<Found>> => {
  const pipeline = node.pipeline()
  for (const key of keys) pipeline.getBuffer(key)
  return pipeline.exec().then((results) =>
    Promise.all(
      keys.map((key, i): Found | Promise<Found> => {
        const [error, value] = results?.[i] ?? [new Error("the pipeline returned no answer")]
        if (error === null) return (value as Buffer | null | undefined) ?? null
        return isRedirection(error) ? one(cluster, key) : wrongType(error)
      }),
    ),
  )
}

const fromCluster = (
  cluster: Cluster,
  keys: ReadonlyArray<string>,
): Promise<ReadonlyArray<Found>> => {
  const found = new Array<Found>(keys.length).fill(null)
  const asked = Array.from(byNode(cluster, keys), ([node, places]) => {
    const theirs = places.map((place) => keys[place]!)
    const answers =
      node === undefined
        ? Promise.all(theirs.map((key) => one(cluster, key)))
        : pipelined(cluster, node, theirs)
    return answers.then((values) => {
      for (const [i, place] of places.entries()) found[place] = values[i] ?? null
    })
  })
  return Promise.all(asked).then(() => found)
}

/** The bytes at these names, in their order. */
export const read = (
  client: Redis | Cluster,
  keys: ReadonlyArray<string>,
): Promise<ReadonlyArray<Found>> => {
  const [first] = keys
  if (first === undefined) return Promise.resolve([])
  if (keys.length === 1) return client.getBuffer(first).then(alone, wrongTypeAlone)
  return "slots" in client ? fromCluster(client, keys) : fromServer(client, keys)
}
