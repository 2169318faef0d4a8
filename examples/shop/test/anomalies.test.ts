/** The phases of the demo in virtual time, two minutes each, under detectors. */
import { assert, it } from "@effect/vitest"
import { Detectors, Instrument, type LarderEvent, MemoryTier, TierStack } from "@larder/core"
import { generator, shopTraffic } from "@larder/traces"
import { Clock, Effect, Exit, Layer, Logger, Metric, Random, Scope } from "effect"
import { TestClock } from "effect/testing"
import { CatalogueClient } from "../src/catalogueClient.ts"
import * as Contenders from "../src/contenders.ts"
import { fate, type Phase, phases, priceListOf } from "../src/phases.ts"
import { Products } from "../src/products.ts"
import { requestAt } from "../src/trace.ts"
import * as ScriptedCatalogue from "./scriptedCatalogue.ts"

const phaseMillis = 120_000
const tickMillis = 100
const requestsPerTick = 4
const windowMillis = 30_000

interface Told {
  readonly phase: Phase
  readonly change: LarderEvent.AnomalyChanged
}

const run = Effect.gen(function* () {
  const told: Array<Told> = []
  let phase: Phase = "cold"
  const catalogue = yield* ScriptedCatalogue.make
  const products = Products.layer.pipe(
    Layer.provide(TierStack.layer(MemoryTier.layer())),
    Layer.provide(CatalogueClient.layer("http://catalogue")),
    Layer.provide(catalogue.layer),
    Layer.provide(
      Layer.succeed(Instrument.Instrument, {
        hits: "none",
        event: (event) => {
          if (event._tag === "AnomalyChanged") told.push({ phase, change: event })
        },
      }),
    ),
  )
  const opened = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(Layer.fresh(products), scope)
    return { scope, shop: yield* Effect.provide(Contenders.withLarder, context) }
  })
  const random = generator(12)
  const trace = shopTraffic({ seed: 12, requests: 50_000 })
  let { scope, shop } = yield* opened
  let sent = 0
  for (phase of phases) {
    if (phase === "restart") {
      yield* Scope.close(scope, Exit.void)
      ;({ scope, shop } = yield* opened)
    }
    if (phase === "price change") yield* Effect.forkChild(shop.newPriceList)
    const end = (yield* Clock.currentTimeMillis) + phaseMillis
    while ((yield* Clock.currentTimeMillis) < end) {
      const { afterMillis, fault } = fate(phase, random(), random())
      yield* catalogue.behave({
        latencyMillis: afterMillis,
        fault,
        priceList: priceListOf(phase),
      })
      for (let i = 0; i < requestsPerTick; i += 1) {
        const request = requestAt(trace, (sent += 1))
        const served: Effect.Effect<unknown> =
          request._tag === "Page" ? shop.page(request.id) : shop.listing(request.ids)
        yield* Effect.forkChild(served, { startImmediately: true })
      }
      yield* TestClock.adjust(tickMillis)
    }
  }
  yield* Scope.close(scope, Exit.void)
  return told
})

it.effect(
  "no alarm in the demo's traffic, whatever its catalogue does",
  () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const told = yield* run.pipe(
        Effect.provide(Detectors.layer()),
        Effect.scoped,
        Effect.provide(Logger.layer([])),
        Effect.provideService(Metric.MetricRegistry, new Map()),
        Random.withSeed(12),
      )
      const raised = told.filter(({ change }) => change.raised)
      const windows = (phases.length * phaseMillis) / windowMillis
      console.log(
        `shop: ${windows} windows, ${raised.length} alarms: ${raised
          .map(({ change, phase }) => `${change.kind} (${phase}) ${JSON.stringify(change.figures)}`)
          .join(", ")}`,
      )
      assert.deepStrictEqual(
        raised.map(({ change, phase }) => `${change.kind}: ${phase}`),
        [],
      )
    }),
  120_000,
)
