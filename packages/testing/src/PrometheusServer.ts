/**
 * Where the programs of Prometheus are, for tests that check alert rules with them.
 *
 * @module @larder/testing/PrometheusServer
 * @category testing
 * @since 0.1.0
 */
export { find, type Programs } from "./internal/prometheusPrograms.ts"
