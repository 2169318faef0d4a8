/**
 * The file behind a tier. Opens it on first use, and again after it was unusable, replaced or
 * damaged. A cache starts and continues whatever happens to its file; a file that is no cache stays
 * as it is.
 */
import { existsSync, renameSync, rmSync, statSync, truncateSync } from "node:fs"
import { dirname } from "node:path"
import { Connection } from "./connection.ts"
import { isFull, roomOf } from "./diskRoom.ts"
import { failureOf, NotOurs } from "./failure.ts"
import { type Fate, headerOf, identityOf } from "./header.ts"
import type { Synchronous } from "./options.ts"
import * as reserve from "./reserve.ts"
import type { Warnings } from "./warnings.ts"
import { fileCheckMillis } from "./limits.ts"

const beside = ["-wal", "-shm"]

/**
 * How much an operation may discard on a full disk. A read may discard nothing. A change may discard
 * the entries of an open file when evicting some was not enough. An invalidation may also discard
 * the entries of a file that cannot be opened.
 */
export type Need = "read" | "change" | "invalidation"

export class DatabaseFile {
  readonly filename: string
  readonly #synchronous: Synchronous
  readonly #warnings: Warnings
  #connection: Connection | undefined
  #identity: string | undefined
  #lookedAt = 0
  #failed: { readonly at: number; readonly cause: unknown } | undefined
  #closed = false
  #losses = 0

  constructor(filename: string, synchronous: Synchronous, warnings: Warnings) {
    this.filename = filename
    this.#synchronous = synchronous
    this.#warnings = warnings
  }

  /** How often the file's content was lost or replaced. */
  get losses(): number {
    return this.#losses
  }

  /**
   * Returns the result of `body`. Throws its errors, and the error that keeps the file from being
   * opened.
   */
  use<A>(now: number, need: Need, body: (connection: Connection) => A): A {
    return this.#attempt(now, need, body, false)
  }

  #attempt<A>(now: number, need: Need, body: (connection: Connection) => A, isRetry: boolean): A {
    const connection = this.#open(now, need)
    try {
      return body(connection)
    } catch (cause) {
      if (this.#recovers(now, need, connection, cause, isRetry)) {
        return this.#attempt(now, need, body, true)
      }
      throw cause
    }
  }

  /** Warns once that the disk is full. */
  warnFull(now: number): void {
    this.#warnings.warn(
      "full",
      now,
      `the disk of ${this.filename} is full: the tier evicts its oldest entries to make room; free disk space, lower maxBytes, or move the file to another disk`,
    )
  }

  close(): void {
    this.#closed = true
    this.#closeConnection()
  }

  #open(now: number, need: Need): Connection {
    if (this.#closed) throw new Error("the tier is closed")
    this.#lookAfter(now)
    if (this.#connection !== undefined) return this.#connection
    const failed = this.#failed
    const isEarly = failed !== undefined && Math.abs(now - failed.at) < fileCheckMillis
    if (isEarly && !(need === "invalidation" && this.#canDiscard())) throw failed.cause
    this.#connection = this.#connect(now, need)
    this.#identity = identityOf(this.filename)
    this.#failed = undefined
    this.#lookedAt = now
    return this.#connection
  }

  #connect(now: number, need: Need): Connection {
    try {
      return this.#connectOnce(now, need)
    } catch (cause) {
      // Another process is opening the file and finishes in a moment.
      if (failureOf(cause) === "busy") throw cause
      this.#failed = { at: now, cause }
      this.#warnClosed(now, cause)
      throw cause
    }
  }

  #connectOnce(now: number, need: Need): Connection {
    this.#refuse()
    const identity = identityOf(this.filename)
    try {
      return new Connection(this.filename, this.#synchronous)
    } catch (cause) {
      const isFull = this.#isFull()
      if (isFull) this.warnFull(now)
      if (isFull && reserve.release(this.filename)) return this.#connectOnce(now, need)
      if (need === "invalidation" && this.#canDiscard()) this.#discard(now)
      else if (failureOf(cause) === "corrupt") this.#setAside(now, identity, cause)
      else throw cause
      return new Connection(this.filename, this.#synchronous)
    }
  }

  /** Throws for a file that SQLite must not open: it would create, change or recover it. */
  #refuse(): void {
    if (this.filename === ":memory:") return
    const folder = dirname(this.filename)
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
      throw new Error(`there is no folder ${folder}`)
    }
    const header = headerOf(this.filename)
    if (header._tag === "Foreign") throw new NotOurs({ reason: header.reason })
  }

  #warnClosed(now: number, cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause)
    this.#warnings.warn(
      "closed",
      now,
      `${this.filename} cannot be opened: ${reason}; larders continue without the tier until it can. ${remedyFor(cause, this.filename)}`,
    )
  }

  /** Whether to retry `body` once, with the file as it is now. */
  #recovers(
    now: number,
    need: Need,
    connection: Connection,
    cause: unknown,
    isRetry: boolean,
  ): boolean {
    switch (failureOf(cause)) {
      case "full":
        if (need === "read") return false
        if (!isRetry && reserve.release(this.filename)) return true
        if (connection.isEmpty) return false
        this.#discard(now)
        return true
      case "corrupt":
        this.#lose(now, cause)
        return false
      case "unusable":
        this.#closeConnection()
        this.#warnClosed(now, cause)
        return false
      default:
        return false
    }
  }

  #lookAfter(now: number): void {
    if (this.#connection === undefined || Math.abs(now - this.#lookedAt) < fileCheckMillis) return
    this.#lookedAt = now
    const fate = this.#connection.fate()
    if (fate === "sound") return
    // Race: other processes open the new file while this one still writes to the old one.
    if (fate === "moved") {
      this.#losses += 1
      // SQLite would apply the log of the removed file to the new one.
      if (this.#connection.hasItsLog) this.#removeBeside()
      this.#warnings.warn(
        "replaced",
        now,
        `${this.filename} was removed or replaced while it was open: the tier opens it again`,
      )
      this.#closeConnection()
    } else {
      this.#lose(now, new Error(`it was ${fate} while it was open`), fate)
    }
  }

  /** The open file is damaged: moves a cache file aside, and leaves any other file as it is. */
  #lose(now: number, cause: unknown, fate?: Fate): void {
    const { _tag } = headerOf(this.filename)
    if (_tag === "Ours") return this.#setAside(now, this.#identity, cause)
    this.#abandon()
    // The next open reports why the file is left alone.
    if (_tag === "Foreign" || _tag === "Unnamed") return
    const what = fate ?? "damaged"
    this.#warnings.warn(
      "lost",
      now,
      `${this.filename} was ${what} while it was open: the tier begins a new file, without the entries`,
    )
  }

  /**
   * Keeps a damaged file under another name, for inspection, and begins a new one. Does nothing
   * when another process was faster: the new file exists already.
   */
  #setAside(now: number, identity: string | undefined, cause: unknown): void {
    this.#losses += 1
    if (this.filename === ":memory:" || identityOf(this.filename) !== identity) {
      return this.#closeConnection()
    }
    if (headerOf(this.filename)._tag !== "Ours")
      throw new NotOurs({ reason: "it is not a sound database" })
    let n = 1
    while (existsSync(`${this.filename}.corrupt-${n}`)) n += 1
    const aside = `${this.filename}.corrupt-${n}`
    // Move the log first: a file without its log is still damaged, but a log never meets a new
    // file.
    for (const suffix of [...beside, ""]) {
      if (existsSync(this.filename + suffix)) renameSync(this.filename + suffix, aside + suffix)
    }
    // Close only now: closing then writes to the file that was moved away.
    this.#closeConnection()
    this.#warnings.warn(
      "damaged",
      now,
      `${this.filename} is damaged (${String(cause)}): the tier moves it to ${aside} and begins a new file`,
    )
  }

  #isFull(): boolean {
    return this.filename !== ":memory:" && isFull(roomOf(this.filename))
  }

  /** Whether discarding the file makes room: the disk is full and the file is a cache. */
  #canDiscard(): boolean {
    return this.#isFull() && headerOf(this.filename)._tag === "Ours"
  }

  /** The last resort on a full disk: discards all entries to make room for the write. */
  #discard(now: number): void {
    this.#losses += 1
    // Truncate first: another process may have the files open, and occupies the disk until it
    // closes them.
    for (const suffix of ["-wal", ""]) {
      if (existsSync(this.filename + suffix)) truncateSync(this.filename + suffix)
    }
    for (const suffix of [...beside, ""]) rmSync(this.filename + suffix, { force: true })
    this.#closeConnection()
    this.#warnings.warn(
      "discarded",
      now,
      `the disk of ${this.filename} is so full that nothing can be written: the tier drops all entries and begins a new file; free disk space, or move the file to another disk`,
    )
  }

  /**
   * Closes a connection to a file that is no longer a cache. Closing would move the log into that
   * file, so the log is emptied first.
   */
  #abandon(): void {
    this.#losses += 1
    if (this.#connection === undefined) return
    const log = `${this.filename}-wal`
    if (existsSync(log)) truncateSync(log)
    this.#closeConnection()
    this.#removeBeside()
  }

  #removeBeside(): void {
    for (const suffix of beside) rmSync(this.filename + suffix, { force: true })
  }

  #closeConnection(): void {
    const connection = this.#connection
    this.#connection = undefined
    connection?.close()
  }
}

const remedyFor = (cause: unknown, filename: string): string => {
  if (cause instanceof NotOurs) return "Give the tier another file; this one stays unchanged"
  if (!existsSync(dirname(filename))) return "Create the folder, or correct the path"
  if (isFull(roomOf(filename))) return "Free disk space, or give the tier another path"
  return "Give this process the right to read and write the file and its folder, or give the tier another path"
}
