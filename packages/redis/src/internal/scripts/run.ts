/** Runs scripts by the hash of their text; a server that does not know one gets the text once. */
import { createHash } from "node:crypto"
import type { Cluster, Redis } from "ioredis"
import * as entry from "./entry.ts"
import * as marks from "./marks.ts"
import { byNode, isRedirection } from "../client/nodes.ts"

export interface Script {
  readonly text: string
  readonly sha: string
}

const script = (text: string): Script => ({
  text,
  sha: createHash("sha1").update(text).digest("hex"),
})

export const acquire = script(entry.acquire)
export const renew = script(entry.renew)
export const release = script(entry.release)
export const commit = script(entry.commit)
export const put = script(entry.put)
export const drop = script(entry.drop)
export const set = script(entry.set)
export const setAt = script(entry.setAt)
export const remove = script(entry.remove)
export const removeAt = script(entry.removeAt)
export const expire = script(entry.expire)
export const clear = script(entry.clear)
export const readMarks = script(marks.marks)
export const mark = script(marks.mark)

const all: ReadonlyArray<Script> = [
  acquire,
  renew,
  release,
  commit,
  put,
  drop,
  set,
  setAt,
  remove,
  removeAt,
  expire,
  clear,
  readMarks,
  mark,
]

/** Loads all scripts into a server, so that no first run needs a second trip. */
export const load = (server: Redis): Promise<unknown> =>
  Promise.all(all.map(({ text }) => server.script("LOAD", text)))

export type Argument = string | number | Uint8Array

const bytesOf = (argument: Uint8Array): Buffer =>
  Buffer.isBuffer(argument)
    ? argument
    : Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength)

const isUnknown = (cause: unknown): boolean =>
  cause instanceof Error && cause.message.startsWith("NOSCRIPT")

/** The keys and arguments of a script. */
export interface Call {
  readonly keys: ReadonlyArray<string>
  readonly args: ReadonlyArray<Argument>
}

const restOf = ({ args, keys }: Call) => [
  keys.length,
  ...keys,
  ...args.map((arg) => (arg instanceof Uint8Array ? bytesOf(arg) : arg)),
]

/**
 * Runs a script in one trip; in two on a server that does not know the script and has not begun it.
 * Sends nothing more once the caller stopped waiting: a later change may have been made by then.
 */
export const run = (
  client: Redis | Cluster,
  { sha, text }: Script,
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<Argument>,
  isWaiting: () => boolean,
): Promise<unknown> => {
  const rest = restOf({ keys, args })
  return client.callBuffer("evalsha", sha, ...rest).catch((cause: unknown) => {
    if (!isUnknown(cause) || !isWaiting()) throw cause
    return client.callBuffer("eval", text, ...rest)
  })
}

/** A reply, or the error in its place. */
export type Reply = { readonly value: unknown } | { readonly error: Error }

const errorOf = (cause: unknown): Error =>
  cause instanceof Error ? cause : new Error(String(cause))

const noAnswer = new Error("the pipeline returned no answer")

const pipelined = (
  server: Redis,
  { sha }: Script,
  calls: ReadonlyArray<Call>,
): Promise<ReadonlyArray<Reply>> => {
  const pipeline = server.pipeline()
  for (const call of calls) pipeline.callBuffer("evalsha", sha, ...restOf(call))
  return pipeline.exec().then((results) =>
    calls.map((_, i): Reply => {
      const [error, value] = results?.[i] ?? [noAnswer]
      return error === null ? { value } : { error }
    }),
  )
}

const oneByOne = (
  client: Redis | Cluster,
  script: Script,
  calls: ReadonlyArray<Call>,
  isWaiting: () => boolean,
): Promise<ReadonlyArray<Reply>> =>
  Promise.all(
    calls.map(({ args, keys }) =>
      run(client, script, keys, args, isWaiting).then(
        (value): Reply => ({ value }),
        (cause: unknown): Reply => ({ error: errorOf(cause) }),
      ),
    ),
  )

/** Repeats, by `ask`, the calls whose replies `isWorth` selects. */
const again = (
  calls: ReadonlyArray<Call>,
  replies: ReadonlyArray<Reply>,
  isWorth: (error: Error) => boolean,
  ask: (calls: ReadonlyArray<Call>) => Promise<ReadonlyArray<Reply>>,
): ReadonlyArray<Reply> | Promise<ReadonlyArray<Reply>> => {
  const places: Array<number> = []
  for (const [place, reply] of replies.entries()) {
    if ("error" in reply && isWorth(reply.error)) places.push(place)
  }
  if (places.length === 0) return replies
  return ask(places.map((place) => calls[place]!)).then((theirs) => {
    const all = [...replies]
    for (const [i, place] of places.entries()) all[place] = theirs[i] ?? { error: noAnswer }
    return all
  })
}

/**
 * Runs calls on one server in one trip; a server that does not know the script takes two more trips,
 * in which one call loads the text. Calls for a slot that moved go through the client, which finds
 * the new node.
 */
const onServer = (
  client: Redis | Cluster,
  server: Redis,
  script: Script,
  calls: ReadonlyArray<Call>,
  isWaiting: () => boolean,
): Promise<ReadonlyArray<Reply>> => {
  const afterText = (left: ReadonlyArray<Call>) =>
    oneByOne(client, script, left.slice(0, 1), isWaiting).then((first) =>
      left.length === 1 || !isWaiting()
        ? first
        : pipelined(server, script, left.slice(1)).then((rest) => [...first, ...rest]),
    )
  const byClient = (left: ReadonlyArray<Call>) => oneByOne(client, script, left, isWaiting)
  const isElsewhere = (error: Error) => isRedirection(error) || isUnknown(error)
  return pipelined(server, script, calls)
    .then((replies) => (isWaiting() ? again(calls, replies, isUnknown, afterText) : replies))
    .then((replies) => (isWaiting() ? again(calls, replies, isElsewhere, byClient) : replies))
}

/**
 * Runs a script once for each call, in one trip to each server that has their keys. Rejects when no
 * call has a reply.
 */
export const runAll = (
  client: Redis | Cluster,
  script: Script,
  calls: ReadonlyArray<Call>,
  isWaiting: () => boolean,
): Promise<ReadonlyArray<Reply>> => {
  const answered =
    "slots" in client
      ? onNodes(client, script, calls, isWaiting)
      : onServer(client, client, script, calls, isWaiting)
  return answered.then((replies) => {
    const [first] = replies
    if (first === undefined || !("error" in first)) return replies
    if (replies.every((reply) => "error" in reply)) throw first.error
    return replies
  })
}

const onNodes = (
  cluster: Cluster,
  script: Script,
  calls: ReadonlyArray<Call>,
  isWaiting: () => boolean,
): Promise<ReadonlyArray<Reply>> => {
  const replies = calls.map((): Reply => ({ error: noAnswer }))
  const names = calls.map(({ keys }) => keys[0] ?? "")
  const asked = Array.from(byNode(cluster, names), ([node, places]) => {
    const theirs = places.map((place) => calls[place]!)
    const answers =
      node === undefined
        ? oneByOne(cluster, script, theirs, isWaiting)
        : onServer(cluster, node, script, theirs, isWaiting)
    return answers.then((all) => {
      for (const [i, place] of places.entries()) replies[place] = all[i] ?? { error: noAnswer }
    })
  })
  return Promise.all(asked).then(() => replies)
}
