/**
 * What shows a larder from outside: alert rules for Prometheus and a dashboard for Grafana, both made
 * from the catalogue of metrics. The command `larder` prints them.
 *
 * @module @larder/inspector
 * @category packages
 * @since 0.1.0
 */
export * as Dashboard from "./Dashboard.ts"
export * as Rules from "./Rules.ts"
