/** The statements of a change table in SQLite, whose triggers run for each row. */
import { expression, type Settings, type Watched } from "./options.ts"
import { quoted, quotedTable, tablesOf, text, triggerOf } from "./names.ts"

/** ms since 1970, by the clock of the database. */
export const now = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

const events = {
  insert: ["new"],
  update: ["old", "new"],
  delete: ["old"],
} as const

/** The distinct texts of these expressions, as a JSON array. */
const listOf = (expressions: ReadonlyArray<string>): string => {
  if (expressions.length === 0) return "'[]'"
  const all = expressions.map((one) => `SELECT CAST(${one} AS TEXT) AS value`).join(" UNION ")
  return `(SELECT json_group_array(value) FROM (${all}) WHERE value IS NOT NULL)`
}

const triggersOf = (settings: Settings, { key, larder, table, tags = [] }: Watched) => {
  const base = triggerOf(settings.name, table, larder)
  const { changes } = tablesOf(settings.name)
  return Object.entries(events).map(([event, rows]) => {
    const trigger = quoted(`${base}_${event}`)
    const keys = listOf(rows.map((row) => expression(key, row)))
    const tagged = listOf(rows.flatMap((row) => tags.map((tag) => expression(tag, row))))
    return {
      drop: `DROP TRIGGER IF EXISTS ${trigger}`,
      create: `CREATE TRIGGER ${trigger} AFTER ${event.toUpperCase()} ON ${quotedTable(table)} BEGIN
  INSERT INTO ${changes} (larder, keys, tags) VALUES (${text(larder)}, ${keys}, ${tagged});
END`,
    }
  })
}

/** Numbers of changes are never used again: AUTOINCREMENT. */
export const create = (settings: Settings): ReadonlyArray<string> => {
  const { changes, name, positions, state } = tablesOf(settings.name)
  return [
    `CREATE TABLE IF NOT EXISTS ${changes} (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  larder TEXT NOT NULL,
  keys TEXT NOT NULL DEFAULT '[]',
  tags TEXT NOT NULL DEFAULT '[]',
  clear INTEGER NOT NULL DEFAULT 0,
  at INTEGER NOT NULL DEFAULT (${now})
)`,
    `CREATE INDEX IF NOT EXISTS ${name}_at ON ${changes} (at)`,
    `CREATE TABLE IF NOT EXISTS ${state} (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch TEXT NOT NULL,
  floor INTEGER NOT NULL DEFAULT 0
)`,
    `INSERT OR IGNORE INTO ${state} (id, epoch) VALUES (1, lower(hex(randomblob(16))))`,
    `CREATE TABLE IF NOT EXISTS ${positions} (consumer TEXT PRIMARY KEY, position TEXT NOT NULL)`,
    ...settings.tables.flatMap((watched) =>
      triggersOf(settings, watched).flatMap(({ create, drop }) => [drop, create]),
    ),
  ]
}

export const drop = (settings: Settings): ReadonlyArray<string> => {
  const { changes, positions, state } = tablesOf(settings.name)
  return [
    ...settings.tables.flatMap((watched) => triggersOf(settings, watched).map(({ drop }) => drop)),
    ...[changes, state, positions].map((table) => `DROP TABLE IF EXISTS ${table}`),
  ]
}
