/** The metrics of larders through the exporters of Effect. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric as EffectMetric, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpRouter } from "effect/http"
import { Otlp, OtlpExporter, PrometheusMetrics } from "effect/observability"
import { Larder, MemoryTier, Metrics, Policy, TierStack, Upstream } from "@larder/core"

const Metric = Schema.Struct({
  name: Schema.String,
  unit: Schema.String,
  sum: Schema.optional(
    Schema.Struct({
      aggregationTemporality: Schema.Finite,
      isMonotonic: Schema.Boolean,
      dataPoints: Schema.Array(
        Schema.Struct({
          attributes: Schema.Array(
            Schema.Struct({
              key: Schema.String,
              value: Schema.Struct({ stringValue: Schema.optional(Schema.String) }),
            }),
          ),
          asDouble: Schema.optional(Schema.Finite),
          asInt: Schema.optional(Schema.Union([Schema.Finite, Schema.String])),
        }),
      ),
    }),
  ),
  gauge: Schema.optional(Schema.Unknown),
  histogram: Schema.optional(Schema.Struct({ aggregationTemporality: Schema.Finite })),
})
type Metric = typeof Metric.Type

const Exported = Schema.fromJsonString(
  Schema.Struct({
    resourceMetrics: Schema.Array(
      Schema.Struct({
        scopeMetrics: Schema.Array(Schema.Struct({ metrics: Schema.Array(Metric) })),
      }),
    ),
  }),
)

/** An OpenTelemetry receiver that keeps the metrics of each export. */
const receiver = Effect.acquireRelease(
  Effect.callback<{
    readonly url: string
    readonly exports: Array<ReadonlyArray<Metric>>
    end: () => void
  }>((resume) => {
    const exports: Array<ReadonlyArray<Metric>> = []
    const server = createServer((request, response) => {
      const parts: Array<Buffer> = []
      request.on("data", (part: Buffer) => parts.push(part))
      request.on("end", () => {
        if (request.url === "/v1/metrics") {
          const body = Schema.decodeSync(Exported)(Buffer.concat(parts).toString())
          exports.push(
            body.resourceMetrics.flatMap(({ scopeMetrics }) =>
              scopeMetrics.flatMap(({ metrics }) => metrics),
            ),
          )
        }
        response.end("{}")
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      const end = () => {
        server.closeAllConnections()
        server.close()
      }
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, exports, end }))
    })
  }),
  ({ end }) => Effect.sync(end),
)

const words = (name: string) =>
  Larder.make({
    name,
    upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
    policy: Policy.make({ freshFor: "1 minute" }),
  }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer())))

/** Other tests of the process have larders by the hundred, and the default registry keeps their series. */
const ownRegistry = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(effect, EffectMetric.MetricRegistry, new Map()))

/** The plain hits of a larder in an export. */
const hitsOf = (metrics: ReadonlyArray<Metric>, larder: string): number | undefined => {
  const points = metrics.find(({ name }) => name === "larder_answers_total")?.sum?.dataPoints ?? []
  const wanted = { larder, source: "memory", outcome: "fresh" }
  const point = points.find(({ attributes }) =>
    Object.entries(wanted).every(([key, value]) =>
      attributes.some((one) => one.key === key && one.value.stringValue === value),
    ),
  )
  return point === undefined ? undefined : Number(point.asDouble ?? point.asInt)
}

const cumulative = 2
const delta = 1

describe("Otlp.layerJson exports what the catalogue says", () => {
  it.live.each([
    ["cumulative", cumulative, [1, 3]],
    ["delta", delta, [1, 2]],
  ] as const)("%s", ([metricsTemporality, temporality, hits]) =>
    Effect.gen(function* () {
      const { exports, url } = yield* receiver
      const larder = `exported as ${metricsTemporality}`
      const otlp = Otlp.layerJson({
        baseUrl: url,
        resource: { serviceName: "test" },
        metricsTemporality,
        metricsExportInterval: "1 hour",
      }).pipe(Layer.provide(FetchHttpClient.layer))
      yield* Effect.gen(function* () {
        const lengths = yield* words(larder)
        const { flush } = yield* OtlpExporter.Flusher
        const get = lengths.get("milk")
        yield* Effect.andThen(get, get)
        yield* flush
        yield* Effect.andThen(get, get)
        yield* flush
      }).pipe(Effect.scoped, Effect.provide(otlp))
      assert.deepStrictEqual(
        exports.slice(0, 2).map((metrics) => hitsOf(metrics, larder)),
        [...hits],
      )
      const known = new Map(Metrics.catalogue.map((metric) => [metric.name, metric]))
      const ours = exports[0]!.filter(({ name }) => name.startsWith("larder_"))
      assert.isAbove(ours.length, 20)
      for (const { gauge, histogram, name, sum, unit } of ours) {
        const metric = known.get(name)
        assert.strictEqual(unit, metric?.unit, name)
        if (metric?.type === "counter") {
          assert.strictEqual(sum?.isMonotonic, true, name)
          assert.strictEqual(sum?.aggregationTemporality, temporality, name)
        } else if (metric?.type === "histogram") {
          assert.strictEqual(histogram?.aggregationTemporality, temporality, name)
        } else assert.isDefined(gauge, name)
      }
    }).pipe(Effect.scoped, ownRegistry),
  )
})

it.live("PrometheusMetrics.layerHttp serves the metrics of larders", () =>
  Effect.gen(function* () {
    const lengths = yield* words("scraped")
    yield* lengths.get("milk")
    yield* lengths.get("milk")
    const response = yield* HttpClient.get("/metrics")
    assert.strictEqual(response.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
    const page = yield* response.text
    assert.include(
      page,
      'larder_answers_total{larder="scraped",source="memory",outcome="fresh"} 1\n',
    )
    assert.notInclude(page, "unit=")
  }).pipe(
    Effect.scoped,
    Effect.provide(
      HttpRouter.serve(PrometheusMetrics.layerHttp(), {
        disableLogger: true,
        disableListenLog: true,
      }).pipe(Layer.provideMerge(NodeHttpServer.layerTest)),
    ),
    ownRegistry,
  ),
)
