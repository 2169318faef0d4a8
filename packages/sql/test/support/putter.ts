/**
 * A process that puts values behind as fast as it can, and prints each one that was acknowledged; or one
 * that only flushes what is there, and ends; or one that puts once and closes nothing. `node putter.ts <store> <where> <source> <name> <mode>`
 */
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
import { NodeSqliteClient } from "@larder/sqlite"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { writeSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import * as SqlOutbox from "../../src/SqlOutbox.ts"

const [store = "", where = "", source = "", name = "", mode = ""] = process.argv.slice(2)

const stores: Readonly<Record<string, () => Layer.Layer<OutboxStore.OutboxStore, unknown>>> = {
  memory: () => OutboxStore.layerMemory,
  sqlite: () =>
    SqlOutbox.layer().pipe(
      Layer.provide(NodeSqliteClient.layer({ filename: where, synchronous: "normal" })),
    ),
  redis: () => RedisOutbox.layer().pipe(Layer.provide(RedisClient.layer({ url: where }))),
}

const database = new DatabaseSync(source)
database.exec(
  "pragma journal_mode = wal; pragma busy_timeout = 5000; create table if not exists prices (key text primary key, value integer, version integer)",
)
const save = database.prepare(
  "insert into prices (key, value, version) values (?, ?, ?) on conflict (key) do update set value = excluded.value, version = excluded.version where version < excluded.version",
)

class Prices extends Outbox.Service<Prices>()("test/Prices", {
  key: Schema.String,
  value: Schema.Finite,
}) {}

class Cache extends Larder.Service<Cache>()("test/Cache", {
  upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(0) }).pipe(
    Outbox.overlay(Prices),
  ),
  policy: Policy.make({ freshFor: "1 hour" }),
}) {}

class Writes extends WriteBehind.Service<Writes>()("test/Writes", {
  larder: Cache,
  outbox: Prices,
  maxLag: "100 millis",
  lock: "500 millis",
  writeMany: (batch) =>
    Effect.sync(() => {
      database.exec("begin immediate")
      for (const { key, value, version } of batch) {
        save.run(key, Option.getOrNull(value), version)
      }
      database.exec("commit")
    }),
}) {}

const layer = Writes.layer.pipe(
  Layer.provide(Cache.layer),
  Layer.provide(Prices.layer),
  Layer.provide([stores[store]!(), TierStack.layer(MemoryTier.layer())]),
)

/** Eight callers, each with keys of its own, so that what was acknowledged last is what must be there. */
const caller = (writes: Writes["Service"], number: number) =>
  Effect.gen(function* () {
    for (let value = 1; ; value += 1) {
      const key = `${name}-${number}-${value % 38}`
      yield* writes.put(key, value)
      writeSync(1, `${key} ${value}\n`)
    }
  })

const program = Effect.gen(function* () {
  const writes = yield* Writes
  if (mode === "drain") return yield* writes.flush
  return yield* Effect.all(
    Array.from({ length: 8 }, (_, number) => caller(writes, number)),
    { concurrency: "unbounded" },
  )
})

if (mode === "leave") {
  const scope = Scope.makeUnsafe()
  const services = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  await Effect.runPromise(Context.get(services, Writes).put(name, 1))
} else {
  await Effect.runPromise(Effect.provide(program, layer))
  process.exit(0)
}
