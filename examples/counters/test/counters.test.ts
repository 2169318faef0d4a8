/** What each way of counting promises, on two nodes, in virtual time. */
import { OutboxStore } from "@larder/core"
import { Chaos, LarderTest } from "@larder/testing"
import { describe, expect } from "@effect/vitest"
import { Effect, Layer, Random } from "effect"
import {
  Behind,
  Counter,
  CountWrites,
  layers,
  NewestCounts,
  ways,
  type Way,
} from "../src/counters.ts"
import { Counts } from "../src/counts.ts"
import { type Node, on, Source, test } from "./world.ts"

const pages = ["home", "about", "news"]

const view = (page: string) => Counter.use((counter) => counter.view(page))
const views = (page: string) => Counter.use((counter) => counter.views(page))
const flush = Counter.use((counter) => counter.flush)

const nodes = (way: Way) => LarderTest.nodes(2, layers[way])

const stored = Effect.flatMap(Counts, (counts) => counts.all)

/** Between the steps of one node there is time for those of the other. */
const slowShared = Effect.forEach(
  ["A", "B"],
  (name) => Chaos.setTier(`${name}/shared`, { latency: Chaos.between(0, 4) }),
  { discard: true },
)

const viewTimes = (page: string, times: number) =>
  Effect.forEach(Array.from({ length: times }), () => view(page), { discard: true })

/** Several visitors of each node at the same moment, each of whom views some pages. */
const crowd = (all: ReadonlyArray<Node>, visitors: number, each: number) =>
  Effect.gen(function* () {
    const viewed = new Map<string, number>()
    const visitor = (node: Node) =>
      Effect.gen(function* () {
        for (let n = 0; n < each; n += 1) {
          const page = pages[yield* Random.nextIntBetween(0, pages.length - 1)]!
          yield* Effect.sleep(yield* Random.nextIntBetween(0, 40))
          yield* node.run(view(page))
          viewed.set(page, (viewed.get(page) ?? 0) + 1)
        }
      })
    const everybody = all.flatMap((node) => Array.from({ length: visitors }, () => visitor(node)))
    yield* LarderTest.settle(Effect.all(everybody, { concurrency: "unbounded", discard: true }))
    return viewed
  })

for (const way of ways) {
  describe(way, () => {
    test(
      "a view is seen on every node as soon as it is counted",
      Effect.gen(function* () {
        const [a, b] = yield* nodes(way)
        expect(yield* on(b, views("home"))).toBe(0)
        yield* on(a, view("home"))
        expect(yield* on(b, views("home"))).toBe(1)
        yield* on(b, view("home"))
        expect(yield* on(a, views("home"))).toBe(2)
      }),
    )

    for (let seed = 1; seed <= 4; seed += 1) {
      const where = way === "behind" ? "one node" : "both nodes"
      test(
        `views at the same moment on ${where} are all counted once, seed ${seed}`,
        Effect.gen(function* () {
          const all = yield* nodes(way)
          yield* slowShared
          const viewed = yield* crowd(way === "behind" ? [all[0]] : all, 6, 16)
          for (const node of all) {
            for (const [page, count] of viewed) expect(yield* on(node, views(page))).toBe(count)
          }
          yield* on(all[0], flush)
          expect(yield* stored).toEqual(viewed)
          for (const node of all) {
            for (const [page, count] of viewed) expect(yield* on(node, views(page))).toBe(count)
          }
        }),
        seed,
      )
    }
  })
}

for (const way of ["behind", "merged"] as const) {
  describe(`${way}, which tells the source later,`, () => {
    test(
      "a hundred views of a page are one row",
      Effect.gen(function* () {
        const [a] = yield* nodes(way)
        const { written } = yield* Counts
        yield* on(a, views("home"))
        yield* on(a, viewTimes("home", 100))
        yield* on(a, flush)
        expect(yield* stored).toEqual(new Map([["home", 100]]))
        expect(yield* written).toBe(1)
      }),
    )

    test(
      "goes on while the source takes no writes",
      Effect.gen(function* () {
        const [a, b] = yield* nodes(way)
        const source = yield* Source
        yield* on(a, viewTimes("home", 2))
        yield* on(a, flush)
        // Nothing that a lookup needs may have to be asked for.
        expect(yield* on(a, views("home"))).toBe(2)
        source.isDown = true
        yield* on(a, viewTimes("home", 3))
        yield* LarderTest.advance("2 seconds")
        source.isDown = false
        expect(yield* on(b, views("home"))).toBe(5)
        yield* on(b, flush)
        expect(yield* stored).toEqual(new Map([["home", 5]]))
      }),
    )

    test(
      "the views of a node that was killed are written by another, which has the same outbox",
      Effect.gen(function* () {
        const [a, b] = yield* nodes(way)
        yield* on(a, viewTimes("home", 7))
        yield* a.kill
        expect(yield* stored).toEqual(new Map())
        yield* LarderTest.advance("5 seconds")
        expect(yield* stored).toEqual(new Map([["home", 7]]))
        expect(yield* on(b, views("home"))).toBe(7)
      }),
    )

    test(
      "an outbox in the memory of a node that was killed is lost with it: what was not flushed",
      Effect.gen(function* () {
        const own = layers[way].pipe(Layer.provide(Layer.fresh(OutboxStore.layerMemory)))
        const [a] = yield* LarderTest.nodes(2, () => own)
        yield* on(a, viewTimes("home", 7))
        yield* on(a, flush)
        yield* on(a, viewTimes("home", 4))
        yield* a.kill
        yield* LarderTest.advance("5 seconds")
        expect(yield* stored).toEqual(new Map([["home", 7]]))
      }),
    )
  })
}

describe("reading a count, adding one and putting it", () => {
  test(
    "loses views",
    Effect.gen(function* () {
      const naive = Layer.effect(
        Counter,
        Effect.gen(function* () {
          const counts = yield* Behind
          const writes = yield* CountWrites
          return Counter.of({
            view: (page) =>
              Effect.flatMap(counts.get(page), (count) => writes.put(page, count + 1)),
            views: (page) => counts.get(page),
            flush: writes.flush,
          })
        }),
      ).pipe(
        Layer.provide(CountWrites.layer),
        Layer.provide(Behind.layer),
        Layer.provide(NewestCounts.layer),
      )
      const all = yield* LarderTest.nodes(2, naive)
      yield* slowShared
      const viewed = yield* crowd(all, 4, 12)
      yield* on(all[0], flush)
      const total = (counts: ReadonlyMap<string, number>) =>
        [...counts.values()].reduce((sum, one) => sum + one, 0)
      expect(total(viewed)).toBe(96)
      expect(total(yield* stored)).toBeLessThan(96)
    }),
  )
})
