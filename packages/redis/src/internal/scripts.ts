/** Scripts by the hash of their text; a server that does not know one is sent the text, once. */
import { createHash } from "node:crypto"
import type { Cluster, Redis } from "ioredis"
import * as entry from "./scriptsEntry.ts"
import * as marks from "./scriptsMarks.ts"

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

/** Makes a server know all scripts, so that none has to be sent twice when it is first run. */
export const load = (server: Redis): Promise<unknown> =>
  Promise.all(all.map(({ text }) => server.script("LOAD", text)))

export type Argument = string | number | Uint8Array

const bytesOf = (argument: Uint8Array): Buffer =>
  Buffer.isBuffer(argument)
    ? argument
    : Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength)

const isUnknown = (cause: unknown): boolean =>
  cause instanceof Error && cause.message.startsWith("NOSCRIPT")

/**
 * Runs a script in one trip; in two on a server that sees it for the first time,
 * which then has not begun it. Nothing is sent for somebody who has stopped
 * waiting: by then a later change may have been made.
 */
export const run = (
  client: Redis | Cluster,
  { sha, text }: Script,
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<Argument>,
  isWaiting: () => boolean,
): Promise<unknown> => {
  const rest = [
    keys.length,
    ...keys,
    ...args.map((arg) => (arg instanceof Uint8Array ? bytesOf(arg) : arg)),
  ]
  return client.callBuffer("evalsha", sha, ...rest).catch((cause: unknown) => {
    if (!isUnknown(cause) || !isWaiting()) throw cause
    return client.callBuffer("eval", text, ...rest)
  })
}
