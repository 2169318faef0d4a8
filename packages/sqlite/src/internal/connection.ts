/** One open file with its prepared statements. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import { fitsLog, type Limits, limitsOf, roomOf, unlimited } from "./diskRoom.ts"
import { type Fate, FileWatch } from "./header.ts"
import type { Synchronous } from "./options.ts"
import * as reserve from "./reserve.ts"
import { applicationId, migrate, refuseForeign } from "./schema.ts"
import { bytesPerLook, changesPerLook, logFileBytes, mostLogPages } from "./limits.ts"

const sql = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",

  read: "SELECT id, envelope FROM entries WHERE larder = ? AND key = ? AND expires > ?",
  readMany: `SELECT id, key, envelope FROM entries
    WHERE larder = ? AND expires > ? AND key IN (SELECT value FROM json_each(?))`,
  keysFrom: "SELECT key, is_value FROM entries WHERE larder = ? AND key >= ? ORDER BY key LIMIT ?",
  keysAfter: "SELECT key, is_value FROM entries WHERE larder = ? AND key > ? ORDER BY key LIMIT ?",
  leasesFrom:
    "SELECT key, 1 AS is_value FROM leases WHERE larder = ? AND key >= ? ORDER BY key LIMIT ?",
  leasesAfter:
    "SELECT key, 1 AS is_value FROM leases WHERE larder = ? AND key > ? ORDER BY key LIMIT ?",
  stored: "SELECT version, is_value FROM entries WHERE larder = ? AND key = ? AND expires > ?",
  present: `SELECT version, is_value, envelope, expires FROM entries
    WHERE larder = ? AND key = ? AND expires > ?`,
  insert: `INSERT INTO entries (larder, key, version, is_value, expires, bytes, envelope)
    VALUES (?, ?, ?, ?, ?, ?, ?)`,
  remove: "DELETE FROM entries WHERE larder = ? AND key = ?",
  patch: "UPDATE entries SET version = ?, envelope = ? WHERE larder = ? AND key = ?",
  totals: "SELECT entries, bytes FROM totals",
  expired: "SELECT id, larder, key, version, is_value FROM entries WHERE expires <= ? LIMIT ?",
  oldest: "SELECT id, larder, key, version, is_value, bytes FROM entries ORDER BY id LIMIT ?",
  oldestValues: `SELECT id, larder, key, version, is_value, bytes FROM entries
    WHERE is_value = 1 ORDER BY id LIMIT ?`,
  removeId: "DELETE FROM entries WHERE id = ?",
  renew: "UPDATE entries SET id = (SELECT max(id) + 1 FROM entries) WHERE id = ?",

  lease: "SELECT token, until, failed_until, expires FROM leases WHERE larder = ? AND key = ?",
  setLease: "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
  endLease: "DELETE FROM leases WHERE larder = ? AND key = ?",
  expiredLeases: "SELECT larder, key, token FROM leases WHERE expires <= ? LIMIT ?",

  larder: "SELECT id, floor FROM larders WHERE name = ?",
  addLarder: `INSERT INTO larders (name, lost, last, floor, drop_floor, marks)
    VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING`,
  raise: `UPDATE larders SET lost = max(lost, ?), last = max(last, ?), floor = ?, drop_floor = ?
    WHERE id = ?`,
  lost: "SELECT lost FROM larders WHERE id = ?",
  lose: "UPDATE larders SET lost = max(lost, ?) WHERE id = ?",

  numbers: "SELECT last, floor, drop_floor, marks FROM larders WHERE id = ?",
  setNumbers: "UPDATE larders SET last = ?, floor = ?, drop_floor = ?, marks = ? WHERE id = ?",
  hasMark: "SELECT 1 FROM marks WHERE larder = ? AND keeps = ? AND is_tag = ? AND tag = ?",
  setMark: "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?)",
  marksAfter: `SELECT keeps, is_tag, tag, number FROM marks
    WHERE larder = ? AND number > ? ORDER BY number LIMIT ?`,
  marksAt: `SELECT keeps, is_tag, tag, number FROM marks
    WHERE larder = ? AND number = ?`,
  oldestMarks: `SELECT keeps, is_tag, tag, number, at FROM marks
    WHERE larder = ? ORDER BY number LIMIT ?`,
  checkpoint: "PRAGMA wal_checkpoint(RESTART)",
  removeMarks: "DELETE FROM marks WHERE larder = ?",
  removeMark: "DELETE FROM marks WHERE larder = ? AND keeps = ? AND is_tag = ? AND tag = ?",
} as const

type Name = keyof typeof sql

export type Row = Readonly<Record<string, SQLInputValue>>

export class Connection {
  readonly #database: DatabaseSync
  readonly #statements: Partial<Record<Name, StatementSync>> = {}
  readonly #filename: string
  readonly #watch: FileWatch | undefined
  #limits: Limits = unlimited
  #isStampDue = false
  #changes = 0
  #bytes = Infinity
  /** The numbers of the larders used through this connection, by name. */
  readonly larders = new Map<string, number>()
  /** Entries read since they were last considered for eviction, by id. Reading writes nothing. */
  readonly touched = new Set<number>()

  /** Throws `NotOurs` for a foreign database, and leaves it as it is. */
  constructor(filename: string, synchronous: Synchronous) {
    this.#filename = filename
    this.#database = new DatabaseSync(filename, { timeout: 0 })
    try {
      refuseForeign(this.#database)
      this.#database.exec(
        `PRAGMA journal_mode = WAL;
         PRAGMA synchronous = ${synchronous};
         PRAGMA wal_autocheckpoint = ${mostLogPages};
         PRAGMA journal_size_limit = ${logFileBytes}`,
      )
      migrate(this.#database)
    } catch (cause) {
      this.#database.close()
      throw cause
    }
    this.#watch = filename === ":memory:" ? undefined : new FileWatch(filename)
  }

  /** The fate of the file since it was opened. */
  fate(): Fate {
    return this.#watch?.look() ?? "sound"
  }

  /** Whether the log now beside the file belongs to this connection. */
  get hasItsLog(): boolean {
    return this.#watch?.hasItsLog ?? false
  }

  /**
   * Before a change of this many bytes: limits the file's size so that its log can always be moved
   * into it. Returns false when the disk cannot take the change at all.
   */
  prepare(bytes: number): boolean {
    this.#changes += 1
    this.#bytes += bytes
    if (this.#changes <= changesPerLook && this.#bytes <= bytesPerLook) return true
    this.#changes = 0
    this.#bytes = 0
    this.#isStampDue = true
    const room = roomOf(this.#filename)
    this.#limit(limitsOf(room, bytes))
    reserve.keep(this.#filename, room)
    return fitsLog(room, bytes)
  }

  /** The disk changed unexpectedly: the next change checks it again. */
  lookAgain(): void {
    this.#bytes = Infinity
  }

  #limit({ logPages, pages }: Limits): void {
    if (pages !== this.#limits.pages) this.#database.exec(`PRAGMA max_page_count = ${pages}`)
    if (logPages !== this.#limits.logPages) {
      this.#database.exec(`PRAGMA wal_autocheckpoint = ${logPages}`)
    }
    this.#limits = { pages, logPages }
  }

  run(name: Name, ...values: ReadonlyArray<SQLInputValue>): void {
    this.#statement(name).run(...values)
  }

  get(name: Name, ...values: ReadonlyArray<SQLInputValue>): Row | undefined {
    return this.#statement(name).get(...values) as Row | undefined
  }

  all(name: Name, ...values: ReadonlyArray<SQLInputValue>): ReadonlyArray<Row> {
    return this.#statement(name).all(...values) as ReadonlyArray<Row>
  }

  /** One transaction: all or nothing, and no other process writes in between. */
  atomically<A>(body: () => A): A {
    this.run("begin")
    try {
      if (this.#isStampDue) this.stamp()
      const result = body()
      this.run("commit")
      return result
    } catch (cause) {
      this.#rollBack()
      throw cause
    }
  }

  /** Whether there is no entry left to evict. */
  get isEmpty(): boolean {
    return Number(this.get("totals")?.["entries"] ?? 0) === 0
  }

  /**
   * Within a transaction: raises the file's change counter, which changed rows alone do not. The
   * counter reveals an older copy that is written over the file.
   */
  stamp(): void {
    this.#database.exec(`PRAGMA application_id = ${applicationId}`)
    this.#isStampDue = false
  }

  /**
   * Moves the log into the file. The next change then overwrites the log's beginning and needs no
   * room.
   */
  checkpoint(): void {
    this.get("checkpoint")
  }

  close(): void {
    try {
      this.#database.close()
    } catch {
      // A damaged file may refuse to close; garbage collection frees the handle.
    }
    this.#watch?.close()
  }

  /** A full disk or a damaged file may have ended the transaction already. */
  #rollBack(): void {
    try {
      this.run("rollback")
    } catch {
      // There is nothing to roll back.
    }
  }

  #statement(name: Name): StatementSync {
    return (this.#statements[name] ??= this.#database.prepare(sql[name]))
  }
}
