/**
 * Real Prometheus servers for tests, each a scoped effect that ends with its scope, and where the
 * programs of Prometheus are.
 *
 * The servers live in real time, whatever clock the test has.
 *
 * @module @larder/testing/PrometheusServer
 * @category testing
 * @since 0.1.0
 */
export { find, type Programs } from "./internal/prometheusPrograms.ts"
