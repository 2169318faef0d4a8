/**
 * Identifies a file by its first bytes. SQLite may open only a file that may be a cache: it would
 * write to a foreign database, or recover it.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs"
import { applicationId } from "./schema.ts"

/** Offsets in SQLite's file format. */
const magic = "SQLite format 3\0"
const headerBytes = 100
const counterAt = 24
const applicationIdAt = 68

export type Header =
  | { readonly _tag: "Missing" }
  /** An empty file. */
  | { readonly _tag: "Empty" }
  /** `changes` rises when the log is moved into the file, and never falls. */
  | { readonly _tag: "Ours"; readonly size: number; readonly changes: number }
  /**
   * A database without an application id. A cache has its id only in the log until the log is
   * moved.
   */
  | { readonly _tag: "Unnamed" }
  | { readonly _tag: "Foreign"; readonly reason: string }

/** Pure: classifies a file of `size` bytes by its beginning. */
export const parse = (bytes: Buffer, size: number): Header => {
  if (size === 0) return { _tag: "Empty" }
  if (bytes.length < headerBytes || bytes.toString("latin1", 0, magic.length) !== magic) {
    return { _tag: "Foreign", reason: "it is not an SQLite database" }
  }
  const id = bytes.readUInt32BE(applicationIdAt)
  if (id === applicationId) return { _tag: "Ours", size, changes: bytes.readUInt32BE(counterAt) }
  return id === 0
    ? { _tag: "Unnamed" }
    : { _tag: "Foreign", reason: "it is a database of another application" }
}

/**
 * The identity of a file, whatever its name; undefined when it does not exist or cannot be read.
 */
export const identityOf = (filename: string): string | undefined => {
  try {
    const stat = statSync(filename, { throwIfNoEntry: false })
    return stat && `${stat.dev}:${stat.ino}`
  } catch {
    return undefined
  }
}

interface Handle {
  readonly descriptor: number
  users: number
}

/**
 * Files that this process has open as databases. Closing any descriptor of a file releases all
 * locks of the process on it, including those of SQLite. So all connections share one descriptor,
 * closed after the last of them.
 */
const handles = new Map<string, Handle>()

const readFrom = (descriptor: number): Header => {
  const bytes = Buffer.alloc(headerBytes)
  const length = readSync(descriptor, bytes, 0, headerBytes, 0)
  return parse(bytes.subarray(0, length), fstatSync(descriptor).size)
}

/** The header of the file that now has this name. */
export const headerOf = (filename: string): Header => {
  const stat = statSync(filename, { throwIfNoEntry: false })
  if (stat === undefined) return { _tag: "Missing" }
  // Do not open other kinds: a pipe blocks, and a device holds no file.
  if (!stat.isFile())
    return { _tag: "Foreign", reason: "unable to open database file: it is not a file" }
  const handle = handles.get(`${stat.dev}:${stat.ino}`)
  if (handle !== undefined) return readFrom(handle.descriptor)
  const descriptor = openSync(filename, "r")
  try {
    return readFrom(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** The fate of an open file. */
export type Fate = "sound" | "moved" | "truncated" | "overwritten"

/** Watches a file while a connection has it open. Close it after the connection. */
export class FileWatch {
  readonly #filename: string
  readonly #identity: string | undefined
  readonly #log: string | undefined
  #size = 0
  #changes = 0

  constructor(filename: string) {
    this.#filename = filename
    this.#identity = identityOf(filename)
    this.#log = identityOf(`${filename}-wal`)
    if (this.#identity === undefined) return
    const handle = handles.get(this.#identity)
    if (handle === undefined) {
      handles.set(this.#identity, { descriptor: openSync(filename, "r"), users: 1 })
    } else {
      handle.users += 1
    }
  }

  /**
   * A cache file only grows and its counter only rises: a smaller size or counter means another
   * content.
   */
  look(): Fate {
    if (identityOf(this.#filename) !== this.#identity) return "moved"
    const handle = handles.get(this.#identity ?? "")
    if (handle === undefined) return "moved"
    const header = readFrom(handle.descriptor)
    if (header._tag === "Empty") return "truncated"
    if (header._tag === "Unnamed" && this.#size === 0) return "sound"
    if (header._tag !== "Ours") return "overwritten"
    if (header.size < this.#size) return "truncated"
    if (header.changes < this.#changes) return "overwritten"
    this.#size = header.size
    this.#changes = header.changes
    return "sound"
  }

  /** Whether the current log belongs to the file that was opened. */
  get hasItsLog(): boolean {
    return this.#log !== undefined && identityOf(`${this.#filename}-wal`) === this.#log
  }

  close(): void {
    const identity = this.#identity ?? ""
    const handle = handles.get(identity)
    if (handle === undefined) return
    handle.users -= 1
    if (handle.users > 0) return
    handles.delete(identity)
    closeSync(handle.descriptor)
  }
}
