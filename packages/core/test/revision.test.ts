/** `revision`: a value that is older by the source's own version never replaces a newer one, whichever way it arrives. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Logger, Random, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyTier } from "./support/faultyTier.ts"
import * as scripted from "./support/scriptedTier.ts"
import { type Draw, drawing } from "./support/seeded.ts"

const Revised = Schema.Struct({ revision: Schema.Finite, text: Schema.String })
type Revised = typeof Revised.Type

const of = (revision: number, text = "v"): Revised => ({ revision, text })

const stacks = {
  memory: (_: Faults) => TierStack.layer(MemoryTier.layer()),
  "memory and shared": (faults: Faults) => TierStack.layer(MemoryTier.layer(), faultyTier(faults)),
  shared: (faults: Faults) => TierStack.layer(faultyTier(faults)),
  "memory and file": (faults: Faults) => TierStack.layer(MemoryTier.layer(), fileLayer(faults)),
  file: (faults: Faults) => TierStack.layer(fileLayer(faults)),
  "memory, file and shared": (faults: Faults) =>
    TierStack.layer(MemoryTier.layer(), fileLayer(new Faults()), faultyTier(faults)),
} as const

const make = (policy: Partial<Policy.Options> = {}, lookup: () => Revised = () => of(0)) =>
  Larder.make({
    name: "revised",
    value: Revised,
    policy: Policy.make({ freshFor: "1 minute", staleIfError: "1 hour", ...policy }),
    upstream: Upstream.make({ lookup: (_: string) => Effect.sync(lookup) }),
    revision: (value) => value.revision,
  })

describe.each(Object.entries(stacks))("over %s", (name, stack) => {
  const law = (
    title: string,
    body: (faults: Faults) => Effect.Effect<void, unknown, TierStack.TierStack | Scope.Scope>,
  ) =>
    it.effect(title, () =>
      Effect.suspend(() => {
        const faults = new Faults()
        return Effect.andThen(
          TestClock.setTime(1_790_000_000_000),
          body(faults).pipe(Effect.scoped, Effect.provide([stack(faults), Logger.layer([])])),
        )
      }),
    )

  for (const tierWrites of ["awaited", "background"] as const) {
    law(
      `a set of a lower revision is refused and nothing changes; forced, it wins (writes ${tierWrites})`,
      () =>
        Effect.gen(function* () {
          const larder = yield* make({ tierWrites })
          yield* larder.set("k", of(5, "newer"))
          yield* TestClock.adjust("1 second")
          const before = yield* larder.read("k")
          const ack = yield* larder.set("k", of(4, "older"))
          expect(ack).toEqual({
            version: before.entry?.version,
            settled: false,
            pending: [],
            refused: true,
          })
          expect(yield* larder.get("k")).toEqual(of(5, "newer"))
          expect(yield* larder.read("k")).toEqual(before)
          const equal = yield* larder.set("k", of(5, "again"))
          expect(equal.refused).toBe(undefined)
          yield* TestClock.adjust("1 second")
          expect(yield* larder.get("k")).toEqual(of(5, "again"))
          const forced = yield* larder.set("k", of(3, "forced"), { force: true })
          expect(forced.refused).toBe(undefined)
          yield* TestClock.adjust("1 second")
          expect(yield* larder.get("k")).toEqual(of(3, "forced"))
        }),
    )
  }

  law("a set is refused while the newer value may still be given, and not once that is over", () =>
    Effect.gen(function* () {
      const larder = yield* make()
      yield* larder.set("k", of(5))
      yield* TestClock.adjust("30 minutes")
      expect((yield* larder.set("k", of(4))).refused).toBe(true)
      yield* TestClock.adjust("31 minutes")
      expect((yield* larder.set("k", of(4))).refused).toBe(undefined)
      expect(yield* larder.get("k")).toEqual(of(4))
    }),
  )

  law("a removal makes room for any revision", () =>
    Effect.gen(function* () {
      const larder = yield* make()
      yield* larder.set("k", of(5))
      yield* larder.remove("k")
      expect((yield* larder.set("k", of(1))).refused).toBe(undefined)
      expect(yield* larder.get("k")).toEqual(of(1))
    }),
  )

  law("a set of a lower revision with no life left removes nothing", () =>
    Effect.gen(function* () {
      const larder = yield* make()
      yield* larder.set("k", of(5))
      const none = Policy.make({ freshFor: 0 })
      expect((yield* larder.set("k", of(4), { policy: none })).refused).toBe(true)
      expect(yield* larder.get("k")).toEqual(of(5))
      expect((yield* larder.set("k", of(6), { policy: none })).refused).toBe(undefined)
      expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Missing" })
    }),
  )

  law("the policy given to a set decides its times", () =>
    Effect.gen(function* () {
      const larder = yield* make()
      yield* larder.set("k", of(1), {
        policy: Policy.make({ freshFor: "5 seconds", staleIfError: "5 seconds" }),
      })
      const { entry } = yield* larder.read("k")
      expect(entry!.freshUntil - entry!.storedAt).toBe(5_000)
      expect(entry!.staleUntil - entry!.storedAt).toBe(10_000)
    }),
  )

  law("a value that a clear or a tag has dropped refuses nothing", () =>
    Effect.gen(function* () {
      const larder = yield* make()
      yield* larder.set("k", of(9))
      yield* larder.clear({ keepStale: false })
      expect((yield* larder.set("k", of(2))).refused).toBe(undefined)
      expect(yield* larder.get("k")).toEqual(of(2))
    }),
  )

  law("a refresh that brings a lower revision is not kept, wherever the newer value is", () =>
    Effect.gen(function* () {
      let revision = 5
      const larder = yield* make({}, () => of(revision))
      yield* larder.get("k")
      yield* TestClock.adjust("1 second")
      // Memory may have lost it meanwhile.
      if (/^memory./.test(name)) yield* larder.resizeMemory({ maxEntries: 1 })
      yield* larder.get("other")
      revision = 4
      expect(yield* larder.refresh("k")).toEqual(of(5))
      expect(yield* larder.get("k")).toEqual(of(5))
    }),
  )

  if (name.includes("shared")) {
    law("law 20: sets of many nodes at once end with the highest revision", (faults) =>
      Effect.gen(function* () {
        faults.turn("slow", "all")
        const nodes = yield* Effect.all([make(), make(), make()])
        const revisions = [3, 9, 1, 7, 2, 8, 4, 6, 5]
        const sets = yield* Effect.forEach(revisions, (revision, i) =>
          Effect.forkChild(nodes[i % 3]!.set("k", of(revision)), { startImmediately: true }),
        )
        yield* TestClock.adjust("10 seconds")
        const acks = yield* Effect.forEach(sets, (fiber) => Fiber.join(fiber))
        faults.turn("none", "all")
        expect(acks.filter(({ settled }) => settled).length).toBeGreaterThan(0)
        const fresh = yield* make()
        expect((yield* fresh.read("k")).entry?.value.revision).toBe(9)
      }),
    )

    law(
      "a set while another node looks the key up wins by its revision, and the lookup is not kept",
      () =>
        Effect.gen(function* () {
          const slow = yield* Larder.make({
            name: "revised",
            value: Revised,
            policy: Policy.make({ freshFor: "1 minute" }),
            upstream: Upstream.make({
              lookup: (_: string) => Effect.delay(Effect.succeed(of(1, "looked up")), "1 second"),
            }),
            revision: (value) => value.revision,
          })
          const setting = yield* make()
          const waiting = yield* Effect.forkChild(slow.get("k"), { startImmediately: true })
          yield* TestClock.adjust("100 millis")
          expect((yield* setting.set("k", of(2, "set"))).settled).toBe(true)
          yield* TestClock.adjust("1 second")
          expect(yield* Fiber.join(waiting)).toEqual(of(1, "looked up"))
          expect((yield* setting.read("k")).entry?.value).toEqual(of(2, "set"))
          const fresh = yield* make()
          expect(yield* fresh.get("k")).toEqual(of(2, "set"))
        }),
    )
  }
})

/** An arbiter that takes up to so many milliseconds to hear, and as many to answer. */
const unsteady = (draw: Draw, most: number): scripted.Script => {
  const script = new scripted.Script()
  const late = <A, E>(operation: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      const [there, back] = [draw(most + 1), draw(most + 1)]
      return Effect.delay(Effect.tap(operation, Effect.sleep(back)), there)
    })
  script.instead.acquire = (real) => (key, request) => late(real(key, request))
  script.instead.read = (real) => (keys) => late(real(keys))
  script.instead.commit = (real) => (key, token, envelope, life) =>
    late(real(key, token, envelope, life))
  return script
}

describe("law 20: sets of three nodes, one after the other within a few trips, are all settled or refused", () => {
  it.effect.each([1, 3, 10, 20])("and end with the highest revision, by %i ms each way", (most) =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 10; seed++) {
        const draw = drawing(seed)
        yield* Effect.gen(function* () {
          const nodes = yield* Effect.all([make(), make(), make()])
          const sets: Array<Fiber.Fiber<Larder.Ack, unknown>> = []
          for (let revision = 1; revision <= 12; revision++) {
            const set = nodes[revision % 3]!.set("k", of(revision))
            sets.push(yield* Effect.forkChild(set, { startImmediately: true }))
            yield* TestClock.adjust(draw(4))
          }
          yield* TestClock.adjust("10 seconds")
          const acks = yield* Effect.forEach(sets, (fiber) => Fiber.join(fiber))
          expect(acks.filter(({ refused, settled }) => !settled && refused !== true)).toEqual([])
          const fresh = yield* Effect.forkChild(Effect.flatMap(make(), (node) => node.read("k")))
          yield* TestClock.adjust("1 second")
          expect((yield* Fiber.join(fresh)).entry?.value.revision).toBe(12)
        }).pipe(
          Effect.scoped,
          Effect.provide([
            TierStack.layer(MemoryTier.layer(), scripted.layer(unsteady(draw, most))),
            Logger.layer([]),
          ]),
        )
      }
    }).pipe(Random.withSeed("sets")),
  )
})
