/**
 * The file behind a tier: opened when it is first needed, and again after it
 * could not be used, was replaced, or turned out to be damaged. A cache starts,
 * and goes on, whatever has become of its file.
 */
import { existsSync, mkdirSync, renameSync } from "node:fs"
import { dirname } from "node:path"
import { Connection, inodeOf } from "./connection.ts"
import { failureOf } from "./failure.ts"
import type { Synchronous } from "./options.ts"

/** A file that could not be opened is not tried again before, and one that is open is looked at as often. */
const patienceMillis = 1_000

export class DatabaseFile {
  readonly filename: string
  readonly #synchronous: Synchronous
  readonly #warn: (message: string) => void
  #connection: Connection | undefined
  #lookedAt = 0
  #failed: { readonly at: number; readonly cause: unknown } | undefined
  #closed = false

  constructor(filename: string, synchronous: Synchronous, warn: (message: string) => void) {
    this.filename = filename
    this.#synchronous = synchronous
    this.#warn = warn
  }

  /** What `body` gives. Throws what it throws, and what keeps the file from being opened. */
  use<A>(now: number, body: (connection: Connection) => A): A {
    const connection = this.#open(now)
    try {
      return body(connection)
    } catch (cause) {
      const failure = failureOf(cause)
      if (failure === "corrupt") this.#setAside(connection.inode, cause)
      if (failure === "unusable") this.#closeConnection()
      throw cause
    }
  }

  close(): void {
    this.#closed = true
    this.#closeConnection()
  }

  #open(now: number): Connection {
    if (this.#closed) throw new Error("the tier is closed")
    this.#lookAfter(now)
    if (this.#connection !== undefined) return this.#connection
    if (this.#failed !== undefined && now - this.#failed.at < patienceMillis) {
      throw this.#failed.cause
    }
    this.#connection = this.#connect(now)
    this.#failed = undefined
    this.#lookedAt = now
    return this.#connection
  }

  #connect(now: number): Connection {
    try {
      if (this.filename !== ":memory:") mkdirSync(dirname(this.filename), { recursive: true })
      const inode = inodeOf(this.filename)
      try {
        return new Connection(this.filename, this.#synchronous)
      } catch (cause) {
        if (failureOf(cause) !== "corrupt") throw cause
        this.#setAside(inode, cause)
        return new Connection(this.filename, this.#synchronous)
      }
    } catch (cause) {
      // Another process that is opening it has done so in a moment.
      if (failureOf(cause) !== "busy") this.#failed = { at: now, cause }
      throw cause
    }
  }

  /** Somebody who deletes or replaces an open file leaves us with one that nobody else sees. */
  #lookAfter(now: number): void {
    if (this.#connection === undefined || Math.abs(now - this.#lookedAt) < patienceMillis) return
    this.#lookedAt = now
    if (inodeOf(this.filename) === this.#connection.inode) return
    this.#warn(`${this.filename} was removed or replaced while it was open: it is opened anew`)
    this.#closeConnection()
  }

  /**
   * A damaged file is kept under another name, for whoever wants to know, and a
   * new one begun. Not if another process was quicker: then a new one is there.
   */
  #setAside(inode: number | undefined, cause: unknown): void {
    this.#closeConnection()
    if (this.filename === ":memory:" || inodeOf(this.filename) !== inode) return
    let n = 1
    while (existsSync(`${this.filename}.corrupt-${n}`)) n += 1
    const aside = `${this.filename}.corrupt-${n}`
    // The log first: a file without its log is damaged still, but a log never meets a new file.
    for (const suffix of ["-wal", "-shm", ""]) {
      if (existsSync(this.filename + suffix)) renameSync(this.filename + suffix, aside + suffix)
    }
    this.#warn(
      `${this.filename} is damaged (${String(cause)}): it is kept as ${aside}, and begun anew`,
    )
  }

  #closeConnection(): void {
    const connection = this.#connection
    this.#connection = undefined
    try {
      connection?.close()
    } catch {
      // A damaged file may refuse even that; the handle goes with the object.
    }
  }
}
