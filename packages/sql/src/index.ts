/**
 * Changes of a database that invalidate larders: change tables for SQLite and Postgres, on any
 * `SqlClient` of Effect.
 *
 * @module @larder/sql
 * @category packages
 * @since 0.1.0
 */
export * as ChangeTable from "./ChangeTable.ts"
