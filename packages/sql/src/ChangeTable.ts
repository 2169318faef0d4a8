/**
 * A table in which triggers record what changes in a database, and a feed of it that invalidates larders:
 * for values that change behind the application's back, by other programs, jobs and consoles.
 *
 * The trigger runs in the writer's transaction. A change that is rolled back is not recorded, and a
 * process that dies after its commit loses nothing.
 *
 * @module
 * @category cache
 * @since 0.1.0
 */
import { InvalidOptions, type Invalidations } from "@larder/core"
import * as Effect from "effect/Effect"
import type { KeyValueStoreError } from "effect/persistence/KeyValueStore"
import * as Result from "effect/Result"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type * as Duration from "effect/Duration"
import * as ddlOptions from "./internal/ddl/options.ts"
import * as postgres from "./internal/ddl/postgres.ts"
import * as sqlite from "./internal/ddl/sqlite.ts"
import { Feed } from "./internal/feed/feed.ts"
import * as feedOptions from "./internal/feed/options.ts"
import { readerOf } from "./internal/feed/reader.ts"
import { changesPerPrune } from "./internal/limits.ts"

export type { Column, DdlOptions, Watched } from "./internal/ddl/options.ts"
export type { Listen, StreamOptions } from "./internal/feed/options.ts"

/**
 * The databases that have change tables.
 *
 * @category models
 * @since 0.1.0
 */
export type Dialect = "postgres" | "sqlite"

const dialects: Readonly<Record<Dialect, typeof postgres | typeof sqlite>> = { postgres, sqlite }

const statementsOf = (
  dialect: Dialect,
  options: ddlOptions.DdlOptions,
  which: "create" | "drop",
): ReadonlyArray<string> => {
  const module = Object.hasOwn(dialects, dialect) ? dialects[dialect] : undefined
  if (module === undefined) {
    const must = 'be "postgres" or "sqlite"'
    throw InvalidOptions.of({ module: "ChangeTable", field: "dialect", must, got: dialect })
  }
  return module[which](Result.getOrThrow(ddlOptions.settingsOf(options)))
}

const printed = (statements: ReadonlyArray<string>): string =>
  statements.map((statement) => `${statement};\n`).join("\n")

/**
 * Prints the statements that make a change table and the triggers that fill it, for a migration. They may
 * be run again, also with more tables. Throws `InvalidOptions` for invalid options.
 *
 * **When to use**
 *
 * Put the text into a migration of the database whose values a larder caches. {@link install} runs the
 * same statements.
 *
 * **Details**
 *
 * - Postgres 13 or newer: one trigger for each kind of statement records all its keys at once, and
 *   `TRUNCATE`, or more than `maxKeys` keys, that everything has changed. It notifies the channel of the
 *   table's name. Its function runs with the rights of who made it (`security definer`): writers need no
 *   rights on the change table. Expressions of columns see `pg_catalog` alone.
 * - SQLite: one trigger for each row. `REPLACE` records the rows that it removes only with
 *   `PRAGMA recursive_triggers`.
 * - Beside the change table there are `<name>_state` and `<name>_position`.
 *
 * **Gotchas**
 *
 * Names of tables and columns and expressions go into the statements: they are for the author of a
 * migration, not for input from users.
 *
 * **Example**
 *
 * ```ts
 * import { ChangeTable } from "@larder/sql"
 * import * as assert from "node:assert"
 *
 * const sql = ChangeTable.ddl("postgres", {
 *   tables: [
 *     { table: "products", larder: "app/Products", key: "id", tags: ["category"] },
 *     { table: "prices", larder: "app/Prices", key: (row) => `${row}.shop || '/' || ${row}.product` },
 *   ],
 * })
 * assert.match(sql, /create table if not exists public\.larder_change/)
 * assert.match(sql, /create trigger .* after update on "products"/)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const ddl = (dialect: Dialect, options: ddlOptions.DdlOptions): string =>
  printed(statementsOf(dialect, options, "create"))

/**
 * Prints the statements that remove what {@link ddl} makes: triggers first, then the tables. Throws
 * `InvalidOptions` for invalid options.
 *
 * **Example**
 *
 * ```ts
 * import { ChangeTable } from "@larder/sql"
 * import * as assert from "node:assert"
 *
 * const tables = [{ table: "products", larder: "app/Products", key: "id" }]
 * assert.match(ChangeTable.dropDdl("sqlite", { tables }), /DROP TABLE IF EXISTS larder_change;/)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const dropDdl = (dialect: Dialect, options: ddlOptions.DdlOptions): string =>
  printed(statementsOf(dialect, options, "drop"))

const dialectOf = (sql: SqlClient.SqlClient): Dialect | undefined => {
  const answer = (dialect: Dialect | undefined) => (): Dialect | undefined => dialect
  return sql.onDialectOrElse({
    pg: answer("postgres"),
    sqlite: answer("sqlite"),
    orElse: answer(undefined),
  })
}

const client: Effect.Effect<SqlClient.SqlClient, never, SqlClient.SqlClient> = Effect.tap(
  SqlClient.SqlClient,
  (sql) =>
    dialectOf(sql) === undefined
      ? Effect.die(
          InvalidOptions.of({
            module: "ChangeTable",
            field: "SqlClient",
            must: "be a client of SQLite or Postgres",
            got: sql.driver,
          }),
        )
      : Effect.void,
)

/**
 * Runs the statements of {@link ddl} in one transaction, in the dialect of the client. Dies with
 * `InvalidOptions` for invalid options, and for a client of another database.
 *
 * **Example**
 *
 * ```ts
 * import { ChangeTable } from "@larder/sql"
 * import { NodeSqliteClient } from "@larder/sqlite"
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE products (id TEXT PRIMARY KEY, price INTEGER)`
 *   yield* ChangeTable.install({
 *     tables: [{ table: "products", larder: "app/Products", key: "id" }],
 *   })
 *   yield* sql`INSERT INTO products VALUES ('milk', 120)`
 *   return yield* sql`SELECT larder, keys FROM larder_change`
 * })
 * const recorded = await Effect.runPromise(
 *   Effect.provide(program, NodeSqliteClient.layer({ filename: ":memory:" })),
 * )
 * assert.deepStrictEqual(recorded, [{ larder: "app/Products", keys: '["milk"]' }])
 * ```
 *
 * @category resource management
 * @since 0.1.0
 */
export const install = (
  options: ddlOptions.DdlOptions,
): Effect.Effect<void, SqlError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* client
    const settings = yield* Effect.orDie(Effect.fromResult(ddlOptions.settingsOf(options)))
    const { create } = dialectOf(sql) === "postgres" ? postgres : sqlite
    yield* sql.withTransaction(
      Effect.forEach(create(settings), (statement) => sql.unsafe(statement), { discard: true }),
    )
  })

/**
 * What has changed, for `Invalidations.from`: everything that a change table records after the position
 * that was kept, in the order of commits, and then whatever is recorded while it is run.
 *
 * **When to use**
 *
 * Beside a larder whose values are rows of a database that others write to as well. One node of those that
 * share a tier needs to read it: take a lease, such as `Lease.withLease`, around it.
 *
 * **Details**
 *
 * - It begins with a `Gap` where there is no position, and has one wherever changes may be missing: the
 *   position is older than the oldest change that is kept, or the table is another one (a backup was
 *   restored).
 * - The position is kept when the consumer asks for more, so that a change is given again after a crash
 *   rather than lost. Do not put a buffer in between.
 * - Without `listen` it looks every `pollInterval`. With `listen` of a `PgClient` it looks when Postgres
 *   tells of a commit; a connection that is lost is opened again, and then it reads from its position:
 *   what was told meanwhile is in the table.
 * - In Postgres a change is read once every transaction that began before it has ended: a long transaction
 *   that writes delays the feed, and nothing is missed.
 * - Changes older than `retention` are deleted, 1,000 at a time.
 * - It fails when the first look fails: there is no such table, or no database. Later it goes on through
 *   an outage of the database, with one warning.
 * - Dies with `InvalidOptions` for invalid options, and for a client of another database.
 *
 * **Example**
 *
 * ```ts
 * import { Invalidations } from "@larder/core"
 * import { ChangeTable } from "@larder/sql"
 * import { NodeSqliteClient } from "@larder/sqlite"
 * import { Effect, Stream } from "effect"
 * import { SqlClient } from "effect/sql"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE products (id TEXT PRIMARY KEY, price INTEGER)`
 *   yield* ChangeTable.install({
 *     tables: [{ table: "products", larder: "app/Products", key: "id" }],
 *   })
 *   const feed = ChangeTable.stream({ pollInterval: "10 millis" })
 *   const write = Effect.asVoid(sql`INSERT INTO products VALUES ('milk', 120)`)
 *   // The gap of the beginning; the write comes after it.
 *   const changes = Stream.tap(feed, ({ _tag }) => (_tag === "Gap" ? write : Effect.void))
 *   return yield* Stream.runCollect(Stream.take(changes, 2))
 * })
 * const changes = await Effect.runPromise(
 *   Effect.provide(program, NodeSqliteClient.layer({ filename: ":memory:" })),
 * )
 * assert.deepStrictEqual(changes, [
 *   Invalidations.gap,
 *   Invalidations.change({ larder: "app/Products", keys: ["milk"], tags: [] }),
 * ])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const stream = (
  options: feedOptions.StreamOptions = {},
): Stream.Stream<Invalidations.Change, SqlError | KeyValueStoreError, SqlClient.SqlClient> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const settings = yield* Effect.orDie(Effect.fromResult(feedOptions.settingsOf(options)))
      const sql = yield* client
      const feed = new Feed(settings, readerOf(sql, settings.name, settings.schema))
      yield* feed.loaded
      yield* feed.beside
      return Stream.flattenIterable(Stream.fromEffectRepeat(feed.next()))
    }),
  )

/**
 * Options of {@link prune}.
 *
 * @category options
 * @since 0.1.0
 */
export interface PruneOptions extends Pick<feedOptions.StreamOptions, "name" | "schema"> {
  /** The age beyond which a change is deleted. */
  readonly olderThan: Duration.Input
}

/**
 * Deletes old changes, and returns how many. A consumer that has not read them gets a `Gap`.
 *
 * **When to use**
 *
 * In a job of its own where streams have `retention: Infinity`. Otherwise a stream does it.
 *
 * **Example**
 *
 * ```ts
 * import { ChangeTable } from "@larder/sql"
 * import { NodeSqliteClient } from "@larder/sqlite"
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE products (id TEXT PRIMARY KEY)`
 *   yield* ChangeTable.install({ tables: [{ table: "products", larder: "p", key: "id" }] })
 *   yield* sql`INSERT INTO products VALUES ('milk'), ('tea')`
 *   return yield* ChangeTable.prune({ olderThan: 0 })
 * })
 * const layer = NodeSqliteClient.layer({ filename: ":memory:" })
 * assert.strictEqual(await Effect.runPromise(Effect.provide(program, layer)), 2)
 * ```
 *
 * @category resource management
 * @since 0.1.0
 */
export const prune = (
  options: PruneOptions,
): Effect.Effect<number, SqlError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const { olderThan, ...where } = options
    const given = { ...where, retention: olderThan }
    const settings = yield* Effect.orDie(Effect.fromResult(feedOptions.settingsOf(given)))
    const reader = readerOf(yield* client, settings.name, settings.schema)
    let all = 0
    while (true) {
      const count = yield* reader.prune(settings.retention, changesPerPrune)
      all += count
      if (count < changesPerPrune) return all
    }
  })
