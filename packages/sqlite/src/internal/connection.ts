/** One open file with its prepared statements. */
import { statSync } from "node:fs"
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import type { Synchronous } from "./options.ts"
import { migrate } from "./schema.ts"

/** Pages of the write-ahead log before they are moved into the file: little at a time, so that no write takes long. */
const checkpointPages = 128

const sql = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",

  read: "SELECT id, envelope FROM entries WHERE larder = ? AND key = ? AND expires > ?",
  readMany: `SELECT id, key, envelope FROM entries
    WHERE larder = ? AND expires > ? AND key IN (SELECT value FROM json_each(?))`,
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
  removeId: "DELETE FROM entries WHERE id = ?",
  renew: "UPDATE entries SET id = (SELECT max(id) + 1 FROM entries) WHERE id = ?",

  lease: "SELECT token, until, failed_until, expires FROM leases WHERE larder = ? AND key = ?",
  setLease: "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
  endLease: "DELETE FROM leases WHERE larder = ? AND key = ?",
  expiredLeases: "SELECT larder, key, token FROM leases WHERE expires <= ? LIMIT ?",

  larder: "SELECT id FROM larders WHERE name = ?",
  addLarder: `INSERT INTO larders (name, lost, last, floor, drop_floor, marks)
    VALUES (?, 0, ?, ?, 0, 0) ON CONFLICT DO NOTHING`,
  lost: "SELECT lost FROM larders WHERE id = ?",
  lose: "UPDATE larders SET lost = max(lost, ?) WHERE id = ?",

  numbers: "SELECT last, floor, drop_floor, marks FROM larders WHERE id = ?",
  setNumbers: "UPDATE larders SET last = ?, floor = ?, drop_floor = ?, marks = ? WHERE id = ?",
  hasMark: "SELECT 1 FROM marks WHERE larder = ? AND keeps = ? AND is_tag = ? AND tag = ?",
  setMark: "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?)",
  marksAfter: `SELECT keeps, is_tag, tag, number FROM marks
    WHERE larder = ? AND number > ? ORDER BY number`,
  oldestMarks: `SELECT keeps, is_tag, tag, number, at FROM marks
    WHERE larder = ? ORDER BY number LIMIT ?`,
  checkpoint: "PRAGMA wal_checkpoint(RESTART)",
  removeMark: "DELETE FROM marks WHERE larder = ? AND keeps = ? AND is_tag = ? AND tag = ?",
} as const

type Name = keyof typeof sql

export type Row = Readonly<Record<string, SQLInputValue>>

/** The inode, or undefined where there is no such file. */
export const inodeOf = (filename: string): number | undefined =>
  filename === ":memory:" ? 0 : statSync(filename, { throwIfNoEntry: false })?.ino

export class Connection {
  readonly #database: DatabaseSync
  readonly #statements: Partial<Record<Name, StatementSync>> = {}
  readonly inode: number | undefined
  /** Of the larders that were asked for here. */
  readonly larders = new Map<string, number>()
  /** Entries read since they were last considered for eviction, by id. Reading writes nothing. */
  readonly touched = new Set<number>()

  constructor(filename: string, synchronous: Synchronous) {
    this.#database = new DatabaseSync(filename, { timeout: 0 })
    try {
      this.#database.exec(
        `PRAGMA journal_mode = WAL;
         PRAGMA synchronous = ${synchronous};
         PRAGMA wal_autocheckpoint = ${checkpointPages};
         PRAGMA journal_size_limit = 1048576`,
      )
      migrate(this.#database)
    } catch (cause) {
      this.#database.close()
      throw cause
    }
    this.inode = inodeOf(filename)
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

  /** All or nothing, and no other process in between. */
  atomically<A>(body: () => A): A {
    this.run("begin")
    try {
      const result = body()
      this.run("commit")
      return result
    } catch (cause) {
      this.#rollBack()
      throw cause
    }
  }

  /** Moves the log into the file, so that the next change is written over the log's beginning: it needs no room. */
  checkpoint(): void {
    this.get("checkpoint")
  }

  close(): void {
    this.#database.close()
  }

  /** A full disk or a damaged file may have ended the transaction already. */
  #rollBack(): void {
    try {
      this.run("rollback")
    } catch {
      // Then there is nothing to roll back.
    }
  }

  #statement(name: Name): StatementSync {
    return (this.#statements[name] ??= this.#database.prepare(sql[name]))
  }
}
