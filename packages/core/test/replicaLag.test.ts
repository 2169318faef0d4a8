/** `replicaLag`: a lookup soon after a change may read a replica that does not have the change yet. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { describe } from "vitest"
import { RecentChanges } from "../src/internal/state/recentChanges.ts"
import { drawing, seed } from "./support/seeded.ts"
import { lardersOf, napping, passing } from "./support/sourceWorld.ts"

const lag = 6

/** A source whose replica has each value `lag` ms later. */
class Replicated {
  value = 0
  replica = 0

  readonly save = (value: number) =>
    Effect.suspend(() => {
      this.value = value
      const replicated = Effect.sync(() => {
        this.replica = Math.max(this.replica, value)
      })
      const later = Effect.forkDetach(Effect.delay(replicated, lag), { startImmediately: true })
      return Effect.as(later, value)
    })

  readonly lookup = () =>
    Effect.delay(
      Effect.sync(() => this.replica),
      1,
    )
}

type Change = "around" | "tags" | "clear" | "expire" | "remove"

for (const nodes of [1, 2]) {
  for (const change of ["around", "tags", "clear", "expire", "remove"] satisfies Array<Change>) {
    it.effect(
      `law 23: after ${change} an old value of the replica is fresh until the lag is over (${nodes})`,
      () =>
        Effect.gen(function* () {
          yield* TestClock.setTime(1_790_000_000_000)
          const source = new Replicated()
          const larders = yield* lardersOf(nodes, source.lookup, {
            replicaLag: lag,
            tags: () => ["all"],
          })
          const [writer] = larders
          const reader = larders.at(-1)!
          yield* passing(reader.get("milk"))
          yield* TestClock.adjust("1 minute")
          const changes: Record<Change, Effect.Effect<unknown, unknown>> = {
            around: source.save(1).pipe(writer!.around("milk")),
            tags: Effect.andThen(source.save(1), writer!.invalidateTags("all")),
            clear: Effect.andThen(source.save(1), writer!.clear()),
            expire: Effect.andThen(source.save(1), writer!.expire("milk")),
            remove: Effect.andThen(source.save(1), writer!.remove("milk")),
          }
          yield* changes[change]
          yield* TestClock.adjust(1)
          expect(yield* passing(reader.get("milk"))).toBe(0)
          // Everybody shares the old value meanwhile.
          expect(yield* reader.get("milk")).toBe(0)
          yield* TestClock.adjust(lag)
          for (const larder of larders) {
            const { freshness } = yield* larder.read("milk")
            expect(freshness._tag).not.toBe("Fresh")
          }
          expect(yield* passing(reader.get("milk"))).toBe(1)
          // A lookup after the lag is fresh for as long as the policy says.
          yield* TestClock.adjust("30 minutes")
          expect((yield* reader.read("milk")).freshness._tag).toBe("Fresh")
        }).pipe(Effect.scoped),
    )
  }

  it.effect(
    `without it the old value is fresh for all of freshFor, but not with through (${nodes})`,
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_790_000_000_000)
        const source = new Replicated()
        const larders = yield* lardersOf(nodes, source.lookup)
        yield* source.save(1).pipe(larders[0]!.around("milk"))
        expect(yield* passing(larders.at(-1)!.get("milk"))).toBe(0)
        yield* TestClock.adjust("30 minutes")
        expect(yield* larders.at(-1)!.get("milk")).toBe(0)
        yield* source.save(2).pipe(larders[0]!.through("milk"))
        expect(yield* larders.at(-1)!.get("milk")).toBe(2)
      }).pipe(Effect.scoped),
  )

  it.effect(`law 23: writers and readers of a lagging source (${nodes})`, () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      for (let i = 0; i < 40; i++) {
        const draw = drawing(seed + i)
        const nap = napping(draw)
        const source = new Replicated()
        const larders = yield* lardersOf(nodes, source.lookup, { replicaLag: lag })
        let last = 0
        const writer = Effect.gen(function* () {
          yield* nap(10)
          yield* Effect.andThen(
            nap(2),
            Effect.suspend(() => source.save((last += 1))),
          ).pipe(larders[draw(nodes)]!.around("milk"))
        })
        const reader = Effect.gen(function* () {
          for (let j = 0; j < 8; j++) {
            yield* nap(4)
            yield* larders[draw(nodes)]!.get("milk")
          }
        })
        yield* passing(Effect.all([writer, writer, reader, reader], { concurrency: "unbounded" }))
        yield* TestClock.adjust(lag + 1)
        for (const larder of larders) {
          const { entry, freshness } = yield* larder.read("milk")
          if (freshness._tag === "Fresh")
            expect(entry?.value, `LARDER_SEED=${seed + i}`).toBe(source.value)
        }
      }
    }).pipe(Effect.scoped),
  )
}

it.effect("of a change that this node did not hear of, the arbiter's record tells", () =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const source = new Replicated()
    const shared = Layer.succeedContext(yield* Layer.build(Layer.fresh(MemoryTier.layerShared)))
    const join = Effect.provide(
      Larder.make({
        name: "products",
        value: Schema.Finite,
        upstream: Upstream.make({ lookup: (_: string) => source.lookup() }),
        policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 day" }),
        replicaLag: lag,
      }),
      TierStack.layer(MemoryTier.layer(), shared),
    )
    const writer = yield* join
    yield* writer.set("milk", 0)
    for (const change of [writer.remove("milk"), writer.expire("milk")]) {
      yield* source.save(source.value + 1)
      yield* change
      // Made after the change: no message tells it of the change.
      const reader = yield* join
      expect(yield* passing(reader.get("milk"))).toBe(source.value - 1)
      yield* TestClock.adjust(lag)
      expect(yield* passing(reader.get("milk"))).toBe(source.value)
      yield* TestClock.adjust("1 minute")
    }
  }).pipe(Effect.scoped),
)

describe("RecentChanges", () => {
  /** Changes of keys, each at a moment that the test chooses. */
  const recentFor = (lag: number) => {
    let now = 0
    const recent = new RecentChanges(lag, () => now)
    const changed = (k: string, at: number): void => {
      now = at
      recent.changed(k)
    }
    return { recent, changed }
  }

  it("forgets a change once it no longer counts", () => {
    const { changed, recent } = recentFor(100)
    changed("a", 1_000)
    changed("b", 1_050)
    expect(recent.lastOf("a")).toBe(1_000)
    changed("c", 1_101)
    expect(recent.size).toBe(2)
    // "a" may be any key that was forgotten: the time of the latest one counts.
    expect(recent.lastOf("a")).toBe(1_000)
    expect(recent.lastOf("c")).toBe(1_101)
  })

  it("is bounded: beyond its bound each key counts as changed with the one that was forgotten", () => {
    const { changed, recent } = recentFor(1_000_000)
    for (let i = 0; i < 10_001; i++) changed(`k${i}`, i)
    expect(recent.size).toBe(10_000)
    expect(recent.lastOf("k0")).toBe(0)
    expect(recent.lastOf("never")).toBe(0)
  })

  it("remembers nothing without a lag", () => {
    const { changed, recent } = recentFor(0)
    changed("a", 1)
    expect(recent.size).toBe(0)
    expect(recent.lastOf("a")).toBe(-Infinity)
  })
})
