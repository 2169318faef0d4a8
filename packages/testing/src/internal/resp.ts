/** The part of Redis' wire protocol (RESP2) that a test needs to talk to a server. */

import type { Reply, ReplyError } from "./reply.ts"

export const isReplyError = (reply: Reply): reply is ReplyError =>
  typeof reply === "object" && reply !== null && "error" in reply

export const encode = (args: ReadonlyArray<string>): string =>
  `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join("")}`

interface Parsed {
  readonly reply: Reply
  readonly next: number
}

const array = (bytes: Buffer, start: number, count: number): Parsed | undefined => {
  const replies: Array<Reply> = []
  let next = start
  for (let i = 0; i < count; i++) {
    const item = parse(bytes, next)
    if (item === undefined) return undefined
    replies.push(item.reply)
    next = item.next
  }
  return { reply: replies, next }
}

const bulk = (bytes: Buffer, start: number, length: number): Parsed | undefined =>
  bytes.length < start + length + 2
    ? undefined
    : { reply: bytes.toString("utf8", start, start + length), next: start + length + 2 }

/** The reply that begins at `start`; `undefined` when it has not arrived as a whole. */
export const parse = (bytes: Buffer, start: number): Parsed | undefined => {
  const end = bytes.indexOf("\r\n", start)
  if (end < 0) return undefined
  const line = bytes.toString("utf8", start + 1, end)
  const next = end + 2
  switch (String.fromCharCode(bytes[start] ?? 0)) {
    case "-":
      return { reply: { error: line }, next }
    case ":":
      return { reply: Number(line), next }
    case "$":
      return line === "-1" ? { reply: null, next } : bulk(bytes, next, Number(line))
    case "*":
      return line === "-1" ? { reply: null, next } : array(bytes, next, Number(line))
    default:
      return { reply: line, next }
  }
}

/** The first `count` replies; `undefined` when they have not all arrived. */
export const parseMany = (bytes: Buffer, count: number): ReadonlyArray<Reply> | undefined => {
  const all = array(bytes, 0, count)
  return all === undefined ? undefined : (all.reply as ReadonlyArray<Reply>)
}
