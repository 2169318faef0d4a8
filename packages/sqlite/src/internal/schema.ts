/** The tables of a file, and the migrations from earlier formats. */
import type { DatabaseSync } from "node:sqlite"
import { NotOurs } from "./failure.ts"

/** "LARD": a database with another application id, or none, is foreign. */
export const applicationId = 0x4c415244

/**
 * Step `n` migrates a file from format `n` to the next.
 *
 * `entries.id` rises with each write, so that the lowest ids are the oldest. Triggers keep
 * `totals`, so that they are right whichever process writes.
 */
const steps: ReadonlyArray<string> = [
  `
  CREATE TABLE larders (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    lost INTEGER NOT NULL,
    last INTEGER NOT NULL,
    floor INTEGER NOT NULL,
    drop_floor INTEGER NOT NULL,
    marks INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    larder INTEGER NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    is_value INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    envelope BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX entries_key ON entries (larder, key);
  CREATE INDEX entries_expires ON entries (expires);
  CREATE TABLE leases (
    larder INTEGER NOT NULL,
    key TEXT NOT NULL,
    token INTEGER NOT NULL,
    until INTEGER,
    failed_until INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (larder, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX leases_expires ON leases (expires);
  CREATE TABLE marks (
    larder INTEGER NOT NULL,
    keeps INTEGER NOT NULL,
    is_tag INTEGER NOT NULL,
    tag TEXT NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (larder, keeps, is_tag, tag)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX marks_number ON marks (larder, number);
  CREATE TABLE totals (entries INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
  INSERT INTO totals VALUES (0, 0);
  CREATE TRIGGER entries_inserted AFTER INSERT ON entries BEGIN
    UPDATE totals SET entries = entries + 1, bytes = bytes + new.bytes;
  END;
  CREATE TRIGGER entries_deleted AFTER DELETE ON entries BEGIN
    UPDATE totals SET entries = entries - 1, bytes = bytes - old.bytes;
  END;
  `,
]

/** The format that this release writes. */
export const format = steps.length

const pragma = (database: DatabaseSync, name: string): number =>
  Number(database.prepare(`PRAGMA ${name}`).get()?.[name])

/** Why a sound database must not be touched, or undefined. */
const foreign = (database: DatabaseSync): string | undefined => {
  const id = pragma(database, "application_id")
  const found = pragma(database, "user_version")
  const isEmpty = database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined
  if (isEmpty) return undefined
  if (id !== applicationId) {
    return "it is a database of another application"
  }
  return found > format
    ? `it was written by a newer release, format ${found} instead of ${format}; update this application, or give the tier another file`
    : undefined
}

/** Throws `NotOurs` for a foreign database, and changes nothing in it. */
export const refuseForeign = (database: DatabaseSync): void => {
  const reason = foreign(database)
  if (reason !== undefined) throw new NotOurs({ reason })
}

/** Creates missing tables. Throws for a foreign database, and changes nothing in it then. */
export const migrate = (database: DatabaseSync): void => {
  if (pragma(database, "user_version") === format) return
  database.exec("BEGIN IMMEDIATE")
  try {
    // Race: another process may have migrated the file since the check above.
    refuseForeign(database)
    for (const step of steps.slice(pragma(database, "user_version"))) database.exec(step)
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${format}`)
    database.exec("COMMIT")
  } catch (cause) {
    if (database.isTransaction) database.exec("ROLLBACK")
    throw cause
  }
  // The application id stays in the log until the log is moved: move it, so that the file itself
  // carries the id.
  database.exec("PRAGMA wal_checkpoint(PASSIVE)")
}
