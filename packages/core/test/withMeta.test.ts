/** `getWithMeta`: the entry that was answered with, and the tier that had it. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyTier } from "./support/faultyTier.ts"

const start = 1_790_000_000_000

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () => TierStack.layer(MemoryTier.layer(), faultyTier(new Faults())),
  shared: () => TierStack.layer(faultyTier(new Faults())),
  "memory and file": () => TierStack.layer(MemoryTier.layer(), fileLayer(new Faults())),
}

const make = (lookup: () => Effect.Effect<string, string>) =>
  Larder.make({
    name: "meta",
    value: Schema.String,
    policy: Policy.make({
      freshFor: "10 seconds",
      staleWhileRevalidate: "10 seconds",
      staleIfError: "1 minute",
      softTimeout: "100 millis",
    }),
    tags: () => ["t"],
    etag: (value) => `etag of ${value}`,
    upstream: Upstream.make({ lookup: (_: string) => Effect.suspend(lookup) }),
  })

const times = {
  storedAt: start,
  freshUntil: start + 10_000,
  revalidateUntil: start + 20_000,
  staleUntil: start + 70_000,
}

describe.each(Object.entries(stacks))("over %s", (name, stack) => {
  it.effect("a value just looked up comes from upstream, with its times, tags and etag", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const larder = yield* make(() => Effect.succeed("v"))
      const found = yield* larder.getWithMeta("k")
      expect(found).toMatchObject({
        value: "v",
        freshness: { _tag: "Fresh" },
        tier: "upstream",
        age: 0,
        entry: { value: "v", ...times, tags: ["t"], etag: "etag of v" },
      })
      yield* TestClock.adjust("3 seconds")
      const again = yield* larder.getWithMeta("k")
      expect(again).toMatchObject({ age: 3_000, entry: { ...times, version: found.entry.version } })
      expect(again.tier).toBe(name.includes("memory") ? "memory" : "shared")
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )

  it.effect("after a tag invalidation the times say that nothing is fresh any more", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      let isDown = false
      const larder = yield* make(() => (isDown ? Effect.fail("down") : Effect.succeed("v")))
      yield* larder.get("k")
      yield* TestClock.adjust("3 seconds")
      yield* larder.invalidateTags(["t"])
      isDown = true
      const { entry, freshness } = yield* larder.getWithMeta("k")
      expect(freshness).toEqual({ _tag: "Stale", grace: "error" })
      expect(entry).toMatchObject({
        storedAt: start,
        freshUntil: start + 3_000,
        revalidateUntil: start + 3_000,
        staleUntil: start + 70_000,
      })
      expect((yield* larder.read("k")).entry).toEqual(entry)
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )
})

it.effect.each([
  ["fresh", 5_000],
  ["in revalidate grace", 15_000],
  ["in error grace, upstream fails", 30_000],
  ["in error grace, upstream is too slow", 30_000],
] as const)("a value that only the shared tier had, %s, comes from it", ([how, age]) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const built = Layer.succeedContext(yield* Layer.build(faultyTier(new Faults())))
    const other = yield* Effect.provide(
      make(() => Effect.succeed("v")),
      TierStack.layer(MemoryTier.layer(), built),
    )
    yield* other.get("k")
    yield* TestClock.adjust(age)
    const larder = yield* Effect.provide(
      make(() => (how.endsWith("slow") ? Effect.never : Effect.fail("down"))),
      TierStack.layer(MemoryTier.layer(), built),
    )
    const asking = yield* Effect.forkChild(larder.getWithMeta("k"), { startImmediately: true })
    yield* TestClock.adjust(how.endsWith("slow") ? 100 : 0)
    expect(yield* Fiber.join(asking)).toMatchObject({ tier: "shared", entry: times })
    if (how === "fresh") expect(yield* larder.getWithMeta("k")).toMatchObject({ tier: "memory" })
  }).pipe(Effect.scoped),
)

it.effect(
  "a value just looked up that was never fresh has its own times, not those of a mark",
  () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const larder = yield* Larder.make({
        name: "meta",
        value: Schema.String,
        policy: Policy.make({ freshFor: 0, staleWhileRevalidate: "1 minute" }),
        upstream: Upstream.make({ lookup: (_: string) => Effect.succeed("v") }),
      })
      const { entry } = yield* larder.getWithMeta("k")
      expect(entry).toMatchObject({ freshUntil: start, revalidateUntil: start + 60_000 })
    }).pipe(Effect.scoped, Effect.provide(stacks.memory())),
)
