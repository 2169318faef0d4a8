/**
 * Measures what docs/writing-behind.md says of outboxes, and writes its tables: offers per second, the lag
 * of a flush, and what six kills lose. Takes about three minutes:
 * `npx --yes pnpm@12 exec node docs/scripts/write-behind.ts`.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import {
  Larder,
  MemoryTier,
  Outbox,
  OutboxStore,
  Policy,
  TierStack,
  Upstream,
  WriteBehind,
} from "@larder/core"
import { RedisClient, RedisOutbox } from "@larder/redis"
import { SqlOutbox } from "@larder/sql"
import { NodeSqliteClient } from "@larder/sqlite"
import * as PostgresServer from "@larder/testing/PostgresServer"
import * as RedisServer from "@larder/testing/RedisServer"
import { Effect, Layer, Option, Redacted, Schema } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { killAll } from "../../packages/sql/test/support/kills.ts"

const page = fileURLToPath(new URL("../writing-behind.md", import.meta.url))

class Prices extends Outbox.Service<Prices>()("bench/Prices", {
  key: Schema.String,
  value: Schema.Finite,
  maxPending: 100_000,
}) {}

class Cache extends Larder.Service<Cache>()("bench/Cache", {
  upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(0) }).pipe(
    Outbox.overlay(Prices),
  ),
  policy: Policy.make({ freshFor: "1 hour" }),
}) {}

const lags: Array<number> = []

class Writes extends WriteBehind.Service<Writes>()("bench/Writes", {
  larder: Cache,
  outbox: Prices,
  maxLag: "1 second",
  // A value is the moment of its put.
  writeMany: (batch) =>
    Effect.sync(() => {
      const now = performance.now()
      for (const { value } of batch) lags.push(now - Option.getOrThrow(value))
    }),
}) {}

type Store = Layer.Layer<OutboxStore.OutboxStore, unknown>

const secondsOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const began = performance.now()
    yield* effect
    return (performance.now() - began) / 1_000
  })

/** Offers per second, one after the other and 64 at a time, of new versions of 1,000 keys. */
const offers = Effect.gen(function* () {
  const outbox = yield* Prices
  let version = 0
  const offer = Effect.suspend(() => {
    version += 1
    return outbox.offer({ key: `k${version % 1_000}`, value: Option.some(1), version })
  })
  const many = (count: number, concurrency: number) =>
    Effect.forEach(Array.from({ length: count }), () => offer, { concurrency, discard: true })
  yield* many(2_000, 64)
  const alone = 1_000 / (yield* secondsOf(many(1_000, 1)))
  const grouped = 10_000 / (yield* secondsOf(many(10_000, 64)))
  return { alone, grouped }
})

/** 1,000 puts a second of different keys, for five seconds. */
const lagging = Effect.gen(function* () {
  const { flush, put } = yield* Writes
  yield* flush
  lags.length = 0
  const began = performance.now()
  for (let i = 0; i < 5_000; i += 1) {
    const ahead = began + i - performance.now()
    if (ahead > 0) yield* Effect.sleep(ahead)
    yield* Effect.forkChild(put(`lag${i}`, performance.now()), { startImmediately: true })
  }
  yield* flush
  const sorted = lags.toSorted((one, other) => one - other)
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
  return { median: at(0.5), worst: at(0.99) }
})

const measured = (store: Store) =>
  Effect.gen(function* () {
    const outbox = Prices.layer.pipe(Layer.provide(Layer.fresh(store)))
    const ofOffers = yield* Effect.provide(offers, outbox)
    const writes = Writes.layer.pipe(
      Layer.provide(Cache.layer),
      Layer.provide([outbox, TierStack.layer(MemoryTier.layer())]),
    )
    return { ...ofOffers, ...(yield* Effect.provide(lagging, Layer.fresh(writes))) }
  })

const number = (value: number): string =>
  Number(value.toPrecision(2)).toLocaleString("en", { maximumFractionDigits: 1 })

const withPart = (text: string, name: string, lines: ReadonlyArray<string>): string => {
  const begin = `<!-- ${name}: measured by docs/scripts/write-behind.ts -->`
  const end = `<!-- end of ${name} -->`
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`the page has no place for ${name}`)
  return `${text.slice(0, from)}${begin}\n\n${lines.join("\n")}\n\n${text.slice(to)}`
}

const program = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "larder-behind-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
  )
  const server = yield* RedisServer.start({
    config: { appendonly: "yes", appendfsync: "everysec" },
  })
  const sqlite = (synchronous: "normal" | "full") =>
    SqlOutbox.layer().pipe(
      Layer.provide(
        NodeSqliteClient.layer({ filename: join(folder, `${synchronous}.sqlite`), synchronous }),
      ),
    )
  const stores: Array<readonly [string, Store]> = [
    ["`OutboxStore.layerMemory`", OutboxStore.layerMemory],
    ['`SqlOutbox`, SQLite, `synchronous: "normal"`', sqlite("normal")],
    ['`SqlOutbox`, SQLite, `synchronous: "full"`', sqlite("full")],
    [
      "`RedisOutbox`, `appendfsync everysec`",
      RedisOutbox.layer().pipe(Layer.provide(RedisClient.layer({ url: server.url }))),
    ],
  ]
  const postgres = yield* PostgresServer.start()
  stores.push([
    "`SqlOutbox`, Postgres",
    SqlOutbox.layer().pipe(Layer.provide(PgClient.layer({ url: Redacted.make(postgres.url) }))),
  ])
  const figures = [
    "| store | offers a second, one caller | 64 callers | lag at 1,000 puts a second: p50 | p99 |",
    "| --- | --- | --- | --- | --- |",
  ]
  for (const [name, store] of stores) {
    const { alone, grouped, median, worst } = yield* measured(store)
    figures.push(
      `| ${name} | ${number(alone)} | ${number(grouped)} | ${number(median)} ms | ${number(worst)} ms |`,
    )
  }
  const kills = ["| outbox | keys put | keys lost |", "| --- | --- | --- |"]
  for (const [name, store, where] of [
    ["in memory", "memory", ""],
    ["in SQLite", "sqlite", join(folder, "kills.sqlite")],
    ["in Redis, whose server lives on", "redis", server.url],
  ] as const) {
    const source = join(folder, `source-${store}`)
    const { keys, lost } = yield* killAll({ store, where, source }, 6, 3_000)
    kills.push(`| ${name} | ${keys.toLocaleString("en")} | ${lost.toLocaleString("en")} |`)
  }
  const text = readFileSync(page, "utf8")
  writeFileSync(page, withPart(withPart(text, "figures", figures), "kills", kills))
})

await Effect.runPromise(Effect.scoped(program))
process.exit(0)
