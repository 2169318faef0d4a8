/** `around`: what becomes of keys and tags when an effect has changed the source, or may have. */
import { expect, it } from "@effect/vitest"
import { InvalidOptions, Larder } from "@larder/core"
import { Cause, Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { expectTypeOf } from "vitest"
import { Faults } from "./support/faultyTier.ts"
import { lardersOf, passing } from "./support/sourceWorld.ts"
import { fork, law, type Node } from "./support/twoWays.ts"

const freshness = (node: Node, key = "k") =>
  Effect.map(node.read(key), ({ freshness }) =>
    freshness._tag === "Stale" ? freshness.grace : freshness._tag,
  )

law("law 23: a success removes the keys on every node, and marks the tags", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    const b = yield* join()
    yield* a.set("k", 1)
    yield* a.set("l", 2)
    expect(yield* freshness(b)).toBe("Fresh")
    const saved = Effect.succeed("saved").pipe(a.around({ keys: ["k"], tags: ["v2"] }))
    expect(yield* saved).toBe("saved")
    expect(yield* freshness(a)).toBe("Missing")
    expect(yield* freshness(b)).toBe("Missing")
    expect(yield* freshness(b, "l")).toBe("error")
  }),
)

law("keepStale: what was deleted is served by no node, also where upstream fails", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    const b = yield* join()
    yield* a.set("l", 2)
    expect(yield* freshness(b, "l")).toBe("Fresh")
    yield* Effect.void.pipe(a.around({ tags: "v2" }, { keepStale: false }))
    expect(yield* freshness(a, "l")).toBe("Missing")
    expect(yield* freshness(b, "l")).toBe("Missing")
  }),
)

law("keepStale: where nobody knows whether it was deleted, it may be served stale", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    yield* a.set("l", 2)
    const target = { keys: ["l"], tags: "v2" }
    yield* Effect.exit(Effect.fail("no").pipe(a.around(target, { keepStale: false })))
    expect(yield* freshness(a, "l")).toBe("error")
    yield* a.set("l", 2)
    const options = { before: "expire", keepStale: false, untouched: () => true } as const
    yield* Effect.exit(Effect.fail("no").pipe(a.around(target, options)))
    expect(yield* freshness(a, "l")).toBe("error")
  }),
)

for (const [how, effect] of [
  ["fails", Effect.fail("no")],
  ["dies", Effect.die("no")],
  ["is interrupted", Effect.interrupt],
] as const) {
  law(
    `law 23: an effect that ${how} may have changed the source: its keys are expired`,
    ({ join }) =>
      Effect.gen(function* () {
        const a = yield* join()
        const b = yield* join()
        yield* a.set("k", 1)
        yield* freshness(b)
        const exit = yield* Effect.exit(effect.pipe(a.around("k")))
        expect(Exit.isFailure(exit)).toBe(true)
        expect(yield* freshness(a)).toBe("error")
        expect(yield* freshness(b)).toBe("error")
      }),
  )
}

law(
  "an error that `untouched` names leaves the keys as they are; a defect beside it does not",
  ({ join }) =>
    Effect.gen(function* () {
      const a = yield* join()
      yield* a.set("k", 1)
      const untouched = (error: unknown) => error === "invalid"
      yield* Effect.exit(Effect.fail("invalid").pipe(a.around("k", { untouched })))
      expect(yield* freshness(a)).toBe("Fresh")
      const both = Effect.failCause(Cause.combine(Cause.fail("invalid"), Cause.die("and more")))
      yield* Effect.exit(both.pipe(a.around("k", { untouched })))
      expect(yield* freshness(a)).toBe("error")
      yield* a.set("k", 1)
      yield* Effect.exit(Effect.fail("other").pipe(a.around("k", { untouched })))
      expect(yield* freshness(a)).toBe("error")
    }),
)

law("an `untouched` that throws counts as no", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    yield* a.set("k", 1)
    const untouched = () => {
      throw new Error("a mistake")
    }
    const exit = yield* Effect.exit(Effect.fail("no").pipe(a.around("k", { untouched })))
    expect(exit).toStrictEqual(Exit.fail("no"))
    expect(yield* freshness(a)).toBe("error")
  }),
)

law("expired before, the old value is not fresh while the effect runs, on any node", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    const b = yield* join()
    yield* a.set("k", 1)
    yield* freshness(b)
    const gate = yield* Deferred.make<void>()
    const writing = yield* fork(Deferred.await(gate).pipe(a.around("k", { before: "expire" })))
    yield* TestClock.adjust(1)
    expect(yield* freshness(b)).toBe("error")
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(writing)
    expect(yield* freshness(b)).toBe("Missing")
  }),
)

law(
  "an arbiter that is away: the effect has run, `settled` tells, and the change follows",
  ({ join }) =>
    Effect.gen(function* () {
      const faults = new Faults()
      const a = yield* join(faults)
      const b = yield* join()
      yield* a.set("k", 1)
      yield* freshness(b)
      faults.turn("fail", "all")
      let runs = 0
      const save = Effect.sync(() => {
        runs += 1
        return runs
      })
      const required = yield* fork(Effect.exit(save.pipe(a.around("k", { require: "settled" }))))
      yield* TestClock.adjust(500)
      const exit = yield* Fiber.join(required)
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      expect(error).toBeInstanceOf(Larder.NotSettled)
      expect(error).toMatchObject({ larder: "nodes", pending: ["shared"] })
      const sent = yield* fork(save.pipe(a.around("k")))
      yield* TestClock.adjust(500)
      expect(yield* Fiber.join(sent)).toBe(2)
      expect(yield* freshness(b)).toBe("Fresh")
      faults.turn("none", "all")
      yield* TestClock.adjust("10 seconds")
      expect(yield* freshness(b)).toBe("Missing")
    }),
)

law("an invalid key fails before the effect runs, and changes no other key", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    yield* a.set("k", 1)
    let ran = false
    const save = Effect.sync(() => {
      ran = true
    })
    const error = yield* Effect.flip(save.pipe(a.around({ keys: ["k", "a\n"] })))
    expect(error).toBeInstanceOf(Larder.InvalidKey)
    expect(ran).toBe(false)
    expect(yield* freshness(a)).toBe("Fresh")
  }),
)

it.effect("keys that are objects are keys, unless they are a target's", () =>
  Effect.gen(function* () {
    const [larder] = yield* lardersOf(1, () => Effect.succeed(1))
    yield* larder!.get("k")
    yield* Effect.void.pipe(larder!.around({ tags: "none" }))
    expect(yield* larder!.has("k")).toBe(true)
    const asTarget = { keys: ["k"] }
    yield* Effect.void.pipe(larder!.around(asTarget))
    expect(yield* larder!.has("k")).toBe(false)
  }).pipe(Effect.scoped),
)

it.effect("each mistake in its arguments is named, and the effect does not run", () =>
  Effect.gen(function* () {
    const [larder] = yield* lardersOf(1, () => Effect.succeed(1))
    const around = larder!.around as (
      ...args: ReadonlyArray<unknown>
    ) => (effect: unknown) => Effect.Effect<unknown, unknown>
    let ran = false
    const save = Effect.sync(() => {
      ran = true
    })
    const mistakeOf = (effect: Effect.Effect<unknown, unknown>) =>
      Effect.map(Effect.exit(effect), (exit) => {
        const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        expect(defect).toBeInstanceOf(InvalidOptions)
        return (defect as InvalidOptions).message
      })
    expect(yield* mistakeOf(around("k", { before: "remove" })(save))).toContain(
      'before of "products" must be "nothing" or "expire", got "remove"',
    )
    expect(yield* mistakeOf(around("k", { require: true })(save))).toContain('"sent" or "settled"')
    expect(yield* mistakeOf(around("k", { keepStale: 1 })(save))).toContain("true or false")
    expect(yield* mistakeOf(around("k", { untouched: 1 })(save))).toContain("function of an error")
    expect(yield* mistakeOf(around("k", { requires: "settled" })(save))).toContain(
      "did you mean `require`",
    )
    expect(yield* mistakeOf(around({ keys: "k" })(save))).toContain("array of keys")
    expect(yield* mistakeOf(around({ tags: 1 })(save))).toContain("array of tags")
    expect(yield* mistakeOf(around({ tag: ["a"] })(save))).toBe(
      'Larder: around.tag of "products" is an unknown option; did you mean `tags`?',
    )
    for (const target of [{}, [], ["k"], new Set(["k"])]) {
      expect(yield* mistakeOf(around(target)(save))).toContain(
        'around of "products" must get a key, or an object with `keys`, `tags` or both',
      )
    }
    expect(yield* mistakeOf(around("k")("save"))).toContain("be applied to an Effect")
    expect(ran).toBe(false)
  }).pipe(Effect.scoped),
)

it.effect(
  "a larder that closes while the effect runs: the caller learns that the cache was not told",
  () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const [larder] = yield* lardersOf(2, () => Effect.succeed(1)).pipe(Scope.provide(scope))
      // The larder waits for the effect, which waits for it, up to closeTimeout.
      const closing = Scope.close(scope, Exit.void).pipe(larder!.around("k"))
      const exit = yield* passing(Effect.exit(closing), 100)
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBeInstanceOf(Larder.LarderClosed)
      let ran = false
      const late = Effect.sync(() => {
        ran = true
      })
      yield* Effect.exit(late.pipe(larder!.around("k")))
      expect(ran).toBe(false)
    }),
)

it.effect("by type it fails with NotSettled only where `settled` is required", () =>
  Effect.gen(function* () {
    const [larder] = yield* lardersOf(1, () => Effect.succeed(1))
    const save: Effect.Effect<string, "refused"> = Effect.succeed("saved")
    const plain = save.pipe(
      // The error's type is known in the function.
      larder!.around("k", { before: "expire", untouched: (error) => error === "refused" }),
    )
    const settled = save.pipe(larder!.around("k", { require: "settled" }))
    expectTypeOf(plain).toEqualTypeOf<Effect.Effect<string, "refused" | Larder.InvalidKey>>()
    expectTypeOf(settled).toEqualTypeOf<
      Effect.Effect<string, "refused" | Larder.InvalidKey | Larder.NotSettled>
    >()
    expect(yield* Effect.all([plain, settled])).toEqual(["saved", "saved"])
  }).pipe(Effect.scoped),
)
