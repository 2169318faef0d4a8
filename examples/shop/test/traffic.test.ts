import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Ref } from "effect"
import { TestClock } from "effect/testing"
import type { Shop } from "../src/contenders.ts"
import { Ledger } from "../src/ledger.ts"
import { type Phase, phases } from "../src/phases.ts"
import { productAt } from "../src/product.ts"
import * as Traffic from "../src/traffic.ts"

const trace = { keys: [], requests: Uint32Array.of(1, 2, 3, 4, 5, 6, 7) }

/** A shop that answers each page after the same time, and records the time of each request. */
const shopTaking = (millis: number) =>
  Effect.gen(function* () {
    const visits = yield* Ref.make<ReadonlyArray<readonly [at: number, id: number]>>([])
    const news = yield* Ref.make<ReadonlyArray<number>>([])
    const view = (id: number) => ({
      _tag: "Shown" as const,
      product: productAt(id, 1)!,
      source: "missing" as const,
    })
    const shop: Shop = {
      page: Effect.fnUntraced(function* (id) {
        const at = yield* Clock.currentTimeMillis
        yield* Ref.update(visits, (all) => [...all, [at, id] as const])
        yield* Effect.sleep(millis)
        return view(id)
      }),
      listing: (ids) => Effect.as(Effect.sleep(millis), ids.map(view)),
      newPriceList: Effect.flatMap(Clock.currentTimeMillis, (at) =>
        Ref.update(news, (all) => [...all, at]),
      ),
    }
    return { shop, visits, news }
  })

const laneOf = (name: string, shop: Shop) => ({
  name,
  shop,
  ledger: new Ledger(),
  restart: Effect.void,
})

const replay = (
  lanes: ReadonlyArray<Traffic.Lane>,
  inFlight: number,
  enter: (phase: Phase) => Effect.Effect<void> = () => Effect.void,
  phaseMillis: (phase: Phase) => number = () => 1_000,
) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(
      Effect.scoped(
        Traffic.replay({ trace, from: 0, rate: 10, phaseMillis, inFlight, lanes, enter }),
      ),
      { startImmediately: true },
    )
    for (let step = 0; step < 2_000 && fiber.pollUnsafe() === undefined; step++) {
      yield* TestClock.adjust(10)
    }
    yield* Fiber.join(fiber)
  })

describe("traffic", () => {
  it.effect(
    "makes each request when it is due, to all shops, whether or not earlier ones were answered",
    () =>
      Effect.gen(function* () {
        const quick = yield* shopTaking(0)
        const slow = yield* shopTaking(1_500)
        const lanes = [quick, slow].map(({ shop }, at) => ({
          name: `${at}`,
          shop,
          ledger: new Ledger(),
          restart: Effect.void,
        }))
        yield* replay(lanes, 100)
        const visits = yield* Ref.get(quick.visits)
        assert.deepStrictEqual(yield* Ref.get(slow.visits), visits)
        assert.deepStrictEqual(visits.slice(0, 3), [
          [0, 1],
          [100, 2],
          [200, 3],
        ])
        for (const phase of phases) {
          const figures = lanes.map(({ ledger }) => ledger.close()[phase])
          assert.deepStrictEqual(
            figures.map((of) => of.requests),
            [10, 10],
          )
          assert.deepStrictEqual(
            figures.map((of) => of.failed),
            [0, 0],
          )
          assert.deepStrictEqual(
            figures[1]!.latencies,
            Array.from({ length: 10 }, () => 1_500),
          )
        }
      }),
  )

  it.effect("turns away what is beyond the bound of its shop, and no other's", () =>
    Effect.gen(function* () {
      const quick = laneOf("quick", (yield* shopTaking(10)).shop)
      const slow = laneOf("slow", (yield* shopTaking(950)).shop)
      yield* replay([quick, slow], 5)
      assert.strictEqual(quick.ledger.close().cold.failed, 0)
      const { cold } = slow.ledger.close()
      assert.deepStrictEqual([cold.requests, cold.turnedAway, cold.failed], [10, 5, 5])
    }),
  )

  it.effect(
    "enters the phases in order, and tells the shops of the price change a moment later",
    () =>
      Effect.gen(function* () {
        const { news, shop } = yield* shopTaking(0)
        const entered = yield* Ref.make<ReadonlyArray<readonly [Phase, number]>>([])
        yield* replay([laneOf("shop", shop)], 5, (phase) =>
          Effect.flatMap(Clock.currentTimeMillis, (at) =>
            Ref.update(entered, (all) => [...all, [phase, at] as const]),
          ),
        )
        assert.deepStrictEqual(
          yield* Ref.get(entered),
          phases.map((phase, place) => [phase, place * 1_000] as const),
        )
        assert.deepStrictEqual(yield* Ref.get(news), [7_000 + Traffic.newsMillis])
      }),
  )

  it.effect(
    "a longer phase has more of the requests, and the next one goes on where it ended",
    () =>
      Effect.gen(function* () {
        const { shop, visits } = yield* shopTaking(0)
        const lane = laneOf("shop", shop)
        const millis = (phase: Phase) => (phase === "outage" ? 2_500 : 1_000)
        yield* replay([lane], 5, () => Effect.void, millis)
        const book = lane.ledger.close()
        assert.deepStrictEqual(
          phases.map((phase) => book[phase].requests),
          [10, 10, 10, 10, 25, 10, 10, 10],
        )
        assert.deepStrictEqual(
          (yield* Ref.get(visits)).map(([, id]) => id),
          // One request in ten is a listing.
          Array.from({ length: 95 }, (_, at) => at).flatMap((at) =>
            at % 10 === 9 ? [] : (at % 7) + 1,
          ),
        )
      }),
  )

  it.effect("restarts the shops once, when their phase begins", () =>
    Effect.gen(function* () {
      const { shop } = yield* shopTaking(0)
      const restarts: Array<number> = []
      const restart = Effect.map(Clock.currentTimeMillis, (at) => void restarts.push(at))
      yield* replay([{ ...laneOf("shop", shop), restart }], 5)
      assert.deepStrictEqual(restarts, [phases.indexOf("restart") * 1_000])
    }),
  )

  it.effect("customers who are never answered saw a failure, and do not hold up the end", () =>
    Effect.gen(function* () {
      const shop: Shop = {
        page: () => Effect.never,
        listing: () => Effect.die("broken"),
        newPriceList: Effect.void,
      }
      const ledger = new Ledger()
      yield* replay([{ ...laneOf("shop", shop), ledger }], 100)
      const ended = yield* Clock.currentTimeMillis
      assert.isAtMost(ended, 8_000 + Traffic.lastCallMillis + 10)
      const book = ledger.close()
      for (const phase of phases) assert.strictEqual(book[phase].failed, 10)
    }),
  )
})
