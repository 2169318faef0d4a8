/** Law 12: what another node has removed is given by no node that asks the arbiter, whatever fails. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyTier } from "./support/faultyTier.ts"

const make = (answer: () => Effect.Effect<number, string>) =>
  Larder.make({
    name: "removed",
    value: Schema.Finite,
    policy: Policy.make({ freshFor: "10 seconds", staleIfError: "1 hour" }),
    tags: () => ["t"],
    upstream: Upstream.make({ lookup: (_: string) => Effect.suspend(answer) }),
  })

const reads = {
  get: (larder: Larder.Larder<string, number, string>) => larder.get("k"),
  getMany: (larder: Larder.Larder<string, number, string>) =>
    Effect.flatMap(larder.getMany(["k"]), (exits) => exits.get("k")!),
} as const

describe.each(["memory", "file", "memory and file"])("a node with %s in front", (front) => {
  it.effect.each(Object.entries(reads))("%s: upstream fails, and so does the read", ([, read]) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const shared = Layer.succeedContext(yield* Layer.build(faultyTier(new Faults())))
      const file = Layer.succeedContext(yield* Layer.build(fileLayer(new Faults())))
      const stacks = {
        memory: () => TierStack.layer(MemoryTier.layer(), shared),
        file: () => TierStack.layer(file, shared),
        "memory and file": () => TierStack.layer(MemoryTier.layer(), file, shared),
      }
      let isDown = false
      const larder = yield* Effect.provide(
        make(() => (isDown ? Effect.fail("down") : Effect.succeed(1))),
        stacks[front as keyof typeof stacks](),
      )
      const other = yield* Effect.provide(
        make(() => Effect.succeed(2)),
        TierStack.layer(MemoryTier.layer(), shared),
      )
      yield* larder.get("k")
      yield* TestClock.adjust("20 seconds")
      isDown = true
      expect(yield* read(larder)).toBe(1)
      yield* other.remove("k")
      yield* TestClock.adjust("1 second")
      expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Missing" })
      expect(yield* Effect.exit(read(larder))).toEqual(Exit.fail("down"))
      expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Missing" })
    }).pipe(Effect.scoped),
  )
})

it.effect("a lookup that fails after the message of the removal gives no removed value", () =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const shared = Layer.succeedContext(yield* Layer.build(faultyTier(new Faults())))
    const stack = () => TierStack.layer(MemoryTier.layer(), shared)
    let answer: Effect.Effect<number, string> = Effect.succeed(1)
    const larder = yield* Effect.provide(
      make(() => answer),
      stack(),
    )
    const other = yield* Effect.provide(
      make(() => Effect.succeed(2)),
      stack(),
    )
    yield* larder.get("k")
    yield* TestClock.adjust("20 seconds")
    answer = Effect.delay(Effect.fail("down"), "1 second")
    const caller = yield* Effect.forkChild(Effect.exit(larder.get("k")), {
      startImmediately: true,
    })
    yield* TestClock.adjust("500 millis")
    yield* other.remove("k")
    yield* TestClock.adjust("500 millis")
    expect(yield* Fiber.join(caller)).toEqual(Exit.fail("down"))
  }).pipe(Effect.scoped),
)

it.effect.each(["remove", "set"] as const)(
  "law 11: no `read` that comes after this node's own %s shares the answer of one from before",
  (change) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const faults = new Faults()
      const shared = Layer.succeedContext(yield* Layer.build(faultyTier(faults)))
      const file = Layer.succeedContext(yield* Layer.build(fileLayer(new Faults())))
      const larder = yield* Effect.provide(
        make(() => Effect.succeed(1)),
        TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), file, shared),
      )
      yield* larder.get("k")
      yield* larder.invalidateTags(["t"])
      // The value is in the file alone.
      yield* larder.get("other")
      faults.turn("hang", "all")
      const fork = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.forkChild(effect, { startImmediately: true })
      const changing = yield* fork(
        change === "set" ? Effect.asVoid(larder.set("k", 7)) : Effect.asVoid(larder.remove("k")),
      )
      yield* TestClock.adjust(50)
      const before = yield* fork(larder.read("k"))
      for (let i = 0; i < 20 && changing.pollUnsafe() === undefined; i++) {
        yield* TestClock.adjust(10)
      }
      const isShared = before.pollUnsafe() === undefined
      const after = yield* fork(larder.read("k"))
      yield* TestClock.adjust("1 second")
      const found = yield* Effect.forEach([after, before], Fiber.join)
      faults.turn("none", "all")
      yield* TestClock.adjust("1 minute")
      expect([isShared, ...found.map(({ entry }) => entry?.value)]).toEqual([
        true,
        change === "set" ? 7 : undefined,
        1,
      ])
    }).pipe(Effect.scoped),
)
