/**
 * Real Postgres servers for tests, each a scoped effect that ends with its scope. A test can kill and
 * restart its servers.
 *
 * The servers live in real time, whatever clock the test has. So a test that waits for a client to
 * notice something runs in real time as well (`it.live`).
 *
 * @module @larder/testing/PostgresServer
 * @category testing
 * @since 0.1.0
 */
export { PostgresServerError } from "./internal/postgresError.ts"
export { type Options, type PostgresServer, start } from "./internal/postgresNode.ts"
export { find, type Programs } from "./internal/postgresPrograms.ts"
