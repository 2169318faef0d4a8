/**
 * Reads entries: one command for one key; for many keys, one trip to each server that has some of
 * them.
 */
import type { ChainableCommander, Cluster, Redis } from "ioredis"
import { Arbitration } from "@larder/core"
import { byNode, isRedirection } from "../client/nodes.ts"
import { keysPerRead } from "../limits.ts"

/** Kind (3) and version (16) of an envelope; a tombstone has no more. */
const headerBytes = 19

/** `wrongType`: the name holds something other than a string. */
export type Found = Buffer | null | "wrongType"

const isWrongType = (cause: unknown): boolean =>
  cause instanceof Error && cause.message.startsWith("WRONGTYPE")

const wrongType = (cause: unknown): "wrongType" => {
  if (isWrongType(cause)) return "wrongType"
  throw cause
}

/** What is read of an entry: one command, alone or in a pipeline. */
interface Part {
  readonly alone: (client: Redis | Cluster, key: string) => Promise<Buffer | null>
  readonly add: (pipeline: ChainableCommander, key: string) => void
}

const whole: Part = {
  alone: (client, key) => client.getBuffer(key),
  add: (pipeline, key) => void pipeline.getBuffer(key),
}

/** Kind and version: the first bytes of an envelope. */
const header: Part = {
  alone: (client, key) => client.getrangeBuffer(key, 0, headerBytes - 1),
  add: (pipeline, key) => void pipeline.getrangeBuffer(key, 0, headerBytes - 1),
}

const one = (part: Part, client: Redis | Cluster, key: string): Promise<Found> =>
  part.alone(client, key).catch(wrongType)

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
  part: Part,
  client: Redis | Cluster,
  node: Redis,
  keys: ReadonlyArray<string>,
): Promise<ReadonlyArray<Found>> => {
  const pipeline = node.pipeline()
  for (const key of keys) part.add(pipeline, key)
  return pipeline.exec().then((results) =>
    Promise.all(
      keys.map((key, i): Found | Promise<Found> => {
        const [error, value] = results?.[i] ?? [new Error("the pipeline returned no answer")]
        if (error === null) return (value as Buffer | null | undefined) ?? null
        return isRedirection(error) ? one(part, client, key) : wrongType(error)
      }),
    ),
  )
}

const fromCluster = (
  part: Part,
  cluster: Cluster,
  keys: ReadonlyArray<string>,
): Promise<ReadonlyArray<Found>> => {
  const found = new Array<Found>(keys.length).fill(null)
  const asked = Array.from(byNode(cluster, keys), ([node, places]) => {
    const theirs = places.map((place) => keys[place]!)
    const answers =
      node === undefined
        ? Promise.all(theirs.map((key) => one(part, cluster, key)))
        : pipelined(part, cluster, node, theirs)
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
  return "slots" in client ? fromCluster(whole, client, keys) : fromServer(client, keys)
}

/** The headers at these names, in their order; empty for a name that is not there. */
export const readHeaders = (
  client: Redis | Cluster,
  keys: ReadonlyArray<string>,
): Promise<ReadonlyArray<Found>> => {
  const [first] = keys
  if (first === undefined) return Promise.resolve([])
  if (keys.length === 1) return one(header, client, first).then(alone)
  return "slots" in client
    ? fromCluster(header, client, keys)
    : pipelined(header, client, client, keys)
}

const headerOf = /^L1([VT])(\d{16})$/

/** What a header says is stored; bytes that are no envelope are a value without a version. */
export const storedOf = (found: Uint8Array | undefined): Arbitration.Stored => {
  if (found === undefined || found.length === 0) return { version: 0, isValue: false }
  const [, kind, version] = headerOf.exec(Buffer.from(found).toString("latin1")) ?? []
  return { version: Arbitration.usable(Number(version)), isValue: kind !== "T" }
}
