import { describe, expect, it } from "@effect/vitest"
import { Backplane, Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { SqliteTier } from "@larder/sqlite"
import { Chaos, LarderTest, Timeline } from "@larder/testing"
import { Clock, Context, Effect, Layer, Schema } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { failureOf, Prices, Source } from "./support/shop.ts"

class Names extends Context.Service<Names, Larder.Larder<string, string>>()("shop/Names") {}

class Failing extends Larder.Service<Failing>()("shop/Failing", {
  value: Schema.Finite,
  upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }).pipe(
    Chaos.aroundUpstream({ name: "catalogue", faults: { failure: 1 } }),
  ),
  policy: Policy.make({ freshFor: "1 minute" }),
}) {}

const provided = Effect.provide([LarderTest.layer, Source.layer])
const milk = LarderTest.settle(Prices.get("milk"))

describe("nodes", () => {
  it.effect("look a key up once between them, and hear of each other's changes", () =>
    Effect.gen(function* () {
      const [a, b, c] = yield* LarderTest.nodes(3, Prices.layer)
      expect([a.name, b.name, c.name]).toEqual(["A", "B", "C"])
      const all = Effect.forEach([a, b, c], ({ run }) => run(Prices.get("milk")), {
        concurrency: "unbounded",
      })
      expect(yield* LarderTest.settle(all)).toEqual([120, 120, 120])
      yield* Timeline.expect("milk").lookups(1)
      yield* Timeline.expect("milk", { node: "A" }).lookups(1)
      yield* Timeline.expect("milk", { node: "B" }).lookups(0)
      expect((yield* Source).asked).toBe(1)
      yield* a.run(Prices.set("milk", 130))
      yield* LarderTest.idle
      expect(yield* c.run(milk)).toBe(130)
      yield* LarderTest.advance("1 second")
      yield* Timeline.expect("milk").settlesWithin("1 second")
    }).pipe(provided),
  )

  it.effect("have memories of their own", () =>
    Effect.gen(function* () {
      const [a, b] = yield* LarderTest.nodes(2, Prices.layer, { memory: { maxEntries: 7 } })
      yield* a.run(milk)
      expect(yield* a.run(Prices.has("milk"))).toBe(true)
      expect(yield* b.run(Prices.has("milk"))).toBe(false)
      expect((yield* a.run(Prices.stats)).bounds?.maxEntries).toBe(7)
    }).pipe(provided),
  )

  it.effect("have clocks that differ, and durations that do not", () =>
    Effect.gen(function* () {
      const [a, b] = yield* LarderTest.nodes(2, Prices.layer, { skews: [0, 300_000] })
      const time = (node: LarderTest.Node<Prices>) => node.run(Clock.currentTimeMillis)
      expect((yield* time(b)) - (yield* time(a))).toBe(300_000)
      yield* b.run(milk)
      yield* LarderTest.advance("9 seconds")
      yield* a.run(milk)
      yield* b.run(milk)
      yield* Timeline.expect("milk").lookups(1)
      yield* Timeline.expect("milk").neverServedOlderThan("9 seconds")
      yield* b.setSkew(-300_000)
      expect((yield* time(b)) - (yield* time(a))).toBe(-300_000)
      yield* LarderTest.advance("2 seconds")
      yield* b.run(milk)
      yield* LarderTest.advance("1 second")
      yield* Timeline.expect("milk").lookups(2)
    }).pipe(provided),
  )

  it.effect("restart with an empty memory, and the shared tier as it was", () =>
    Effect.gen(function* () {
      const [a] = yield* LarderTest.nodes(1, Prices.layer)
      yield* a.run(milk)
      yield* LarderTest.settle(a.restart)
      expect(yield* a.run(Prices.has("milk"))).toBe(false)
      expect((yield* a.run(Prices.getWithMeta("milk"))).tier).toBe("shared")
      yield* Timeline.expect("milk").lookups(1)
      // Messages reach the node that began again, in its place.
      yield* Chaos.setMessages("A/shared", { lose: 1 })
      yield* LarderTest.advance("4 seconds")
      expect((yield* a.run(Prices.stats)).gaps).toBeGreaterThan(0)
    }).pipe(provided),
  )

  it.effect("restart with the faults of their places as they are", () =>
    Effect.gen(function* () {
      const [a] = yield* LarderTest.nodes(1, Failing.layer)
      const outcome = Effect.map(Effect.exit(a.run(Failing.get("milk"))), ({ _tag }) => _tag)
      // The first faults are on, and stay on.
      expect(yield* outcome).toBe("Failure")
      yield* LarderTest.settle(a.restart)
      expect(yield* outcome).toBe("Failure")
      // Faults that were ended do not come back, nor do the first ones in place of later ones.
      yield* Chaos.calm
      yield* LarderTest.settle(a.restart)
      expect(yield* outcome).toBe("Success")
      yield* Chaos.setUpstream("catalogue", { hang: 1 })
      yield* LarderTest.settle(a.restart)
      const message = yield* failureOf(LarderTest.settle(a.run(Failing.refresh("milk"))))
      expect(message).toContain("LookupTimeout")
    }).pipe(provided),
  )

  const warm = (file: LarderTest.NodesOptions["file"]) =>
    Effect.gen(function* () {
      const [a] = yield* LarderTest.nodes(1, Prices.layer, { file })
      yield* a.run(milk)
      yield* LarderTest.advance("1 second")
      yield* LarderTest.settle(a.restart)
      yield* Chaos.setTier("A/shared", { failure: 1 })
      yield* Chaos.setUpstream("A/catalogue", { failure: 1 })
      // Nothing answers but the file, and it cannot be confirmed: stale-if-error.
      const { freshness, value } = yield* LarderTest.settle(a.run(Prices.getWithMeta("milk")))
      expect([value, freshness._tag]).toEqual([120, "Stale"])
    }).pipe(provided)

  it.effect("have a file each, which outlives a restart", () => warm(true))

  it.effect("have a real file each, if the test gives one", () => {
    const folder = mkdtempSync(join(tmpdir(), "larder-nodes-"))
    const file = ({ name }: LarderTest.NodeInfo) =>
      SqliteTier.layer({ filename: join(folder, `${name}.db`) })
    return Effect.ensuring(
      warm(file),
      Effect.sync(() => rmSync(folder, { recursive: true })),
    )
  })

  it.effect("take a layer of each node's own", () =>
    Effect.gen(function* () {
      const app = ({ index, name }: LarderTest.NodeInfo) =>
        Layer.effect(
          Names,
          Larder.make({
            name: "names",
            value: Schema.String,
            upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(`${name} ${index}`) }),
            policy: Policy.make({ freshFor: "1 minute" }),
          }),
        )
      const [a, b] = yield* LarderTest.nodes(2, app)
      const get = (key: string) => Effect.flatMap(Names, (names) => names.get(key))
      expect(yield* a.run(get("x"))).toBe("A 0")
      expect(yield* b.run(get("y"))).toBe("B 1")
      expect(yield* b.run(get("x"))).toBe("A 0")
    }).pipe(provided),
  )

  it.effect("refuse a number that is none", () =>
    Effect.gen(function* () {
      expect(yield* failureOf(LarderTest.nodes(0, Prices.layer))).toContain(
        "LarderTest: nodes must be an integer of at least 1, got 0",
      )
    }).pipe(provided),
  )

  it.effect("say that the test has no virtual time", () =>
    Effect.gen(function* () {
      const nodes = LarderTest.nodes(2, Prices.layer).pipe(
        Effect.provide(Layer.provideMerge(Chaos.layer, Timeline.layer)),
      )
      expect(yield* failureOf(nodes)).toContain(
        "LarderTest.nodes moves the clock of LarderTest.layer",
      )
    }).pipe(Effect.provide(Source.layer)),
  )
})

describe("nodes with a stack of the application's own", () => {
  const over = (stack: Layer.Layer<TierStack.TierStack>) =>
    LarderTest.nodes(2, Layer.provide(Prices.layer, stack))

  it.effect("share MemoryTier.layerShared, and have a memory each", () =>
    Effect.gen(function* () {
      const [a, b] = yield* over(TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared))
      yield* a.run(milk)
      expect(yield* b.run(Prices.has("milk"))).toBe(false)
      yield* b.run(milk)
      yield* Timeline.expect("milk").lookups(1)
    }).pipe(provided),
  )

  it.effect("share the layer that is the option shared", () =>
    Effect.gen(function* () {
      const shared = MemoryTier.layerSharedWith({ leaseTime: "3 seconds" })
      const stack = TierStack.layer(MemoryTier.layer(), shared)
      const [a, b] = yield* LarderTest.nodes(2, Layer.provide(Prices.layer, stack), { shared })
      yield* a.run(milk)
      yield* b.run(milk)
      yield* Timeline.expect("milk").lookups(1)
    }).pipe(provided),
  )

  it.effect("share a backplane where there is no shared tier", () =>
    Effect.gen(function* () {
      const stack = Layer.merge(TierStack.layer(MemoryTier.layer()), Backplane.layerMemory)
      const [a, b] = yield* LarderTest.nodes(2, Layer.provide(Prices.layer, stack))
      yield* b.run(milk)
      yield* a.run(Prices.remove("milk"))
      yield* LarderTest.idle
      expect(yield* b.run(Prices.has("milk"))).toBe(false)
    }).pipe(provided),
  )

  it.effect("is refused where each node has a shared tier of its own", () =>
    Effect.gen(function* () {
      const fresh = TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared))
      const message = yield* failureOf(over(fresh))
      expect(message).toContain(
        "WronglyShared: LarderTest.nodes: the larders shop/Prices of the nodes A and B do not share the tier shared: what A stored, B did not find",
      )
      const own = TierStack.layer(MemoryTier.layer(), MemoryTier.layerSharedWith())
      expect(yield* failureOf(over(own))).toContain("do not share the tier shared")
    }).pipe(provided),
  )

  for (const [what, read] of [
    ["fails", Effect.fail(new Tier.TierError({ tier: "x", operation: "read", cause: "away" }))],
    ["hangs", Effect.never],
  ] as const) {
    it.effect(`is refused where the tier ${what}, so that nobody knows`, () =>
      Effect.gen(function* () {
        const broken = Layer.effect(
          Tier.Tier,
          Effect.map(Tier.Tier, (tier) => {
            if (tier.kind === "objects") return tier
            const open: typeof tier.open = (options) =>
              Effect.map(tier.open(options), (store) => ({ ...store, read: () => read }))
            return { ...tier, open }
          }),
        ).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared)))
        expect(yield* failureOf(over(TierStack.layer(MemoryTier.layer(), broken)))).toContain(
          "do not share the tier shared",
        )
      }).pipe(provided),
    )
  }

  it.effect("is refused where nothing is shared", () =>
    Effect.gen(function* () {
      expect(yield* failureOf(over(TierStack.layer(MemoryTier.layer())))).toContain(
        "have no shared tier and no backplane, so that they share nothing",
      )
    }).pipe(provided),
  )

  it.effect("is refused where the nodes are one node", () =>
    Effect.gen(function* () {
      const built = yield* Layer.build(TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared))
      expect(yield* failureOf(over(Layer.succeedContext(built)))).toContain(
        "have one and the same tier memory, so that they are one node",
      )
    }).pipe(provided),
  )

  for (const [what, along] of [
    ["LarderTest.layer", LarderTest.layer],
    ["a timeline", Layer.provideMerge(TierStack.layer(MemoryTier.layer()), Timeline.layer)],
  ] as const) {
    it.effect(`is refused where the application brings ${what} along`, () =>
      Effect.gen(function* () {
        expect(yield* failureOf(over(along))).toContain(
          "WronglyShared: LarderTest.nodes: the layer of the application brings LarderTest.layer, or Timeline.layer, along",
        )
      }).pipe(provided),
    )
  }
})
