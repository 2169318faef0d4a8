/** What the services promise each other, in virtual time. Nothing expires in it: owner and followers count in minutes. */
import { Invalidations } from "@larder/core"
import { LarderTest } from "@larder/testing"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Queue } from "effect"
import { SqlClient } from "effect/sql"
import { changing, guarded, type Wanted } from "../src/changing.ts"
import { ReadPrices } from "../src/follower.ts"
import { larderName } from "../src/price.ts"
import * as PriceTable from "../src/priceTable.ts"
import { wentBack } from "../src/sighting.ts"
import type { Way } from "../src/way.ts"
import { inSource, inWorld, open, pollMillis, pricesOf, soonMillis, test } from "./world.ts"

const soon = LarderTest.advance(soonMillis)
const message = (...keys: ReadonlyArray<string>) =>
  Invalidations.stringify({ larder: larderName, keys })

describe("a follower", () => {
  test(
    "has no upstream: a miss is None, until the owner has looked up",
    Effect.gen(function* () {
      const { before, search, sightings } = yield* open
      expect(before).toEqual([undefined, undefined, undefined])
      expect(pricesOf(sightings, "milk")).toEqual([100, 100, 100])
      expect(yield* LarderTest.settle(search.run(ReadPrices.get("soap")))).toEqual(Option.none())
      const stats = yield* search.run(ReadPrices.stats)
      expect(stats.lookupsSucceeded + stats.lookupsFailed).toBe(0)
    }),
  )
})

describe("both followers see, without anything expiring,", () => {
  test(
    "a change through the owner",
    Effect.gen(function* () {
      const { owner, sightings } = yield* open
      yield* owner.run(guarded({ id: "milk", cents: 110, heldUp: 0 }))
      yield* soon
      expect(pricesOf(sightings, "milk")).toEqual([110, 110, 110])
      expect(pricesOf(sightings, "tea")).toEqual([300, 300, 300])
    }),
  )

  test(
    "a change that a publisher tells of, long before the table of changes is read",
    Effect.gen(function* () {
      const { messages, sightings } = yield* open
      yield* PriceTable.setCents("tea", 330)
      yield* Queue.offer(messages, message("tea"))
      yield* soon
      expect(pricesOf(sightings, "tea")).toEqual([330, 330, 330])
    }),
  )

  test(
    "a change that nobody tells of, once the table of changes is read",
    Effect.gen(function* () {
      const { sightings } = yield* open
      yield* PriceTable.raiseAll(10)
      yield* soon
      expect(pricesOf(sightings, "milk")).toEqual([100, 100, 100])
      yield* LarderTest.advance(pollMillis)
      expect(pricesOf(sightings, "milk")).toEqual([110, 110, 110])
      expect(pricesOf(sightings, "tea")).toEqual([330, 330, 330])
    }),
  )

  test(
    "what the owner missed while its process was down",
    Effect.gen(function* () {
      const { owner, sightings } = yield* open
      yield* owner.kill
      yield* PriceTable.raiseAll(10)
      yield* LarderTest.advance("2 seconds")
      expect(pricesOf(sightings, "milk")).toEqual([100, 100, 100])
      yield* LarderTest.settle(owner.restart)
      yield* soon
      expect(pricesOf(sightings, "milk").slice(1)).toEqual([110, 110])
    }),
  )
})

describe("the owner, on which followers depend,", () => {
  test(
    "removes a price that the source no longer has",
    Effect.gen(function* () {
      const { sightings } = yield* open
      const sql = yield* SqlClient.SqlClient
      yield* sql`DELETE FROM price WHERE id = 'tea'`
      yield* LarderTest.advance(pollMillis)
      expect(pricesOf(sightings, "tea")).toEqual([undefined, undefined, undefined])
      expect(pricesOf(sightings, "milk")).toEqual([100, 100, 100])
    }),
  )

  test(
    "looks a change up once the source answers again; until then the old price is served",
    Effect.gen(function* () {
      const { messages, sightings } = yield* open
      const sql = yield* SqlClient.SqlClient
      yield* PriceTable.setCents("tea", 330)
      yield* sql`ALTER TABLE price RENAME TO away`
      yield* Queue.offer(messages, message("tea"))
      yield* LarderTest.advance("2 seconds")
      expect(pricesOf(sightings, "tea")).toEqual([300, 300, 300])
      yield* sql`ALTER TABLE away RENAME TO price`
      yield* LarderTest.advance("1 second")
      expect(pricesOf(sightings, "tea")).toEqual([330, 330, 330])
    }),
  )
})

describe("law 29: a gap in the feed is a message that everything has changed", () => {
  test(
    "a message that was lost with its connection is made up for by the gap after it",
    Effect.gen(function* () {
      const { messages, sightings } = yield* open
      yield* PriceTable.setCents("milk", 110)
      yield* PriceTable.setCents("tea", 330)
      yield* soon
      expect(pricesOf(sightings, "milk")).toEqual([100, 100, 100])
      yield* Queue.offer(messages, "lost")
      yield* soon
      expect(pricesOf(sightings, "milk")).toEqual([110, 110, 110])
      expect(pricesOf(sightings, "tea")).toEqual([330, 330, 330])
    }),
  )

  test(
    "a change whose keys cannot be read concerns all prices",
    Effect.gen(function* () {
      const { messages, sightings } = yield* open
      yield* PriceTable.setCents("milk", 110)
      yield* Queue.offer(messages, '{"v":2,"larder":"shop/Prices","which":["milk"]}')
      yield* soon
      expect(pricesOf(sightings, "milk")).toEqual([110, 110, 110])
    }),
  )
})

/** A change that is held up, and another that begins later and ends first. */
const overtaking = (way: Way) =>
  Effect.gen(function* () {
    const { owner, sightings } = yield* open
    const change = (wanted: Omit<Wanted, "id">) =>
      owner.run(changing[way]({ id: "milk", ...wanted }))
    const late = yield* Effect.forkChild(Effect.exit(change({ cents: 115, heldUp: "2 seconds" })))
    yield* LarderTest.advance("1 second")
    yield* change({ cents: 125, heldUp: 0 })
    yield* soon
    expect(pricesOf(sightings, "milk")).toEqual([125, 125, 125])
    yield* LarderTest.advance("2 seconds")
    const exit = yield* Fiber.join(late)
    return { exit, sightings, source: yield* inSource("milk") }
  })

describe("a change that was held up, and that a newer one has overtaken,", () => {
  test(
    "does not bring its price back: the source refuses it, and no reader loses what it has",
    Effect.gen(function* () {
      const { exit, sightings, source } = yield* overtaking("guarded")
      expect(exit).toEqual(Exit.fail(new PriceTable.Overtaken({ id: "milk" })))
      expect(source).toBe(125)
      expect(pricesOf(sightings, "milk")).toEqual([125, 125, 125])
      expect(wentBack(sightings)).toEqual([])
      const none = sightings.filter(({ at, price }) => at > soonMillis && Option.isNone(price))
      expect(none).toEqual([])
    }),
  )

  test(
    "is not too late for one that has no token: its price has the higher version, and all see it",
    Effect.gen(function* () {
      const { messages, owner, sightings } = yield* open
      const late = guarded({ id: "milk", cents: 115, heldUp: "2 seconds" })
      const changing = yield* Effect.forkChild(owner.run(late))
      yield* LarderTest.advance("1 second")
      yield* PriceTable.setCents("milk", 120)
      yield* Queue.offer(messages, message("milk"))
      yield* soon
      expect(pricesOf(sightings, "milk")).toEqual([120, 120, 120])
      yield* LarderTest.advance("2 seconds")
      expect(yield* Fiber.join(changing)).toMatchObject({ cents: 115 })
      expect(pricesOf(sightings, "milk")).toEqual([115, 115, 115])
      expect(wentBack(sightings)).toEqual([])
    }),
  )

  it("happens in the same way each time", async () => {
    // Outside of `it.effect` each run has a clock of its own.
    const once = () => Effect.runPromise(inWorld(overtaking("guarded")))
    const first = await once()
    expect(first.sightings.length).toBeGreaterThan(10)
    expect(await once()).toEqual(first)
  })

  test(
    "brings its price back without `WHERE version < $version`, in the source as well",
    Effect.gen(function* () {
      const { exit, sightings, source } = yield* overtaking("unguarded")
      expect(Exit.isSuccess(exit)).toBe(true)
      expect(source).toBe(115)
      expect(pricesOf(sightings, "milk")).toEqual([115, 115, 115])
      expect(wentBack(sightings).map(({ sighting }) => sighting.who)).toEqual(
        expect.arrayContaining(["owner", "search", "basket"]),
      )
    }),
  )

  test(
    "brings its price back by a set after the save, though the source has the newer one",
    Effect.gen(function* () {
      const { sightings, source } = yield* overtaking("set")
      expect(source).toBe(125)
      expect(pricesOf(sightings, "milk")).toEqual([115, 115, 115])
      expect(wentBack(sightings)).toHaveLength(3)
      // The table of changes has both, and mends it; without it the old price would stay for a day.
      yield* LarderTest.advance(pollMillis)
      expect(pricesOf(sightings, "milk")).toEqual([125, 125, 125])
    }),
  )
})
