/**
 * Larder on a database, SQLite or Postgres, on any `SqlClient` of Effect: changes that invalidate larders,
 * and outboxes of what is written behind.
 *
 * @module @larder/sql
 * @category packages
 * @since 0.1.0
 */
export * as ChangeTable from "./ChangeTable.ts"
export * as SqlOutbox from "./SqlOutbox.ts"
