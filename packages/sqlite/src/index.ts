/**
 * An embedded cache tier for Larder on `node:sqlite`: a file on this machine, for larders that stay
 * warm across a restart.
 *
 * @module @larder/sqlite
 * @category packages
 * @since 0.1.0
 */
export * as SqliteTier from "./SqliteTier.ts"
