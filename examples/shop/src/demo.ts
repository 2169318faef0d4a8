/** Puts the parts together: the catalogue's process, three shops, the traffic, the report. */
import { Detectors } from "@larder/core"
import { Clock, Console, Duration, Effect, Fiber, Layer, Random, type Scope } from "effect"
import { CatalogueClient } from "./catalogueClient.ts"
import * as CatalogueProcess from "./catalogueProcess.ts"
import * as Figures from "./figures.ts"
import * as Insights from "./insights.ts"
import * as MetricsServer from "./metricsServer.ts"
import * as Nodes from "./nodes.ts"
import { type Phase, phases } from "./phases.ts"
import * as Reader from "./reader.ts"
import * as Report from "./report.ts"
import * as Shops from "./shops.ts"
import * as Trace from "./trace.ts"
import * as Traffic from "./traffic.ts"

export interface Settings extends Shops.Places, Trace.Options {
  /** One shop for each step from no cache to Larder over all tiers, instead of three. */
  readonly ladder: boolean
  /** Processes that share a Redis and are watched at the price change; none by default. */
  readonly nodes: number | undefined
  /** The port at which Prometheus finds the metrics, those of nodes at the next ones; 0 for free ones, none by default. */
  readonly metrics: number | undefined
  /** Tells at the end what the metrics say to each question. */
  readonly figures: boolean
  readonly rate: number
  readonly phaseSeconds: number
  /** The length of the outage; by default that of the other phases. */
  readonly outageSeconds: number | undefined
  readonly inFlight: number
  readonly from: number
}

/**
 * Shows the progress: a terminal overwrites its line, other outputs get a line from time to time.
 */
export interface Display {
  readonly everyMillis: number
  readonly show: (line: string) => Effect.Effect<void>
  readonly clear: Effect.Effect<void>
}

/**
 * Sends requests to the catalogue before the measurement: the phase "cold" then shows empty caches,
 * not the cost of opening connections and compiling code.
 */
const warmUp = Effect.flatMap(CatalogueClient, (catalogue) =>
  Effect.forEach(
    Array.from({ length: 600 }, (_, id) => id),
    (id) => Effect.ignore(id % 10 === 9 ? catalogue.products([id]) : catalogue.product(id)),
    { concurrency: 60, discard: true },
  ),
)

/** What the nodes do when a phase begins; `spreads` gives their times after the last phase. */
const follow = (nodes: Nodes.Nodes | undefined) => {
  const running: Array<Fiber.Fiber<void, Nodes.NodeFailed>> = []
  const enter = (phase: Phase): Effect.Effect<void, never, Scope.Scope> =>
    Effect.gen(function* () {
      if (nodes === undefined) return
      if (phase === "recovery") running.push(yield* Effect.forkScoped(nodes.watch))
      if (phase !== "price change") return
      running.push(yield* Effect.forkScoped(Effect.delay(nodes.change, Traffic.newsMillis)))
    })
  const spreads = Effect.gen(function* () {
    if (nodes === undefined) return []
    yield* Fiber.joinAll(running)
    return yield* nodes.spreads
  })
  return { enter, spreads }
}

/** Metrics are served on any port for the figures alone. */
const metricsPort = ({ figures, metrics }: Settings): number | undefined =>
  metrics ?? (figures ? 0 : undefined)

/** Serves the metrics of the shop, with the anomalies; returns their address. */
const serveMetrics = Effect.fnUntraced(function* (settings: Settings) {
  const port = metricsPort(settings)
  if (port === undefined) return []
  yield* Layer.build(Detectors.layer())
  const url = yield* MetricsServer.start(port)
  yield* Console.log(`metrics at ${url}`)
  return [url]
})

const startNodes = Effect.fnUntraced(function* (settings: Settings, catalogue: string) {
  if (settings.nodes === undefined) return undefined
  const port = metricsPort(settings)
  const nodes = yield* Nodes.start(settings.nodes, {
    capacity: settings.capacity,
    catalogue,
    redis: settings.redis,
    // The first port is that of the shop.
    metrics: port === undefined || port === 0 ? port : port + 1,
  })
  yield* Effect.forEach(nodes.metrics, (url, at) =>
    Console.log(`metrics of node ${at + 1} at ${url}`),
  )
  return nodes
})

const millisOf =
  ({ outageSeconds, phaseSeconds }: Settings) =>
  (phase: Phase): number =>
    Duration.toMillis(
      Duration.seconds(phase === "outage" ? (outageSeconds ?? phaseSeconds) : phaseSeconds),
    )

/**
 * Runs the whole demo; fails with `OutageCostCustomers` if the outage cost Larder's customers a
 * page.
 */
export const run = Effect.fnUntraced(function* (settings: Settings, display: Display) {
  const { from, inFlight, rate, seed } = settings
  const { trace, words: traffic } = yield* Trace.load(settings)
  const ownMetrics = yield* serveMetrics(settings)
  const catalogue = yield* CatalogueProcess.start(seed)
  const insights = new Map<string, number>()
  const open = settings.ladder ? Shops.ladder : Shops.sideBySide
  const lanes = yield* open(catalogue.url, insights, settings).pipe(Random.withSeed(seed))
  const nodes = yield* startNodes(settings, catalogue.url)
  yield* Effect.provide(warmUp, CatalogueClient.layer(catalogue.url))
  yield* Console.log(
    `${traffic}\n${rate} requests per second to each of ${lanes.length} shops, ${Report.lengths(settings)}, catalogue at ${catalogue.url}`,
  )

  const start = yield* Clock.currentTimeMillis
  const phaseMillis = millisOf(settings)
  const totalMillis = phases.reduce((sum, phase) => sum + phaseMillis(phase), 0)
  let phase: Phase = phases[0]
  const progress = Effect.gen(function* () {
    const elapsedMillis = (yield* Clock.currentTimeMillis) - start
    yield* display.show(Report.progress({ phase, elapsedMillis, totalMillis }, lanes))
  })
  const following = follow(nodes)
  const reader = yield* Reader.start(
    settings.figures ? [...ownMetrics, ...(nodes?.metrics ?? [])] : [],
  )
  const spreads = yield* Effect.gen(function* () {
    yield* Effect.forkScoped(Effect.forever(Effect.delay(progress, display.everyMillis)))
    yield* Traffic.replay({
      trace,
      rate,
      from,
      inFlight,
      lanes,
      phaseMillis,
      enter: (next) =>
        Effect.gen(function* () {
          yield* catalogue.enter(next)
          yield* following.enter(next)
          phase = next
        }),
    })
    return yield* following.spreads
  }).pipe(Effect.scoped, Effect.ensuring(display.clear))

  const results = yield* Effect.forEach(lanes, ({ ledger, name, otherNode }) =>
    Effect.map(otherNode, (millis) => ({ name, book: ledger.close(), otherNode: millis })),
  )
  const table = settings.ladder ? Report.ladder(results) : Report.table(results)
  yield* Console.log(`\n${table}\n`)
  const words = [
    Insights.describe(insights),
    ...(settings.ladder ? Report.missing(settings) : Report.findings(results)),
  ]
  yield* Console.log(
    [...words.map((line) => Report.wrap(line)), ...Report.spreads(spreads)].join("\n"),
  )
  if (settings.figures) {
    yield* Console.log(`\n${Figures.told(yield* reader.last).join("\n")}`)
  }
  const larder = results.at(-1)!
  const pages = Report.costOfOutage(larder)
  if (pages.length > 0) {
    return yield* new Report.OutageCostCustomers({ shop: larder.name, pages })
  }
}, Effect.scoped)
