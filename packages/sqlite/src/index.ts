/**
 * An embedded cache tier for Larder on `node:sqlite`: a file on this machine, for larders that stay
 * warm across a restart; and Effect's `SqlClient` on the same.
 *
 * @module @larder/sqlite
 * @category packages
 * @since 0.1.0
 */
export * as NodeSqliteClient from "./NodeSqliteClient.ts"
export * as SqliteTier from "./SqliteTier.ts"
