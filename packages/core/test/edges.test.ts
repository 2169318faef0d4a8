/** Cases that random sequences meet too seldom to rely on them alone. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, Fiber, Layer, Logger, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyTier } from "./support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const make = (
  lookup: (key: string, n: number) => Effect.Effect<number>,
  policy: Omit<Policy.Options, "freshFor"> & { readonly freshFor?: number } = {},
) => {
  let asked = 0
  return Larder.make({
    name: "edges",
    value: Schema.Finite,
    policy: Policy.make({ freshFor: 200, hardTimeout: 300, ...policy }),
    tags: () => ["t"],
    upstream: Upstream.make({ lookup: (key: string) => lookup(key, (asked += 1)) }),
  })
}

it.effect(
  "law 8: many keys, looked up one by one, are given up when the one who asked leaves",
  () =>
    Effect.gen(function* () {
      let interrupted = 0
      const never = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted += 1)))
      const larder = yield* make(() => never)
      const asking = yield* fork(larder.getMany(["a", "b"]))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(asking)
      yield* Effect.yieldNow
      expect(interrupted).toBe(2)
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(faultyTier(new Faults())))),
)

it.effect("law 22: a change that is under way is written before the larder is closed", () => {
  const faults = new Faults()
  return Effect.gen(function* () {
    const scope = yield* Scope.make()
    const larder = yield* Scope.provide(
      make((_, n) => Effect.succeed(n)),
      scope,
    )
    faults.turn("slow", "all")
    const setting = yield* fork(larder.set("a", 1))
    const closing = yield* fork(Scope.close(scope, Exit.void))
    yield* TestClock.adjust(50)
    expect(closing.pollUnsafe()).toBe(undefined)
    yield* TestClock.adjust(50)
    yield* Fiber.join(closing)
    expect(yield* Fiber.join(setting)).toMatchObject({ settled: true })
    const { written } = faults
    yield* TestClock.adjust(10_000)
    expect(faults.written).toBe(written)
  }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(), faultyTier(faults))))
})

it.effect(
  "law 12: what is expired while it is on its way to the arbiter is kept for error grace",
  () => {
    const faults = new Faults()
    return Effect.gen(function* () {
      const larder = yield* make((_, n) => Effect.succeed(n), { staleIfError: 10_000 })
      faults.turn("slow", "writes")
      const asking = yield* fork(larder.get("a"))
      expect(yield* Fiber.join(asking)).toBe(1)
      faults.turn("none", "all")
      const expiring = yield* fork(larder.expire("a"))
      yield* TestClock.adjust(50)
      expect(yield* Fiber.join(expiring)).toMatchObject({ settled: true })
      const { entry, freshness } = yield* larder.read("a")
      expect([freshness, entry?.value]).toEqual([{ _tag: "Stale", grace: "error" }, 1])
      expect(yield* larder.get("a")).toBe(2)
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer(), faultyTier(faults))))
  },
)

for (const [name, layer] of [
  ["an arbiter", faultyTier],
  ["a mere file", fileLayer],
] as const) {
  const stack = Effect.map(Layer.build(layer(new Faults())), (tier) =>
    TierStack.layer(MemoryTier.layer(), Layer.succeedContext(tier)),
  )
  const once = <A, E>(
    stack: Layer.Layer<TierStack.TierStack>,
    use: (larder: Effect.Success<ReturnType<typeof make>>) => Effect.Effect<A, E>,
  ) =>
    Effect.scoped(
      Effect.flatMap(
        make((_, n) => Effect.succeed(n), { freshFor: 10_000 }),
        use,
      ),
    ).pipe(Effect.provide(stack))

  it.effect(
    `law 22: what was looked up is in ${name}, though its caller closes the larder at once`,
    () =>
      Effect.gen(function* () {
        const tiers = yield* stack
        yield* once(tiers, (larder) => larder.get("a"))
        const { entry } = yield* once(tiers, (larder) => larder.read("a"))
        expect(entry?.value).toBe(1)
      }).pipe(Effect.scoped),
  )

  it.effect(`law 11: what its caller removes at once does not stay in ${name}`, () =>
    Effect.gen(function* () {
      const tiers = yield* stack
      yield* once(tiers, (larder) => Effect.andThen(larder.get("a"), larder.remove("a")))
      const { entry } = yield* once(tiers, (larder) => larder.read("a"))
      expect(entry).toBe(undefined)
    }).pipe(Effect.scoped),
  )
}

it.effect("law 22: closing as the first thing after an answer reports nothing left behind", () => {
  const faults = new Faults()
  const said: Array<unknown> = []
  const logger = Logger.make(({ message }) => said.push(message))
  return Effect.gen(function* () {
    const once = Effect.scoped(
      Effect.flatMap(
        make((_, n) => Effect.succeed(n), { freshFor: 10_000 }),
        (larder) => larder.get("a"),
      ),
    )
    yield* once
    faults.turn("slow", "reads")
    const asking = yield* fork(once)
    yield* TestClock.adjust(50)
    expect(yield* Fiber.join(asking)).toBe(1)
    expect(said).toEqual([])
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        TierStack.layer(MemoryTier.layer(), faultyTier(faults)),
        Logger.layer([logger]),
      ),
    ),
  )
})

it.effect("law 3: who joined a refresh that fails is given what a farther tier has", () => {
  let down = false
  return Effect.gen(function* () {
    const larder = yield* make(
      (_, n) => (down ? Effect.delay(Effect.die("down"), 100) : Effect.succeed(n)),
      { staleIfError: 1_000 },
    )
    yield* larder.get("a")
    yield* TestClock.adjust(200)
    down = true
    const refreshing = yield* fork(Effect.exit(larder.refresh("a")))
    const joining = yield* fork(larder.get("a"))
    yield* TestClock.adjust(200)
    const exit = yield* Fiber.join(refreshing)
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBe("down")
    expect(yield* Fiber.join(joining)).toBe(1)
  }).pipe(Effect.scoped, Effect.provide(TierStack.layer(faultyTier(new Faults()))))
})

it.effect("64 values at most are on their way to the arbiter at once, the others wait", () => {
  const faults = new Faults()
  return Effect.gen(function* () {
    const larder = yield* make((_, n) => Effect.succeed(n), { freshFor: 10_000 })
    const commits = () => faults.trips.filter((trip) => trip === "commit").length
    faults.turn("slow", "writes")
    yield* larder.getMany(Array.from({ length: 100 }, (_, i) => `k${i}`))
    expect(commits()).toBe(64)
    yield* TestClock.adjust(50)
    expect(commits()).toBe(100)
    yield* TestClock.adjust(50)
  }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer(), faultyTier(faults))))
})
