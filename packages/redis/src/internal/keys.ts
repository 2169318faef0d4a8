/**
 * The names of the tier's data in Redis, `prefix` being the tier's:
 *
 * ```text
 * prefix:v:larder:{key}   the entry of a key: an envelope
 * prefix:l:larder:{key}   the record of its last lease, in the same slot
 * prefix:m:{larder}       the marks of a larder
 * prefix:f:{larder}       their floors, in the same slot
 * prefix:c:{larder}       the channel that tells of its changes
 * prefix:c:{tag}:larder   in a Cluster, its sharded channel for one block of slots
 * prefix:h:{node}         the channel of a node's heartbeats
 * ```
 *
 * Names of larders and keys are escaped, so that the braces hold exactly one of them, whatever its
 * text.
 */

import { slotOf } from "./keySlot.ts"

const special = /[%:{}]/

/** Not one pattern and a function: each read of a tier escapes a key, and few keys have more than one of these. */
const encoded = (text: string): string =>
  text.replaceAll("%", "%25").replaceAll(":", "%3A").replaceAll("{", "%7B").replaceAll("}", "%7D")

/**
 * Percent-encodes characters that have a meaning in a name; the empty text, which cannot be a hash
 * tag, becomes `%`.
 */
export const escape = (text: string): string => {
  if (text === "") return "%"
  return special.test(text) ? encoded(text) : text
}

/** The text that {@link escape} encoded; `undefined` for text that `escape` never returns. */
export const unescape = (escaped: string): string | undefined => {
  if (escaped === "%") return ""
  const text = escaped.replace(/%(25|3A|7B|7D)/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  )
  return escape(text) === escaped ? text : undefined
}

/** How many sharded channels a larder has in a Cluster: one for each block of 1,024 slots. */
const blocks = 16
const slotsPerBlock = 16_384 / blocks

/** The block that a slot is in. */
export const blockOf = (slot: number): number => Math.floor(slot / slotsPerBlock)

/** For each block of slots, the first number that is the hash tag of one of them. */
const tagsOfBlocks: ReadonlyArray<string> = Array.from({ length: blocks }, (_, block) => {
  let tag = 0
  while (blockOf(slotOf(String(tag))) !== block) tag += 1
  return String(tag)
})

/** The slot of the sharded channels of each block. */
export const slotsOfBlocks: ReadonlyArray<number> = tagsOfBlocks.map(slotOf)

/** The names of one larder. */
export interface LarderKeys {
  /** The Cluster slot of a key's entry, or, for `undefined`, of the marks. */
  readonly slot: (key: string | undefined) => number
  readonly entry: (key: string) => string
  readonly lease: (key: string) => string
  readonly marks: string
  readonly floors: string
  readonly channel: string
  /** The sharded channel of each block of slots. */
  readonly shards: ReadonlyArray<string>
}

export const keysOf = (prefix: string, larder: string): LarderKeys => {
  const name = escape(larder)
  const slot = (key: string | undefined) => slotOf(key === undefined ? name : escape(key))
  const shards = tagsOfBlocks.map((tag) => `${prefix}:c:{${tag}}:${name}`)
  return {
    slot,
    entry: (key) => `${prefix}:v:${name}:{${escape(key)}}`,
    lease: (key) => `${prefix}:l:${name}:{${escape(key)}}`,
    marks: `${prefix}:m:{${name}}`,
    floors: `${prefix}:f:{${name}}`,
    channel: `${prefix}:c:{${name}}`,
    shards,
  }
}

/** The channel on which a node hears its own heartbeats. */
export const beatChannel = (prefix: string, node: string): string => `${prefix}:h:{${node}}`

/** The hash tag of a name. */
export const tagOf = (name: string): string => {
  const open = name.indexOf("{")
  const close = name.indexOf("}", open + 1)
  return open >= 0 && close > open + 1 ? name.slice(open + 1, close) : name
}

/** The rule that a prefix breaks, as the text after "must"; `undefined` for a valid prefix. */
export const prefixMust = (prefix: unknown): string | undefined => {
  if (typeof prefix !== "string" || prefix === "") {
    return 'be a non-empty string, such as "larder"'
  }
  if (/[{}]/.test(prefix)) return "have no braces, by which Redis Cluster places a key"
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  if (/[\u0000-\u001f\u007f]/.test(prefix)) return "have no control characters"
  // The marks of such a prefix would have the names of another prefix's entries.
  if (/:[vlmfch]$/.test(prefix)) return "not end in :v, :l, :m, :f, :c or :h"
  return undefined
}

/** The meaning of a name in Redis. */
export type Named =
  | { readonly _tag: "Entry" | "Lease"; readonly larder: string; readonly key: string }
  | { readonly _tag: "Marks" | "Floors"; readonly larder: string }

const ofKey = /^([vl]):([^:{}]+):\{([^:{}]+)\}$/
const ofLarder = /^([mf]):\{([^:{}]+)\}$/

/** The meaning of a name under the prefix; `undefined` for a foreign name. */
export const parse = (prefix: string, name: string): Named | undefined => {
  if (!name.startsWith(`${prefix}:`)) return undefined
  const rest = name.slice(prefix.length + 1)
  const [, kind, name1, name2] = ofKey.exec(rest) ?? ofLarder.exec(rest) ?? []
  const larder = name1 === undefined ? undefined : unescape(name1)
  if (larder === undefined) return undefined
  if (name2 === undefined) return { _tag: kind === "m" ? "Marks" : "Floors", larder }
  const key = unescape(name2)
  return key === undefined ? undefined : { _tag: kind === "v" ? "Entry" : "Lease", larder, key }
}

const literally = (text: string): string => text.replace(/[\\*?[\]]/g, (found) => `\\${found}`)

/**
 * A SCAN pattern that matches all entries of a larder, or of all larders of the prefix; it also
 * matches names that {@link parse} refuses.
 */
export const entryPattern = (prefix: string, larder: string | undefined): string =>
  larder === undefined
    ? `${literally(prefix)}:v:*`
    : `${literally(prefix)}:v:${literally(escape(larder))}:*`

/** A SCAN pattern that matches the entries, or the leases, of a larder's keys with a prefix. */
export const keyPattern = (
  prefix: string,
  larder: string,
  keyPrefix: string,
  kind: "Entry" | "Lease",
): string =>
  `${literally(prefix)}:${kind === "Entry" ? "v" : "l"}:${literally(escape(larder))}:{${literally(escape(keyPrefix))}*`

/** As {@link entryPattern}, for everything kept under the prefix. */
export const anyPattern = (prefix: string): string => `${literally(prefix)}:[vlmf]:*`
