/** Sees to it that there are promtool and Prometheus to test with, or says that there are none. */
import * as PrometheusServer from "@larder/testing/PrometheusServer"
import { seeTo } from "../../../testing/test/support/debianServer.ts"

export default (): Promise<void> =>
  seeTo({
    find: PrometheusServer.find,
    program: "promtool",
    name: "prometheus",
    tests: "the tests of alert rules, queries and the demo under Prometheus",
    remedy: "Install Prometheus, or name the folder of its programs in LARDER_PROMETHEUS.",
    variable: "LARDER_PROMETHEUS",
    required: "LARDER_REQUIRE_PROMETHEUS",
  })
