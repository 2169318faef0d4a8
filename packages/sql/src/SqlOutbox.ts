/**
 * Outboxes in a database, on any `SqlClient` of Effect for SQLite or Postgres: no acknowledged write is
 * lost as long as the database keeps what it committed.
 *
 * @module
 * @category writing
 * @since 0.1.0
 */
import { InvalidOptions, OutboxStore } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import { type Listeners, storeOf } from "./internal/outboxStore.ts"
import { OutboxTable } from "./internal/outboxTable.ts"

/**
 * Options of {@link layer}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * The table, which all outboxes of the layer share: a name of letters, digits and underscores. A second
   * table has `_size` after it. Default `"larder_outbox"`.
   */
  readonly table?: string | undefined
  /** The name of the store in errors. Default `"sql"`. */
  readonly name?: string | undefined
}

const names: Record<keyof Options, true> = { table: true, name: true }

const mistakeIn = (options: Options): InvalidOptions | undefined => {
  const mistake = InvalidOptions.ofNames({ module: "SqlOutbox", names, got: options })
  if (mistake !== undefined) return mistake
  const { name = "sql", table = "larder_outbox" } = options
  const unless = (field: string, must: string, got: unknown) =>
    InvalidOptions.of({ module: "SqlOutbox", field, must, got })
  if (typeof table !== "string" || !/^[a-z_][a-z0-9_]{0,48}$/.test(table)) {
    const must = "be a name of at most 49 lowercase letters, digits and underscores"
    return unless("table", must, table)
  }
  return typeof name === "string" && name.trim() !== ""
    ? undefined
    : unless("name", 'be a non-blank string, such as "sql"', name)
}

const isPostgres = (sql: SqlClient.SqlClient): boolean | undefined =>
  sql.onDialectOrElse({
    pg: () => true,
    sqlite: () => false,
    orElse: () => undefined,
  })

/**
 * Stores outboxes in tables of a database, and creates the tables where they are not there.
 *
 * **When to use**
 *
 * For writes that must not be lost: with SQLite (`NodeSqliteClient` of `@larder/sqlite`) for the processes
 * of one machine, with Postgres (`PgClient` of `@effect/sql-pg`) for several.
 *
 * **Details**
 *
 * - A step is one transaction, and offers of the same moment share one. A put is acknowledged after its
 *   commit. In SQLite a commit survives that the process is killed, and with `synchronous: "FULL"` that the
 *   machine loses its power; in Postgres it is as durable as `synchronous_commit` says.
 * - Each outbox has one row that every change of it locks, which keeps its number of keys; flushers claim
 *   with `for update skip locked` in Postgres. Times are those of the clocks of the processes: a lock ends
 *   earlier for a process whose clock is ahead. That costs a second delivery, nothing else.
 * - A flusher hears of the offers of its own process at once, of those of others within a quarter of
 *   `maxLag`.
 * - Steps of `Outbox` run outside a transaction of the caller, except those that one calls oneself, such
 *   as `revive`.
 *
 * The layer fails with `OutboxStoreError` where the tables cannot be created, and dies with
 * `InvalidOptions` for an invalid option or another dialect.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxStore } from "@larder/core"
 * import { SqlOutbox } from "@larder/sql"
 * import { NodeSqliteClient } from "@larder/sqlite"
 * import { Effect, Layer } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const { open } = yield* OutboxStore.OutboxStore
 *   const store = yield* open({ outbox: "prices", maxPending: 10, merges: false })
 *   yield* store.offer([{ key: "milk", version: 1, payload: "2", merged: [] }])
 *   return yield* store.depth
 * })
 * const layer = SqlOutbox.layer().pipe(
 *   Layer.provide(NodeSqliteClient.layer({ filename: ":memory:" })),
 * )
 * const depth = await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(layer)))
 * assert.strictEqual(depth.waiting, 1)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options = {},
): Layer.Layer<OutboxStore.OutboxStore, OutboxStore.OutboxStoreError, SqlClient.SqlClient> =>
  Layer.effect(
    OutboxStore.OutboxStore,
    Effect.gen(function* () {
      const mistake = mistakeIn(options)
      if (mistake !== undefined) return yield* Effect.die(mistake)
      const { name = "sql", table: tableName = "larder_outbox" } = options
      const sql = yield* SqlClient.SqlClient
      const postgres = isPostgres(sql)
      if (postgres === undefined) {
        const must = "be a client of SQLite or Postgres"
        const field = "SqlClient"
        return yield* Effect.die(
          InvalidOptions.of({ module: "SqlOutbox", field, must, got: "another dialect" }),
        )
      }
      const table = new OutboxTable(sql, tableName, postgres)
      const failing = (operation: string) => (cause: unknown) =>
        new OutboxStore.OutboxStoreError({ store: name, operation, cause })
      // Two processes that create the same table at the same moment: Postgres fails one of them.
      yield* Effect.mapError(Effect.retry(table.create, { times: 3 }), failing("create"))
      const listeners: Listeners = new Map()
      return OutboxStore.OutboxStore.of({
        name,
        durability: postgres ? "shared" : "machine",
        hears: "own",
        open: (opened) =>
          Effect.as(
            Effect.mapError(table.open(opened.outbox), failing("open")),
            storeOf({ ...opened, name, table, listeners }),
          ),
      })
    }),
  )
