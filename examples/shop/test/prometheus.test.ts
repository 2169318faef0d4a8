/**
 * A real Prometheus scrapes the demo through its phases: the alerts of an outage fire and clear, and no
 * panel of the board is empty.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Dashboard, Rules } from "@larder/inspector"
import * as PrometheusServer from "@larder/testing/PrometheusServer"
import * as RedisServer from "@larder/testing/RedisServer"
import { Clock, Effect } from "effect"
import * as DemoProcess from "./support/demoProcess.ts"
import * as Prometheus from "./support/prometheus.ts"
import { until } from "./support/until.ts"

const programs = await Effect.runPromise(PrometheusServer.find)
const hasRedis = (await Effect.runPromise(RedisServer.find)) !== undefined

/** A minute of the rules is a second of this run. */
const timeScale = 60
const rateInterval = "5s"

const ofOutage = ["CircuitBreakerOpen", "HighStaleHitRatio"]

/** The shop, and two nodes over one Redis beside it. The outage lasts until both alerts must fire: about 15 s. */
const nodes = 2
const options = [
  ...["--rate", "60", "--phase-seconds", "4", "--outage-seconds", "24"],
  ...["--metrics", "0", "--nodes", `${nodes}`],
]

/** Queries that find nothing in these stacks, and why. */
const withoutSeries: Readonly<Record<string, string>> = {
  "Weight and its bound B": "the demo bounds its memory by entries, not by weight",
  "Writes behind A": "the demo writes nothing behind",
  "Oldest write A": "the demo writes nothing behind",
  "Flushed A": "the demo writes nothing behind",
}

/** All queries of the board as Grafana sends them, with everything chosen. */
const queries = Dashboard.make().panels.flatMap((panel) =>
  panel.type === "row"
    ? []
    : panel.targets.map(({ expr, refId }) => ({
        name: `${panel.title} ${refId}`,
        query: expr
          .replaceAll("$__rate_interval", rateInterval)
          .replaceAll("$larder", ".+")
          .replaceAll("$instance", ".+"),
      })),
)

const seconds = Effect.map(Clock.currentTimeMillis, (millis) => millis / 1_000)

/** The alerts of the outage that fire, with their summaries. */
const raised = ({ firing }: Prometheus.Prometheus) =>
  Effect.map(
    firing,
    (all) =>
      new Map(
        all.flatMap(({ alert, summary }) => (ofOutage.includes(alert) ? [[alert, summary]] : [])),
      ),
  )

const follow = Effect.gen(function* () {
  const demo = yield* DemoProcess.start(...options)
  const pages = yield* demo.whileItRuns(until(demo.metrics, (urls) => urls.length === nodes + 1))
  const prometheus = yield* Prometheus.start(programs!, pages, Rules.make({ timeScale }))
  const from = yield* seconds
  const alerts = raised(prometheus)

  yield* demo.whileItRuns(until(demo.phase, (phase) => phase === "outage"))
  const before = yield* alerts
  const during = yield* demo.whileItRuns(until(alerts, ({ size }) => size === ofOutage.length))
  const raisedIn = yield* demo.phase
  yield* demo.whileItRuns(until(alerts, ({ size }) => size === 0))
  const clearedIn = yield* demo.phase
  const exitCode = yield* demo.exitCode
  const span = { from, to: yield* seconds }
  const found = yield* Effect.forEach(queries, ({ name, query }) =>
    Effect.map(prometheus.numbers(query, span), (numbers) => ({ name, count: numbers.length })),
  )
  return { before, during, raisedIn, clearedIn, exitCode, found }
}).pipe(Effect.scoped, Effect.provide([NodeServices.layer, NodeHttpClient.layerUndici]))

describe("Prometheus over the demo", () => {
  const skip = programs === undefined || !hasRedis

  it.live.skipIf(skip)(
    "raises the alerts of an outage, clears them after it, and fills every panel",
    () =>
      Effect.gen(function* () {
        const { before, clearedIn, during, exitCode, found, raisedIn } = yield* follow
        assert.deepStrictEqual([...before.keys()], [])
        assert.deepStrictEqual([...during.keys()].toSorted(), ofOutage)
        assert.strictEqual(raisedIn, "outage")
        assert.match(
          during.get("CircuitBreakerOpen") ?? "",
          /^The circuit breaker upstream of shop\/Products has not been closed for [\d.]+s\.$/,
        )
        assert.match(
          during.get("HighStaleHitRatio") ?? "",
          /^[\d.]+% of the answers of shop\/Products/,
        )
        assert.include(["recovery", "restart", "price change"], clearedIn)
        assert.strictEqual(exitCode, 0)
        const empty = found.filter(({ count }) => count === 0).map(({ name }) => name)
        assert.deepStrictEqual(empty, Object.keys(withoutSeries))
      }),
    180_000,
  )
})
