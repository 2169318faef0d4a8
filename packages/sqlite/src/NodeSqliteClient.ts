/**
 * Effect's `SqlClient` on `node:sqlite`, the SQLite that is in Node itself: no package with native code.
 *
 * What effect has for SQL runs on it: `PersistedQueue`, `KeyValueStore`, `Migrator`, `SqlModel`,
 * transactions with savepoints and `afterCommit`.
 *
 * @module
 * @category building blocks
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import { connectionOf, streamingOf, waiting } from "./internal/client/connection.ts"
import { Database } from "./internal/client/database.ts"
import { unusable } from "./internal/client/failure.ts"
import { type Options, settings, type Settings } from "./internal/client/options.ts"

export type { Options } from "./internal/client/options.ts"
export type { Synchronous } from "./internal/synchronous.ts"

const open = (checked: Settings): Effect.Effect<Database, SqlError, Scope.Scope> =>
  Effect.acquireRelease(
    waiting("connect", checked.busyMillis, () => new Database(checked)).pipe(
      Effect.mapError(({ reason }) =>
        unusable(
          "connect",
          `${checked.filename} cannot be opened: ${reason.message}`,
          reason.cause,
        ),
      ),
    ),
    (database) => Effect.sync(() => database.close()),
  )

const client = (
  checked: Settings,
): Effect.Effect<SqlClient.SqlClient, SqlError, Scope.Scope | Reactivity.Reactivity> =>
  Effect.gen(function* () {
    const { spanAttributes = {}, transformQueryNames, transformResultNames } = checked
    const database = yield* open(checked)
    const shared = SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connectionOf(database, checked)),
      semaphore: yield* Semaphore.make(1),
      isTransaction: () => database.isTransaction,
    })
    return yield* SqlClient.make({
      ...shared,
      // Of streams alone: all else is borrowed or in a transaction.
      acquirer: Effect.succeed(streamingOf(database, checked, shared.borrower)),
      compiler: Statement.makeCompilerSqlite(transformQueryNames),
      beginTransaction: "BEGIN IMMEDIATE",
      releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
      prepareTransactionControls: true,
      driver: "node-sqlite",
      spanAttributes: [["db.system.name", "sqlite"], ...Object.entries(spanAttributes)],
      transformRows:
        transformResultNames && Statement.defaultTransforms(transformResultNames).array,
    })
  })

/**
 * A client of the file, closed with the scope: see {@link layer}.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { NodeSqliteClient } from "@larder/sqlite"
 * import { Effect } from "effect"
 * import * as Reactivity from "effect/reactivity/Reactivity"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* NodeSqliteClient.make({ filename: ":memory:" })
 *   return yield* sql`SELECT 1 + 1 AS two`
 * })
 * const rows = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(Reactivity.layer)),
 * )
 * assert.deepEqual(rows, [{ two: 2 }])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options,
): Effect.Effect<SqlClient.SqlClient, SqlError, Scope.Scope | Reactivity.Reactivity> =>
  Effect.suspend(() => Effect.fromResult(settings(options))).pipe(
    Effect.orDie,
    Effect.flatMap(client),
  )

/**
 * A `SqlClient` on a file.
 *
 * **When to use**
 *
 * For an application's own database on one machine, and for the queues, outboxes and change tables that
 * go with its caches.
 *
 * **Details**
 *
 * All statements share one connection, one after the other. A transaction (`BEGIN IMMEDIATE`) has the
 * connection to itself until it ends; savepoints nest. Another process that writes is waited for
 * without blocking this one, for at most `busyTimeout`; then the statement fails with reason
 * `LockTimeoutError`. Each statement itself is synchronous.
 *
 * A stream (`sql.stream`) reads row by row, on a connection of its own, so that other statements run
 * while it is read; it sees what was committed when it began. In a transaction it reads on the
 * transaction's connection. Of `:memory:`, and of a statement that writes, it reads all rows at once.
 *
 * Integers come back as numbers; one beyond 2^53 fails, unless `SqlClient.SafeIntegers` is true, which
 * gives all as bigint. Integer numbers are stored as integers, booleans as 0 and 1, undefined as NULL,
 * bytes as BLOB, which come back as `Uint8Array`. Other objects are refused, dates included.
 *
 * The layer fails with `SqlError`, reason `ConnectionError`, when the file cannot be opened, and dies
 * with `InvalidOptions` when an option is invalid. The folder must exist.
 *
 * **Gotchas**
 *
 * A fiber that waits, inside a transaction, for a fiber that queries outside of it waits for ever: the
 * one connection is taken. Do not put the file on a network file system.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { NodeSqliteClient } from "@larder/sqlite"
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`CREATE TABLE products (id TEXT PRIMARY KEY, price INTEGER NOT NULL)`
 *   const save = sql`INSERT INTO products ${sql.insert({ id: "milk", price: 120 })}`
 *   yield* sql.withTransaction(save)
 *   return yield* sql`SELECT price FROM products WHERE id = ${"milk"}`
 * })
 *
 * const rows = await Effect.runPromise(
 *   Effect.provide(program, NodeSqliteClient.layer({ filename: ":memory:" })),
 * )
 * assert.deepEqual(rows, [{ price: 120 }])
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<SqlClient.SqlClient, SqlError> =>
  Layer.effect(SqlClient.SqlClient, make(options)).pipe(Layer.provide(Reactivity.layer))
