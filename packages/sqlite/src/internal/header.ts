/**
 * What a file says it is, by its first bytes. SQLite is asked to open only what
 * may be a cache: it would write to, or recover, a database of something else.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs"
import { applicationId } from "./schema.ts"

/** Offsets of the file format of SQLite. */
const magic = "SQLite format 3\0"
const headerBytes = 100
const counterAt = 24
const applicationIdAt = 68

export type Header =
  | { readonly _tag: "Missing" }
  /** Nothing in it: a database that has not begun. */
  | { readonly _tag: "Empty" }
  /** `changes` rises with what is moved into the file from its log, and never falls. */
  | { readonly _tag: "Ours"; readonly size: number; readonly changes: number }
  /** A database that does not say whose it is; one of ours does only in its log until that is moved. */
  | { readonly _tag: "Unnamed" }
  | { readonly _tag: "Foreign"; readonly reason: string }

/** Pure: what `bytes`, the beginning of a file of `size` bytes, say. */
export const parse = (bytes: Buffer, size: number): Header => {
  if (size === 0) return { _tag: "Empty" }
  if (bytes.length < headerBytes || bytes.toString("latin1", 0, magic.length) !== magic) {
    return { _tag: "Foreign", reason: "it is no SQLite database" }
  }
  const id = bytes.readUInt32BE(applicationIdAt)
  if (id === applicationId) return { _tag: "Ours", size, changes: bytes.readUInt32BE(counterAt) }
  return id === 0
    ? { _tag: "Unnamed" }
    : { _tag: "Foreign", reason: "it is a database of something else" }
}

/** The identity of a file, whatever its name; undefined where there is none, or none can be seen. */
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
 * Files that this process has open as databases. Closing any descriptor of a file
 * takes away all locks that the process has on it, those of SQLite too: so there
 * is one for all, closed after the last connection.
 */
const handles = new Map<string, Handle>()

const readFrom = (descriptor: number): Header => {
  const bytes = Buffer.alloc(headerBytes)
  const length = readSync(descriptor, bytes, 0, headerBytes, 0)
  return parse(bytes.subarray(0, length), fstatSync(descriptor).size)
}

/** The header of what has this name now. */
export const headerOf = (filename: string): Header => {
  const stat = statSync(filename, { throwIfNoEntry: false })
  if (stat === undefined) return { _tag: "Missing" }
  // Not opened: a pipe would block, and a device is no place for a file.
  if (!stat.isFile())
    return { _tag: "Foreign", reason: "unable to open database file: it is no file" }
  const handle = handles.get(`${stat.dev}:${stat.ino}`)
  if (handle !== undefined) return readFrom(handle.descriptor)
  const descriptor = openSync(filename, "r")
  try {
    return readFrom(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** What has become of a file that is open. */
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

  /** A file of ours grows, and its counter rises; so what is smaller, or from before, is not what it was. */
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

  /** Whether the log that is there now is that of the file which was opened. */
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
