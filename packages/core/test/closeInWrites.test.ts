/** A larder that closes while the source is being written. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Context, Effect, Exit, Fiber, Layer, Option, References, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { fork } from "./support/twoWays.ts"

type Node = Larder.Larder<string, number>

/** Two nodes over one shared tier; the first closes with `scope`. */
const world = Effect.gen(function* () {
  const built = yield* Layer.build(Layer.fresh(MemoryTier.layerShared))
  const shared = Layer.succeed(Tier.Tier, Context.get(built, Tier.Tier))
  const node = Larder.make({
    name: "nodes",
    value: Schema.Finite,
    upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
    policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 hour" }),
    closeTimeout: "1 second",
  }).pipe(Effect.provide(Layer.fresh(TierStack.layer(MemoryTier.layer(), shared))))
  const scope = yield* Scope.make()
  const a: Node = yield* Scope.provide(node, scope)
  const b: Node = yield* node
  yield* a.set("k", 1)
  expect(yield* b.get("k")).toBe(1)
  return { a, b, scope }
})

const freshOf = (node: Node) =>
  Effect.map(node.read("k"), ({ entry, freshness }) =>
    freshness._tag === "Fresh" ? entry?.value : freshness._tag,
  )

const writes: Readonly<
  Record<string, (node: Node, save: Effect.Effect<number>) => Effect.Effect<unknown, unknown>>
> = {
  around: (node, save) => save.pipe(node.around("k")),
  through: (node, save) => save.pipe(node.through("k")),
  update: (node, save) => node.update("k", () => Effect.map(save, Option.some)),
}

/** The source changes after `millis`, and the effect ends as long after that. */
const saving = (source: { value: number }, millis: number) =>
  Effect.sleep(millis).pipe(
    Effect.andThen(Effect.sync(() => (source.value = 2))),
    Effect.andThen(Effect.sleep(millis)),
    Effect.as(2),
  )

for (const [how, write] of Object.entries(writes)) {
  it.effect(`law 23: a larder waits with its close for the end of ${how}`, () =>
    Effect.gen(function* () {
      const { a, b, scope } = yield* world
      const source = { value: 1 }
      const writing = yield* fork(Effect.exit(write(a, saving(source, 200))))
      yield* TestClock.adjust(300)
      const closing = yield* fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(50)
      expect(closing.pollUnsafe()).toBe(undefined)
      yield* TestClock.adjust(100)
      expect(Exit.isSuccess(yield* Fiber.join(writing))).toBe(true)
      expect(closing.pollUnsafe()).not.toBe(undefined)
      expect(["Missing", 2]).toContain(yield* freshOf(b))
    }).pipe(Effect.scoped),
  )

  it.effect(`law 23: what ${how} is to change is no longer fresh after half of closeTimeout`, () =>
    Effect.gen(function* () {
      const { a, b, scope } = yield* world
      const source = { value: 1 }
      const writing = yield* fork(Effect.exit(write(a, saving(source, 2_000))))
      yield* TestClock.adjust(100)
      const closing = yield* fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1100 millis")
      yield* Fiber.join(closing)
      expect(yield* freshOf(b)).toBe("Stale")
      yield* TestClock.adjust("10 seconds")
      expect(Exit.isFailure(yield* Fiber.join(writing))).toBe(true)
      expect(yield* freshOf(b)).toBe("Stale")
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")),
  )
}

it.effect("no write begins while the larder waits for others, and reads are served", () =>
  Effect.gen(function* () {
    const { a, scope } = yield* world
    const writing = yield* fork(
      Effect.exit(a.update("k", () => Effect.as(Effect.sleep(300), Option.some(2)))),
    )
    const waiting = yield* fork(Effect.exit(a.update("k", () => Effect.succeedSome(3))))
    yield* TestClock.adjust(100)
    const closing = yield* fork(Scope.close(scope, Exit.void))
    for (const write of Object.values(writes)) {
      const exit = yield* Effect.exit(write(a, Effect.succeed(4)))
      expect(String(exit)).toContain("LarderClosed")
    }
    expect(yield* a.get("k")).toBe(1)
    yield* TestClock.adjust(200)
    expect(Exit.isSuccess(yield* Fiber.join(writing))).toBe(true)
    expect(String(yield* Fiber.join(waiting))).toContain("LarderClosed")
    yield* Fiber.join(closing)
  }).pipe(Effect.scoped),
)
