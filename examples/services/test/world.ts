/** The services in virtual time: an owner and two followers, each a node, over one source and one shared tier. */
import { Invalidations } from "@larder/core"
import { Chaos, LarderTest } from "@larder/testing"
import { NodeSqliteClient } from "@larder/sqlite"
import { it } from "@effect/vitest"
import { Effect, Layer, Option, Queue, type Scope, Stream } from "effect"
import type { SqlClient } from "effect/sql"
import { ReadPrices } from "../src/follower.ts"
import * as Owner from "../src/owner.ts"
import type { Price } from "../src/price.ts"
import { known } from "../src/prices.ts"
import * as PriceTable from "../src/priceTable.ts"
import { watch } from "../src/reader.ts"
import { latest, type Sighting } from "../src/sighting.ts"

/** How often the owner reads the table of changes. */
export const pollMillis = 5_000

/** The most that a change takes to all services once the owner has heard of it; nothing expires within it. */
export const soonMillis = 50

const services = Layer.mergeAll(NodeSqliteClient.layer({ filename: ":memory:" }), LarderTest.layer)

type Services = Layer.Success<typeof services>

/** Runs an effect in a world of its own. */
export const inWorld = <A, E>(body: Effect.Effect<A, E, Services | Scope.Scope>) =>
  body.pipe(Effect.scoped, Effect.provide(Layer.fresh(services)))

export const test = (title: string, body: Effect.Effect<void, unknown, Services | Scope.Scope>) => {
  it.effect(title, () => inWorld(body))
}

export const ids = ["milk", "tea"]

const names = ["owner", "search", "basket"]

/** The services, with milk at 100 and tea at 300, which the followers have seen. */
export const open = Effect.gen(function* () {
  yield* PriceTable.migrate
  for (const [id, cents] of [
    ["milk", 100],
    ["tea", 300],
  ] as const) {
    yield* PriceTable.save({ id, cents, version: 0 })
  }
  const shared = Layer.succeedContext(yield* Layer.build(Chaos.layerShared))
  const texts = yield* Queue.unbounded<string | "lost">()
  // What a subscription gives: messages, and a gap after each loss of the connection, the first included.
  const messages = Stream.fromQueue(texts).pipe(
    Stream.map((text) => (text === "lost" ? Invalidations.gap : Invalidations.parse(text))),
  )
  const [search, basket] = yield* LarderTest.nodes(2, ReadPrices.layer, { shared })
  const sightings: Array<Sighting> = []
  const saw = (sighting: Sighting) => Effect.sync(() => void sightings.push(sighting))
  for (const [node, who] of [
    [search, "search"],
    [basket, "basket"],
  ] as const) {
    const read = (id: string) => ReadPrices.get(id)
    yield* Effect.forkScoped(node.run(watch({ who, ids, read, saw })))
  }
  yield* LarderTest.advance(soonMillis)
  const before = pricesOf(sightings, "milk")

  const layer = Owner.layer({ messages, pollInterval: pollMillis })
  const [owner] = yield* LarderTest.nodes(1, layer, { shared })
  yield* Effect.forkScoped(owner.run(watch({ who: "owner", ids, read: known, saw })))
  yield* LarderTest.advance(soonMillis)
  return { ...{ basket, before, messages: texts, owner, search, sightings } }
})

/** The cents that each service saw last; undefined for no price. */
export const pricesOf = (
  sightings: ReadonlyArray<Sighting>,
  id: string,
): ReadonlyArray<number | undefined> => {
  const seen = latest(sightings, id)
  const prices = names.map((who) => seen.get(who) ?? Option.none<Price>())
  return prices.map((price) => Option.getOrUndefined(price)?.cents)
}

/** The cents that the source has. */
export const inSource = (
  id: string,
): Effect.Effect<number | undefined, PriceTable.SourceDown, SqlClient.SqlClient> =>
  Effect.map(PriceTable.find(id), (price) => price?.cents)
