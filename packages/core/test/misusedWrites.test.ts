/** Writes of the source whose function returns what it must not, and writes of a key inside each other. */
import { describe, expect, it } from "@effect/vitest"
import {
  AfterCommit,
  InvalidOptions,
  Larder,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { Cause, Deferred, Effect, Exit, Fiber, Option, References, Schema } from "effect"
import { lardersOf, passing } from "./support/sourceWorld.ts"
import { fork } from "./support/twoWays.ts"

/** One node over memory alone, or the first of two over a shared tier. */
const worlds = [
  ["memory alone", 1],
  ["a shared tier", 2],
] as const

type Node = Larder.Larder<string, number>

/** The one defect with which a call ends. */
const defectOf = (call: Effect.Effect<unknown, unknown>) =>
  Effect.map(passing(Effect.exit(call)), (exit) => {
    const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
    const defect = reason !== undefined && Cause.isDieReason(reason) ? reason.defect : undefined
    return defect instanceof InvalidOptions ? defect : undefined
  })

const some = Effect.succeedSome(2)

for (const [where, nodes] of worlds) {
  describe(`over ${where}`, () => {
    const returns = (got: unknown) => () => got as Effect.Effect<never>
    const succeeds = (got: unknown) => () => Effect.succeed(got as Option.Option<number>)
    const misuses: Readonly<Record<string, (node: Node) => Effect.Effect<unknown, unknown>>> = {
      "through of a number": (node) => node.through("k")(returns(5)),
      "through of a promise": (node) => node.through("k")(returns(Promise.resolve(5))),
      "update of a promise": (node) => node.update("k", returns(Promise.resolve(5))),
      "update of undefined": (node) => node.update("k", returns(undefined)),
      "update that makes a number": (node) => node.update("k", succeeds(5)),
      "update that makes null": (node) => node.update("k", succeeds(null)),
    }
    for (const [what, misuse] of Object.entries(misuses)) {
      it.effect(`no call hangs after a function without an effect: ${what}`, () =>
        Effect.gen(function* () {
          const [node] = yield* lardersOf(nodes, () => Effect.succeed(1))
          yield* node!.get("k")
          const defect = yield* defectOf(misuse(node!))
          expect(defect?.field).toBe(what.split(" ")[0])
          expect(defect?.reason).not.toContain("5")
          expect(yield* passing(Effect.succeed(7).pipe(node!.through("k")))).toBe(7)
          expect(yield* passing(node!.update("k", () => some))).toEqual(Option.some(2))
          expect(yield* node!.get("k")).toBe(2)
        }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")),
      )
    }

    const nested: Readonly<Record<string, (node: Node) => Effect.Effect<unknown, unknown>>> = {
      "update in update": (node) => node.update("k", () => node.update("k", () => some)),
      "update in through": (node) =>
        node.update("k", () => some).pipe(Effect.as(1), node.through("k")),
      "through in update": (node) =>
        node.update("k", () => Effect.asSome(Effect.succeed(1).pipe(node.through("k")))),
      "setIfPresent in update": (node) =>
        node.update("k", () => Effect.as(node.setIfPresent("k", 3), Option.some(4))),
    }
    for (const [what, call] of Object.entries(nested)) {
      it.effect(`a write of a key inside another one of it is a defect at once: ${what}`, () =>
        Effect.gen(function* () {
          const [node] = yield* lardersOf(nodes, () => Effect.succeed(1))
          yield* node!.get("k")
          const defect = yield* defectOf(call(node!))
          expect(defect?.reason).toContain("of the same key")
        }).pipe(Effect.scoped),
      )
    }

    it.effect("a write of another key, and one that outlives the outer one, is no nested one", () =>
      Effect.gen(function* () {
        const [node] = yield* lardersOf(nodes, () => Effect.succeed(1))
        yield* node!.get("k")
        yield* node!.get("other")
        const gate = yield* Deferred.make<void>()
        const late: Array<Fiber.Fiber<unknown, unknown>> = []
        const outer = node!.update("k", () =>
          Effect.gen(function* () {
            yield* node!.update("other", () => some)
            const later = Effect.andThen(
              Deferred.await(gate),
              node!.update("k", () => some),
            )
            late.push(yield* Effect.forkDetach(later, { startImmediately: true }))
            return Option.some(3)
          }),
        )
        expect(yield* passing(outer)).toEqual(Option.some(3))
        yield* Deferred.succeed(gate, undefined)
        expect(yield* passing(Fiber.join(late[0]!))).toEqual(Option.some(2))
        expect(yield* node!.get("other")).toBe(2)
      }).pipe(Effect.scoped),
    )

    it.effect("law 25: `untouched: true` expires nothing, however the function ends", () =>
      Effect.gen(function* () {
        const [node] = yield* lardersOf(nodes, () => Effect.succeed(1))
        yield* node!.get("k")
        const endings = [Effect.fail("error"), Effect.die("defect"), Effect.interrupt]
        for (const ending of endings) {
          yield* Effect.exit(passing(node!.update("k", () => ending, { untouched: true })))
        }
        const held = yield* fork(node!.update("k", () => Effect.never, { untouched: true }))
        yield* Fiber.interrupt(held)
        expect((yield* node!.read("k")).freshness._tag).toBe("Fresh")
        yield* Effect.exit(passing(node!.update("k", () => Effect.die("defect"))))
        expect((yield* node!.read("k")).freshness._tag).toBe("Stale")
      }).pipe(Effect.scoped),
    )

    it.effect(
      "law 23: a write that outlives the transaction in which it began is told at once",
      () =>
        Effect.gen(function* () {
          const [node] = yield* lardersOf(nodes, () => Effect.succeed(1))
          const ended: AfterCommit.AfterCommit = () => Effect.die("the transaction has ended")
          const writes = [
            Effect.asVoid(node!.around("k")(Effect.void)),
            Effect.asVoid(node!.through("k")(Effect.succeed(9))),
            Effect.asVoid(node!.update("k", () => some)),
          ]
          for (const write of writes) {
            yield* node!.set("k", 1)
            yield* passing(Effect.provideService(write, AfterCommit.AfterCommit, ended))
            const { entry, freshness } = yield* node!.read("k")
            expect(freshness._tag === "Fresh" && entry?.value === 1).toBe(false)
          }
        }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")),
    )
  })
}

it.effect(
  "an update to a value that the schema refuses is a defect at once, without the value",
  () =>
    Effect.gen(function* () {
      const larder = yield* Larder.make({
        name: "refusing",
        value: Schema.Finite,
        upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
        policy: Policy.make({ freshFor: "1 hour" }),
      })
      yield* larder.get("k")
      const call = larder.update("k", () => Effect.succeedSome("S3CR3T" as unknown as number))
      const exit = yield* Effect.exit(call)
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain("value of")
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).not.toContain("S3CR3T")
    }).pipe(
      Effect.scoped,
      Effect.provide(TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared)),
      Effect.provideService(References.MinimumLogLevel, "None"),
    ),
)
