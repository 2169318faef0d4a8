/** Puts the parts together: the catalogue's process, three shops, the traffic, the report. */
import { fileURLToPath } from "node:url"
import { MemoryTier, TierStack } from "@larder/core"
import { Clock, Console, Duration, Effect, Layer, Random } from "effect"
import { HttpClient } from "effect/http"
import { CatalogueClient } from "./catalogueClient.ts"
import * as CatalogueProcess from "./catalogueProcess.ts"
import * as Contenders from "./contenders.ts"
import * as Insights from "./insights.ts"
import { Ledger } from "./ledger.ts"
import { type Phase, phases } from "./phases.ts"
import { Products } from "./products.ts"
import * as Report from "./report.ts"
import * as Trace from "./trace.ts"
import * as Traffic from "./traffic.ts"

export interface Settings {
  readonly rate: number
  readonly phaseSeconds: number
  readonly inFlight: number
  readonly from: number
  readonly seed: number
}

/** Where the progress goes: a terminal's line is written over, other outputs get a line now and then. */
export interface Display {
  readonly everyMillis: number
  readonly show: (line: string) => Effect.Effect<void>
  readonly clear: Effect.Effect<void>
}

const tracePath = fileURLToPath(new URL("../data/web12.txt.gz", import.meta.url))

/** The catalogue as one shop reaches it, each request noted in the shop's ledger. */
const clientLayer = (url: string, ledger: Ledger) =>
  CatalogueClient.layer(url).pipe(
    Layer.provide(
      Layer.effect(
        HttpClient.HttpClient,
        Effect.map(
          HttpClient.HttpClient,
          HttpClient.tapRequest(() => Effect.sync(() => ledger.lookup())),
        ),
      ),
    ),
  )

const openShops = Effect.fnUntraced(function* (url: string) {
  const ledgers = { none: new Ledger(), ttl: new Ledger(), larder: new Ledger() }
  const larderContext = yield* Layer.build(
    Products.layer.pipe(
      Layer.provide(TierStack.layer(MemoryTier.layer({ maxEntries: Contenders.capacity }))),
      Layer.provide(clientLayer(url, ledgers.larder)),
    ),
  )
  const lanes: ReadonlyArray<Traffic.Lane> = [
    {
      name: "no cache",
      ledger: ledgers.none,
      shop: yield* Effect.provide(Contenders.withoutCache, clientLayer(url, ledgers.none)),
    },
    {
      name: "TTL cache",
      ledger: ledgers.ttl,
      shop: yield* Effect.provide(Contenders.withTtlCache, clientLayer(url, ledgers.ttl)),
    },
    {
      name: "Larder",
      ledger: ledgers.larder,
      shop: yield* Effect.provide(Contenders.withLarder, larderContext),
    },
  ]
  const insights = yield* Effect.provide(Insights.watch, larderContext)
  return { lanes, insights }
})

/**
 * Exercises the way to the catalogue before anybody measures it: what "cold"
 * shows is empty caches, not connections that are being opened and code that is
 * being compiled.
 */
const warmUp = Effect.flatMap(CatalogueClient, (catalogue) =>
  Effect.forEach(
    Array.from({ length: 600 }, (_, id) => id),
    (id) => Effect.ignore(id % 10 === 9 ? catalogue.products([id]) : catalogue.product(id)),
    { concurrency: 60, discard: true },
  ),
)

/** Runs the whole of it; fails with `OutageCostCustomers` if Larder did not keep its word. */
export const run = Effect.fnUntraced(function* (settings: Settings, display: Display) {
  const { from, inFlight, phaseSeconds, rate, seed } = settings
  const trace = yield* Trace.read(tracePath)
  const catalogue = yield* CatalogueProcess.start(seed)
  const { insights, lanes } = yield* openShops(catalogue.url).pipe(Random.withSeed(seed))
  yield* Effect.provide(warmUp, CatalogueClient.layer(catalogue.url))
  yield* Console.log(
    `${rate} requests per second to each of three shops, ${phases.length} phases of ${phaseSeconds} s, catalogue at ${catalogue.url}`,
  )

  const start = yield* Clock.currentTimeMillis
  const totalMillis = phases.length * phaseSeconds * 1_000
  let phase: Phase = phases[0]
  const progress = Effect.gen(function* () {
    const elapsedMillis = (yield* Clock.currentTimeMillis) - start
    yield* display.show(Report.progress({ phase, elapsedMillis, totalMillis }, lanes))
  })
  yield* Effect.gen(function* () {
    yield* Effect.forkScoped(Effect.forever(Effect.delay(progress, display.everyMillis)))
    yield* Traffic.replay({
      trace,
      rate,
      from,
      inFlight,
      lanes,
      phaseMillis: Duration.toMillis(Duration.seconds(phaseSeconds)),
      enter: (next) =>
        Effect.tap(catalogue.enter(next), () =>
          Effect.sync(() => {
            phase = next
          }),
        ),
    })
  }).pipe(Effect.scoped, Effect.ensuring(display.clear))

  const results = lanes.map(({ ledger, name }) => ({ name, book: ledger.close() }))
  yield* Console.log(`\n${Report.table(results)}\n`)
  const words = [Insights.describe(insights), ...Report.findings(results)]
  yield* Console.log(words.map((line) => Report.wrap(line)).join("\n"))
  const larder = results.at(-1)!
  const pages = Report.costOfOutage(larder)
  if (pages.length > 0) {
    return yield* new Report.OutageCostCustomers({ shop: larder.name, pages })
  }
}, Effect.scoped)
