/**
 * Larder on any `SqlClient` of Effect: outboxes for what is written behind.
 *
 * @module @larder/sql
 * @category packages
 * @since 0.1.0
 */
export * as SqlOutbox from "./SqlOutbox.ts"
