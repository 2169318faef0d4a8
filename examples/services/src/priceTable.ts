/** The source: a table of prices in SQLite, and beside it the table in which triggers record its changes. */
import { ChangeTable } from "@larder/sql"
import { Data, Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { larderName, type Price } from "./price.ts"

export class SourceDown extends Data.TaggedError("SourceDown")<{
  readonly cause: SqlError.SqlError
}> {}

/** The source has a newer price than the one that was to be saved, and keeps it. */
export class Overtaken extends Data.TaggedError("Overtaken")<{ readonly id: string }> {}

const failing = Effect.mapError((cause: SqlError.SqlError) => new SourceDown({ cause }))

/** What a migration does. A program that writes the table needs to know nothing of the triggers. */
export const migrate = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE IF NOT EXISTS price (id TEXT PRIMARY KEY, cents INTEGER NOT NULL, version INTEGER NOT NULL)`
  yield* ChangeTable.install({ tables: [{ table: "price", larder: larderName, key: "id" }] })
}).pipe(failing)

export const ids = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly id: string }>`SELECT id FROM price ORDER BY id`
  return rows.map(({ id }) => id)
}).pipe(failing)

export const find = (id: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const [price] = yield* sql<Price>`SELECT id, cents, version FROM price WHERE id = ${id}`
    return price
  }).pipe(failing)

/** Saves a price unless the source has that version or a higher one; returns the row as it is now. */
export const save = ({ cents, id, version }: Price) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const [row] = yield* failing(sql<Price>`
      INSERT INTO price (id, cents, version) VALUES (${id}, ${cents}, ${version})
      ON CONFLICT (id) DO UPDATE SET cents = excluded.cents, version = excluded.version
      WHERE price.version < excluded.version RETURNING id, cents, version`)
    return row ?? (yield* new Overtaken({ id }))
  })

/** Saves a price whatever the source has. */
export const overwrite = ({ cents, id, version }: Price) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`UPDATE price SET cents = ${cents}, version = ${version} WHERE id = ${id}`
    return { id, cents, version }
  }).pipe(failing)

/** What a program does that knows of no token: the next version, and the row as it is now. */
export const setCents = (id: string, cents: number) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const [row] = yield* failing(sql<Price>`
      UPDATE price SET cents = ${cents}, version = version + 1 WHERE id = ${id}
      RETURNING id, cents, version`)
    return row ?? (yield* new Overtaken({ id }))
  })

/** A job of the database, which knows neither the larder nor its readers. */
export const raiseAll = (percent: number) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`UPDATE price SET cents = round(cents * (100 + ${percent}) / 100.0), version = version + 1`
  }).pipe(failing)
