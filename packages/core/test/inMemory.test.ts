/** Callers inspect this node's memory, and invalidate entries by a predicate. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as scripted from "./support/scriptedTier.ts"

interface Page {
  readonly site: string
  readonly path: string
}

const policy = Policy.make({
  freshFor: "10 seconds",
  staleWhileRevalidate: "10 seconds",
  staleIfError: "1 minute",
})

const lengths = (name = "pages") =>
  Larder.make({
    name,
    value: Schema.Finite,
    key: ({ path, site }: Page) => `${site}/${path}`,
    upstream: Upstream.make({ lookup: ({ path }: Page) => Effect.succeed(path.length) }),
    policy,
    tags: (_, { site }) => [site],
  })

const alone = TierStack.layer(MemoryTier.layer())

const page = (path: string, site = "a"): Page => ({ site, path })

const within = <A, E>(effect: Effect.Effect<A, E, TierStack.TierStack | Scope.Scope>) =>
  Effect.andThen(TestClock.setTime(1_790_000_000_000), Effect.scoped(Effect.provide(effect, alone)))

describe("what is in memory", () => {
  it.effect("is told with the keys that were asked for or set, and how good it is", () =>
    within(
      Effect.gen(function* () {
        const larder = yield* lengths()
        const [asked, given] = [page("long"), page("given")]
        yield* larder.get(asked)
        yield* larder.set(given, 7)
        expect(new Set(yield* larder.keys)).toEqual(new Set([asked, given]))
        const one = (yield* larder.entries).find(({ key }) => key === asked)
        expect(one).toMatchObject({
          freshness: { _tag: "Fresh" },
          entry: { value: 4, tags: ["a"] },
        })
        yield* TestClock.adjust("15 seconds")
        expect((yield* larder.entries).map(({ freshness }) => freshness)).toEqual([
          { _tag: "Stale", grace: "revalidate" },
          { _tag: "Stale", grace: "revalidate" },
        ])
      }),
    ),
  )

  it.effect("is what callers may be given: nothing that is past its life, removed or dropped", () =>
    within(
      Effect.gen(function* () {
        const larder = yield* lengths()
        for (const path of ["removed", "kept"]) yield* larder.get(page(path))
        yield* larder.get(page("dropped", "b"))
        yield* larder.remove(page("removed"))
        yield* larder.invalidateTags(["b"], { keepStale: false })
        expect(yield* larder.keys).toEqual([page("kept")])
        const has = (one: Page) => larder.has(one)
        expect(
          yield* Effect.forEach([page("kept"), page("removed"), page("dropped", "b")], has),
        ).toEqual([true, false, false])
        yield* TestClock.adjust("70 seconds")
        expect([yield* larder.keys, yield* has(page("kept"))]).toEqual([[], false])
      }),
    ),
  )

  it.effect("an expired value is there, and is shown as expired", () =>
    within(
      Effect.gen(function* () {
        const larder = yield* lengths()
        yield* larder.get(page("x"))
        yield* larder.invalidateTags(["a"])
        const [one] = yield* larder.entries
        expect(one?.freshness).toEqual({ _tag: "Stale", grace: "error" })
        expect(one?.entry.freshUntil).toBeLessThanOrEqual(1_790_000_000_000)
        expect(yield* larder.has(page("x"))).toBe(true)
      }),
    ),
  )

  it.effect("a look counts nothing, and asks neither upstream nor another tier", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const script = new scripted.Script()
      const tier = Layer.succeedContext(yield* Layer.build(scripted.layer(script)))
      const larder = yield* Effect.provide(lengths(), TierStack.layer(MemoryTier.layer(), tier))
      yield* larder.get(page("x"))
      const before = yield* larder.stats
      script.trips()
      yield* larder.keys
      yield* larder.entries
      yield* larder.has(page("x"))
      yield* larder.has(page("unknown"))
      expect(yield* larder.stats).toEqual(before)
      expect(script.trips()).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.effect("a key that cannot be is an InvalidKey", () =>
    within(
      Effect.gen(function* () {
        const larder = yield* lengths()
        const exit = yield* Effect.exit(larder.has(page("x".repeat(2_000))))
        expect(JSON.stringify(exit)).toContain("InvalidKey")
      }),
    ),
  )

  it.effect("law 22: nothing is told of a larder that is closed", () =>
    within(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const larder = yield* Scope.provide(lengths(), scope)
        yield* Scope.close(scope, Exit.void)
        const exits = yield* Effect.all([
          Effect.exit(larder.keys),
          Effect.exit(larder.entries),
          Effect.exit(larder.has(page("x"))),
        ])
        for (const exit of exits) expect(JSON.stringify(exit)).toContain("LarderClosed")
      }),
    ),
  )
})

describe("invalidateWhen", () => {
  it.effect("expires what the predicate chooses, and nothing else", () =>
    within(
      Effect.gen(function* () {
        const larder = yield* lengths()
        for (const path of ["a", "bb", "ccc"]) yield* larder.get(page(path))
        const done = yield* larder.invalidateWhen(({ entry }) => entry.value >= 2)
        expect(done).toEqual({ keys: 2, settled: true, pending: [] })
        const fresh = (yield* larder.entries).filter(({ freshness }) => freshness._tag === "Fresh")
        expect(fresh.map(({ key }) => key)).toEqual([page("a")])
        expect(yield* larder.has(page("ccc"))).toBe(true)
      }),
    ),
  )

  it.effect("removes it where stale values must not be kept", () =>
    within(
      Effect.gen(function* () {
        const larder = yield* lengths()
        for (const path of ["a", "bb"]) yield* larder.get(page(path))
        yield* larder.invalidateWhen(({ key }) => key.path === "bb", { keepStale: false })
        expect(yield* larder.keys).toEqual([page("a")])
      }),
    ),
  )

  it.effect(
    "law 11: reaches the tiers that nodes share, and says when they have not heard of it",
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_790_000_000_000)
        const script = new scripted.Script()
        const tier = Layer.succeedContext(yield* Layer.build(scripted.layer(script)))
        const node = Effect.provide(lengths(), TierStack.layer(MemoryTier.layer(), tier))
        const [a, b] = [yield* node, yield* node]
        yield* a.get(page("x"))
        yield* a.invalidateWhen(() => true, { keepStale: false })
        expect((yield* b.read(page("x"))).freshness).toEqual({ _tag: "Missing" })
        yield* a.get(page("y"))
        script.instead.write = () => () => Effect.die("away")
        const done = yield* a.invalidateWhen(() => true)
        expect(done).toEqual({ keys: 1, settled: false, pending: ["shared"] })
        delete script.instead.write
        yield* TestClock.adjust("10 seconds")
      }).pipe(Effect.scoped),
  )

  it.effect("a predicate that throws is a defect, and nothing is invalidated", () =>
    within(
      Effect.gen(function* () {
        const larder = yield* lengths()
        for (const path of ["a", "bb"]) yield* larder.get(page(path))
        const exit = yield* Effect.exit(
          larder.invalidateWhen(({ key }) => {
            if (key.path === "bb") throw new Error("broken")
            return true
          }),
        )
        expect(exit).toEqual(Exit.die(new Error("broken")))
        const fresh = (yield* larder.entries).filter(({ freshness }) => freshness._tag === "Fresh")
        expect(fresh.length).toBe(2)
      }),
    ),
  )
})

it.effect("a service has them as accessors", () => {
  class Pages extends Larder.Service<Pages>()("test/Pages", {
    upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(key.length) }),
    policy,
  }) {}
  return Effect.gen(function* () {
    yield* Pages.get("abc")
    expect([yield* Pages.keys, yield* Pages.has("abc")]).toEqual([["abc"], true])
    expect((yield* Pages.entries).map(({ entry }) => entry.value)).toEqual([3])
    expect((yield* Pages.invalidateWhen(() => true, { keepStale: false })).keys).toBe(1)
    expect(yield* Pages.keys).toEqual([])
  }).pipe(Effect.provide(Pages.layer.pipe(Layer.provide(alone))))
})
