/** A source, and nodes that read and write it behind, over one shared tier and one outbox. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import {
  Larder,
  type LarderEvent,
  MemoryTier,
  Outbox,
  OutboxStore,
  Policy,
  Tier,
  TierStack,
  Upstream,
  WriteBehind,
} from "../../src/index.ts"

export class Gone extends Data.TaggedError("Gone")<{ readonly key: string }> {}
export class Down extends Data.TaggedError("Down")<{ readonly what: string }> {}

export interface Written {
  readonly key: string
  readonly value: Option.Option<number>
  readonly version: number
  readonly at: number
}

/** What the application keeps its values in; a test scripts how it behaves. */
export class Source extends Context.Service<
  Source,
  {
    readonly rows: Map<string, Written>
    /** Every write that arrived, refused ones included. */
    readonly log: Array<Written>
    readonly batches: Array<ReadonlyArray<string>>
    lookups: number
    /** Whether lower versions are refused. */
    guards: boolean
    /** Runs before a batch is written. */
    before: (keys: ReadonlyArray<string>) => Effect.Effect<void, Down>
    /** Runs after a batch is written, before the flusher hears of it. */
    after: (keys: ReadonlyArray<string>) => Effect.Effect<void, Down>
    /** Runs between a lookup's look at the rows and its answer. */
    reading: Effect.Effect<void>
  }
>()("test/Source") {}

export const source = (): Source["Service"] => ({
  rows: new Map(),
  log: [],
  batches: [],
  lookups: 0,
  guards: true,
  before: () => Effect.void,
  after: () => Effect.void,
  reading: Effect.void,
})

export class PriceOutbox extends Outbox.Service<PriceOutbox>()("test/PriceOutbox", {
  key: Schema.String,
  value: Schema.Finite,
  maxPending: 1_000,
}) {}

const lookup = (key: string) =>
  Effect.gen(function* () {
    const source = yield* Source
    source.lookups += 1
    const row = source.rows.get(key)
    yield* source.reading
    if (row === undefined || Option.isNone(row.value)) return yield* new Gone({ key })
    return row.value.value
  })

const plain = Upstream.make({ lookup })

const options = {
  value: Schema.Finite,
  policy: Policy.make({ freshFor: "1 hour", tierTimeout: "1 second" }),
}

export class Prices extends Larder.Service<Prices>()("test/Prices", {
  ...options,
  upstream: plain.pipe(Outbox.overlay(PriceOutbox)),
}) {}

/** As `Prices`, on a node that does not see the outbox. */
export class Blind extends Larder.Service<Blind>()("test/Blind", {
  ...options,
  name: "test/Prices",
  upstream: plain,
}) {}

export const writeMany = (
  batch: ReadonlyArray<Outbox.OutboxWrite<string, number>>,
): Effect.Effect<void, Down, Source> =>
  Effect.gen(function* () {
    const source = yield* Source
    const keys = batch.map(({ key }) => key)
    source.batches.push(keys)
    yield* source.before(keys)
    const at = yield* Clock.currentTimeMillis
    for (const { key, value, version } of batch) {
      source.log.push({ key, value, version, at })
      if (source.guards && (source.rows.get(key)?.version ?? 0) > version) continue
      source.rows.set(key, { key, value, version, at })
    }
    yield* source.after(keys)
  })

export class Writes extends WriteBehind.Service<Writes>()("test/Writes", {
  larder: Prices,
  outbox: PriceOutbox,
  maxLag: "1 second",
  batch: 10,
  maxAttempts: 4,
  lock: "3 seconds",
  retry: Schedule.exponential("100 millis"),
  writeMany,
}) {}

export interface World {
  readonly source: Source["Service"]
  readonly store: OutboxStore.OutboxStore["Service"]
  readonly shared: Tier.ByteTier | Tier.ObjectTier
}

export const world: Effect.Effect<World, never, Scope.Scope> = Effect.gen(function* () {
  const built = yield* Layer.build(
    Layer.fresh(Layer.mergeAll(MemoryTier.layerShared, OutboxStore.layerMemory)),
  )
  return {
    source: source(),
    store: Context.get(built, OutboxStore.OutboxStore),
    shared: Context.get(built, Tier.Tier),
  }
})

export interface Node {
  readonly prices: Larder.Larder<string, number, Gone | Outbox.OutboxFailed>
  readonly blind: Larder.Larder<string, number, Gone>
  readonly writes: WriteBehind.WriteBehind<string, number>
  readonly outbox: Outbox.Outbox<string, number>
}

const servicesOf = ({ shared, source, store }: World) => {
  const stack = TierStack.layer(MemoryTier.layer(), Layer.succeed(Tier.Tier, shared))
  return Layer.mergeAll(
    Layer.succeed(Source, source),
    Layer.succeed(OutboxStore.OutboxStore, store),
    Layer.fresh(stack),
  )
}

/** A node with memory of its own; it flushes, or leaves that to others. */
export const node = (
  world: World,
  flushes: "flushes" | "offers only" = "flushes",
): Effect.Effect<Node, Outbox.OutboxFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const services = servicesOf(world)
    const writes = flushes === "flushes" ? Writes.layer : Writes.layerOfferOnly
    const layer = writes.pipe(
      Layer.provideMerge(Prices.layer),
      Layer.provideMerge(PriceOutbox.layer),
      Layer.provide(services),
    )
    const built = yield* Layer.build(Layer.fresh(layer))
    const blind = yield* Layer.build(
      Layer.fresh(Blind.layer.pipe(Layer.provide(servicesOf(world)))),
    )
    return {
      prices: Context.get(built, Prices),
      blind: Context.get(blind, Blind),
      writes: Context.get(built, Writes),
      outbox: Context.get(built, PriceOutbox),
    }
  })

/** The events of a larder so far, without hits. */
export const eventsOf = (
  larder: Larder.Larder<string, number, unknown>,
): Effect.Effect<Array<LarderEvent.LarderEvent>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { Stream } = yield* Effect.promise(() => import("effect"))
    const events: Array<LarderEvent.LarderEvent> = []
    yield* Effect.forkScoped(
      Stream.runForEach(larder.events, (event) => Effect.sync(() => events.push(event))),
      { startImmediately: true },
    )
    return events
  })
