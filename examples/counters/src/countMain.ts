/**
 * A process that counts: `node countMain.ts <way> <store> <folder> <mode> <seed>`.
 *
 * - `count` counts views as fast as it can until it is killed, and prints the page of each that was counted.
 * - `drain` writes what is left in the outbox, and prints what the source has.
 * - `measure` counts some views, and prints how long each took and how many rows the source has written.
 */
import { writeSync } from "node:fs"
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { MemoryTier, OutboxStore, TierStack } from "@larder/core"
import { SqlOutbox } from "@larder/sql"
import { NodeSqliteClient } from "@larder/sqlite"
import { Clock, Effect, Layer, Random, Schema } from "effect"
import { Counter, layers } from "./counters.ts"
import * as Counts from "./counts.ts"
import * as Protocol from "./protocol.ts"

const main = Effect.gen(function* () {
  const [way, store, folder = "", mode, seed] = process.argv.slice(2)
  const begin = yield* Schema.decodeUnknownEffect(Protocol.Begin)({ way, store, mode, seed })

  // Neither file loses a commit when the process is killed.
  const file = (name: string) =>
    NodeSqliteClient.layer({ filename: join(folder, name), synchronous: "normal" })
  const stores = {
    memory: OutboxStore.layerMemory,
    sqlite: SqlOutbox.layer().pipe(Layer.provide(file("outbox.db"))),
  }
  const app = layers[begin.way].pipe(
    Layer.provideMerge(Counts.layer.pipe(Layer.provide(file("source.db")))),
    Layer.provide([stores[begin.store], TierStack.layer(MemoryTier.layer())]),
  )

  const viewing = Effect.gen(function* () {
    const { view } = yield* Counter
    const page = Protocol.pageOf(yield* Random.next)
    yield* view(page)
    return page
  })
  const endlessly = Effect.forever(
    Effect.map(viewing, (page) => writeSync(1, `${page}\n`)),
    { disableYield: true },
  )
  const programs = {
    count: Effect.all(
      Array.from({ length: Protocol.visitors }, () => endlessly),
      { concurrency: "unbounded" },
    ),
    drain: Effect.gen(function* () {
      const { flush } = yield* Counter
      yield* flush
      const all = yield* Effect.flatMap(Counts.Counts, (counts) => counts.all)
      writeSync(1, JSON.stringify(Object.fromEntries(all)))
    }),
    measure: Effect.gen(function* () {
      const { flush } = yield* Counter
      const began = yield* Clock.monotonicTimeNanos
      yield* Effect.forEach(Array.from({ length: Protocol.measuredViews }), () => viewing, {
        concurrency: Protocol.visitors,
        discard: true,
      })
      const nanos = Number((yield* Clock.monotonicTimeNanos) - began)
      yield* flush
      const rows = yield* Effect.flatMap(Counts.Counts, ({ written }) => written)
      const views = Protocol.measuredViews
      const measured = { microsPerView: nanos / 1_000 / views, rowsPerView: rows / views }
      writeSync(1, yield* Schema.encodeEffect(Protocol.MeasuredText)(measured))
    }),
  }
  yield* Effect.provide(programs[begin.mode], app).pipe(Random.withSeed(begin.seed))
})

NodeRuntime.runMain(main)
