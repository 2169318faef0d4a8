/** One stack of a process: its larders over memory and Redis, its source, its outboxes. */
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
import { RedisClient, RedisOutbox, RedisTier } from "@larder/redis"
import { SqlOutbox } from "@larder/sql"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import {
  comboOf,
  type ComboName,
  type Config,
  freshFor,
  hardTimeout,
  lock,
  maxFreshFor,
  maxLag,
  maxPending,
} from "./Config.ts"
import { clientOf, type Ids, type Row, Source, type SourceError, sourceOf } from "./Source.ts"

const Value = Schema.Array(Schema.String)

const policy = Policy.make({
  freshFor,
  staleIfError: "1 minute",
  hardTimeout,
  tierTimeout: 500,
})

const catalogue = Upstream.make({ lookup: (key: string) => Source.use(({ find }) => find(key)) })

/** Of which the source is changed by the writer itself. */
export class Direct extends Larder.Service<Direct>()("torture/Direct", {
  value: Value,
  upstream: catalogue,
  policy,
}) {}

export class PutOutbox extends Outbox.Service<PutOutbox>()("torture/Puts", {
  key: Schema.String,
  value: Value,
  maxPending,
}) {}

export class Put extends Larder.Service<Put>()("torture/Put", {
  value: Value,
  upstream: catalogue.pipe(Outbox.overlay(PutOutbox)),
  policy,
}) {}

export class CountOutbox extends Outbox.Service<CountOutbox>()("torture/Counts", {
  key: Schema.String,
  value: Value,
  maxPending,
  merge: (older, newer) => [...older, ...newer],
}) {}

export class Count extends Larder.Service<Count>()("torture/Count", {
  value: Value,
  upstream: catalogue.pipe(Outbox.overlay(CountOutbox)),
  policy,
}) {}

const rowsOf = (batch: ReadonlyArray<Outbox.OutboxWrite<string, Ids>>): ReadonlyArray<Row> =>
  batch.map(({ key, value, version }) => ({ key, ids: Option.getOrElse(value, () => []), version }))

const flushing = {
  maxLag,
  lock,
  retry: Schedule.spaced(200),
  maxAttempts: Infinity,
  timeout: "3 seconds",
} as const

export class Puts extends WriteBehind.Service<Puts>()("torture/PutWrites", {
  larder: Put,
  outbox: PutOutbox,
  writeMany: (batch): Effect.Effect<void, SourceError, Source> =>
    Source.use(({ save }) => save(rowsOf(batch))),
  ...flushing,
}) {}

export class Counts extends WriteBehind.Service<Counts>()("torture/CountWrites", {
  larder: Count,
  outbox: CountOutbox,
  writeMany: (batch): Effect.Effect<void, SourceError, Source> =>
    Source.use(({ add }) => add(rowsOf(batch))),
  ...flushing,
}) {}

/** The source, which says what it was asked to keep. */
const watched = (tried: (row: Row) => void) =>
  Layer.effect(
    Source,
    Effect.map(Source, (source) => {
      const told = (rows: ReadonlyArray<Row>) => Effect.sync(() => rows.forEach(tried))
      return {
        ...source,
        save: (rows) => Effect.andThen(told(rows), source.save(rows)),
        add: (rows) => Effect.andThen(told(rows), source.add(rows)),
      }
    }),
  )

const storeOf = (
  name: ComboName,
  config: Config,
): Layer.Layer<OutboxStore.OutboxStore, unknown, RedisClient.RedisClient> => {
  const { outbox } = comboOf[name]
  if (outbox === "memory") return OutboxStore.layerMemory
  if (outbox === "redis") return RedisOutbox.layer({ prefix: `outbox-${name}` })
  return Layer.provide(SqlOutbox.layer(), clientOf(outbox, config, `${name}-outbox`))
}

/** What a process needs of one stack. */
export type Stack = Direct | Put | Count | Puts | Counts | Source

export const stackOf = (
  name: ComboName,
  config: Config,
  tried: (row: Row) => void,
): Layer.Layer<Stack, unknown> => {
  const redis = RedisClient.layer({
    host: "127.0.0.1",
    port: config.redisPort,
    commandTimeout: 500,
    connectTimeout: 1_000,
    reconnect: { base: 20, max: 200 },
  })
  // Nobody else could write what waits in the memory of a process.
  const flushes = config.role !== "putter" || comboOf[name].outbox === "memory"
  const tiers = TierStack.layer(
    MemoryTier.layer({ maxFreshFor }),
    Layer.orDie(RedisTier.layer({ prefix: `torture-${name}` })),
  )
  return (
    flushes
      ? Layer.mergeAll(Puts.layer, Counts.layer)
      : Layer.mergeAll(Puts.layerOfferOnly, Counts.layerOfferOnly)
  ).pipe(
    Layer.provideMerge(Layer.mergeAll(Direct.layer, Put.layer, Count.layer)),
    Layer.provideMerge(Layer.mergeAll(PutOutbox.layer, CountOutbox.layer)),
    Layer.provide(storeOf(name, config)),
    Layer.provide(tiers),
    Layer.provideMerge(Layer.provide(watched(tried), sourceOf(name, comboOf[name], config))),
    Layer.provide(redis),
  )
}
