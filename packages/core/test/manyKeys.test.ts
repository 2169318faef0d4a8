/** Law 7 for thousands of keys in one call: each is looked up under its lease and stored, in few trips, a bounded number at a time. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, type Tier, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as scripted from "./support/scriptedTier.ts"
import { inTime, pass } from "./support/stepwise.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const range = (count: number, letter = "k") =>
  Array.from({ length: count }, (_, i) => `${letter}${i}`)

/** An upstream that records its requests, and how many keys are requested at once. */
class Source {
  answer: Effect.Effect<void, string> = Effect.void
  readonly calls: Array<number> = []
  keys = 0
  atOnce = 0
  most = 0

  ask<A>(keys: ReadonlyArray<string>, value: A): Effect.Effect<A, string> {
    return Effect.suspend(() => {
      this.calls.push(keys.length)
      this.keys += keys.length
      this.atOnce += keys.length
      this.most = Math.max(this.most, this.atOnce)
      const left = Effect.sync(() => {
        this.atOnce -= keys.length
      })
      return Effect.ensuring(Effect.as(this.answer, value), left)
    })
  }
}

interface World {
  readonly shared: scripted.Script
  readonly node: (
    bulk?: boolean,
  ) => Effect.Effect<
    Larder.Larder<string, string, string> & { readonly source: Source },
    never,
    Scope.Scope
  >
}

const worldOn = (shared: scripted.Script, tier: Layer.Layer<Tier.Tier>) =>
  Effect.gen(function* () {
    const layer = Layer.succeedContext(yield* Layer.build(tier))
    const self: World = {
      shared,
      node: (bulk = true) =>
        Effect.gen(function* () {
          const source = new Source()
          const larder = yield* Larder.make({
            name: "many",
            value: Schema.String,
            upstream: Upstream.make({
              lookup: (key: string) => source.ask([key], `of ${key}`),
              lookupMany: bulk
                ? (keys) => source.ask(keys, new Map(keys.map((key) => [key, `of ${key}`])))
                : undefined,
            }),
            policy: Policy.make({ freshFor: "1 hour", jitter: 0, retryAfterFailure: 0 }),
            closeTimeout: 0,
          }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer({ maxEntries: 200_000 }), layer)))
          return Object.assign(larder, { source })
        }),
    }
    return self
  })

const test = (
  title: string,
  body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>,
  takes: "each" | "batches" = "batches",
) =>
  it.effect(title, () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const shared = new scripted.Script()
      yield* Effect.flatMap(worldOn(shared, scripted.layer(shared, "shared", takes)), body)
    }).pipe(Effect.scoped),
  )

const slowly =
  (millis: number) =>
  <Args extends ReadonlyArray<unknown>, A, E>(real: (...args: Args) => Effect.Effect<A, E>) =>
  (...args: Args) =>
    Effect.andThen(Effect.sleep(millis), real(...args))

const ways = { "a bulk lookup": true, "a lookup for each": false } as const

for (const [name, bulk] of Object.entries(ways)) {
  test(`law 7: 5,000 cold keys are looked up under lease and stored, with ${name}`, (world) =>
    Effect.gen(function* () {
      const { shared } = world
      shared.instead.acquire = slowly(10)
      shared.instead.acquireAll = slowly(10)
      shared.instead.commit = slowly(10)
      shared.instead.commitAll = slowly(10)
      const keys = range(5_000)
      const a = yield* world.node(bulk)
      const found = yield* inTime(a.getMany(keys))
      expect([...found.keys()]).toEqual(keys)
      for (const key of keys) expect(found.get(key)).toEqual(Exit.succeed(`of ${key}`))
      expect(a.source.keys).toBe(5_000)
      yield* TestClock.adjust("1 second")
      const leased = shared.of("acquireAll").flatMap(({ args: [requests] }) => requests)
      expect(new Set(leased.map(({ key }) => key)).size).toBe(5_000)
      expect(shared.of("acquire").length).toBe(0)
      const b = yield* world.node(bulk)
      expect((yield* inTime(b.getMany(keys))).size).toBe(5_000)
      expect(b.source.keys).toBe(0)
    }))

  test(`100 cold keys are one read, one request for leases and one commit, with ${name}`, (world) =>
    Effect.gen(function* () {
      const a = yield* world.node(bulk)
      yield* a.get("warm")
      yield* TestClock.adjust("1 second")
      world.shared.trips()
      yield* inTime(a.getMany(range(100)))
      yield* TestClock.adjust("1 second")
      expect(world.shared.trips()).toEqual(["read", "acquireAll", "commitAll"])
    }))

  test(`a key of which another node has the lease is waited for by itself, with ${name}`, (world) =>
    Effect.gen(function* () {
      const a = yield* world.node(bulk)
      const b = yield* world.node(bulk)
      a.source.answer = Effect.sleep("1 second")
      const loading = yield* fork(a.get("k7"))
      yield* TestClock.adjust(10)
      const others = range(20).filter((key) => key !== "k7")
      const caller = yield* fork(b.getMany(range(20)))
      yield* TestClock.adjust(10)
      const joined = yield* inTime(b.getMany(others))
      expect([...joined.values()].every(Exit.isSuccess)).toBe(true)
      expect(caller.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(loading)
      expect((yield* Fiber.join(caller)).get("k7")).toEqual(Exit.succeed("of k7"))
      expect(b.source.keys).toBe(19)
    }))

  test(`interrupting the caller gives its leases back, with ${name}`, (world) =>
    Effect.gen(function* () {
      const a = yield* world.node(bulk)
      const b = yield* world.node(bulk)
      a.source.answer = Effect.never
      for (const pause of [50, 0]) {
        // While upstream is asked, and while the leases are on their way.
        world.shared.instead.acquireAll = slowly(50 - pause + 10)
        const caller = yield* fork(a.getMany(range(300)))
        yield* pass(20 + pause)
        yield* fork(Fiber.interrupt(caller))
        yield* TestClock.adjust(200)
        expect(caller.pollUnsafe()).toBeDefined()
      }
      world.shared.instead.acquireAll = slowly(1)
      // Nobody is waited for: the next node has all leases at once.
      const found = yield* fork(b.getMany(range(300)))
      yield* pass(20)
      expect(found.pollUnsafe()).toBeDefined()
      expect(world.shared.of("release").length).toBe(600)
    }))
}

test("calls for a few keys ask for their leases side by side, those for many in turn", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* a.get("warm")
    const under = { way: 0, most: 0 }
    world.shared.instead.acquireAll = (real) => (requests) =>
      Effect.suspend(() => {
        under.way += 1
        under.most = Math.max(under.most, under.way)
        const ended = Effect.sync(() => void (under.way -= 1))
        return Effect.ensuring(Effect.andThen(Effect.sleep(40), real(requests)), ended)
      })
    const calls = range(20, "c").map((call) => a.getMany(range(10, call)))
    yield* inTime(Effect.all(calls, { concurrency: "unbounded" }))
    expect(under.most).toBe(20)
    under.most = 0
    yield* inTime(a.getMany(range(2_000)))
    // The first two slices are small.
    expect(under.most).toBe(3)
    yield* TestClock.adjust("1 second")
    const b = yield* world.node()
    yield* inTime(b.getMany(range(2_000)))
    expect(b.source.keys).toBe(0)
  }))

test("upstream is not asked for more while very many keys wait to be committed", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    const seen = { committed: 0, most: 0 }
    world.shared.instead.commitAll = (real) => (commits) =>
      Effect.tap(Effect.andThen(Effect.sleep(30), real(commits)), () =>
        Effect.sync(() => {
          seen.most = Math.max(seen.most, a.source.keys - seen.committed)
          seen.committed += commits.length
        }),
      )
    const found = yield* inTime(a.getMany(range(10_000)))
    expect([...found.values()].every(Exit.isSuccess)).toBe(true)
    // The slices at once, and what waits before the next one has to.
    expect(seen.most).toBeLessThanOrEqual(16 * 125 + 1_000)
    while (seen.committed < 10_000) yield* TestClock.adjust(10)
    const b = yield* world.node()
    yield* inTime(b.getMany(range(10_000)))
    expect(b.source.keys).toBe(0)
  }))

test("law 14: a key without an answer of its own is looked up without a lease", (world) =>
  Effect.gen(function* () {
    world.shared.instead.acquireAll = (real) => (requests) =>
      Effect.map(real(requests), (all) => all.map((one, i) => (i === 3 ? undefined : one)))
    world.shared.instead.commitAll = (real) => (commits) =>
      Effect.map(real(commits), (all) => all.map((one, i) => (i === 4 ? undefined : one)))
    const a = yield* world.node()
    const found = yield* inTime(a.getMany(range(10)))
    expect([...found.values()].every(Exit.isSuccess)).toBe(true)
    yield* TestClock.adjust("5 seconds")
    expect((yield* a.stats).breakers["shared"]).toBe("Closed")
    for (const key of range(10)) {
      expect((yield* a.read(key)).freshness._tag, key).toBe("Fresh")
    }
  }))

test("what another node has stored meanwhile is taken over, not looked up", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    const b = yield* world.node()
    world.shared.instead.read = (real) => (keys) =>
      Effect.andThen(
        Effect.sleep(20),
        Effect.as(
          real(keys),
          keys.map(() => undefined),
        ),
      )
    yield* b.set("k1", "set by b")
    const found = yield* inTime(a.getMany(range(3)))
    expect(found.get("k1")).toEqual(Exit.succeed("set by b"))
    expect(a.source.keys).toBe(2)
  }))

test("a bounded number of keys is under way, and upstream is asked for 125 at most", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    a.source.answer = Effect.sleep(30)
    const keys = range(8_000)
    const found = yield* inTime(a.getMany(keys))
    expect([...found.keys()]).toEqual(keys)
    expect([...found.values()].every(Exit.isSuccess)).toBe(true)
    // The first slices are small, since they may run code that has never run.
    expect(a.source.calls.slice(0, 4)).toEqual([32, 64, 125, 125])
    expect(Math.max(...a.source.calls)).toBe(125)
    expect(a.source.most).toBe(2_000)
    expect(a.source.keys).toBe(8_000)
  }))

test("results are in the order of the keys, also where some are in memory and some come twice", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    const keys = range(6_000)
    yield* inTime(a.getMany(keys.filter((_, i) => i % 7 === 0)))
    const found = yield* inTime(a.getMany([...keys, ...keys.toReversed(), "last"]))
    expect([...found.keys()]).toEqual([...keys, "last"])
    expect(a.source.keys).toBe(6_001)
    for (const key of keys) expect(found.get(key)).toEqual(Exit.succeed(`of ${key}`))
  }))

test("a larder that closes ends a call of very many keys", (world) =>
  Effect.gen(function* () {
    const caller = yield* Effect.scoped(
      Effect.gen(function* () {
        const a = yield* world.node()
        a.source.answer = Effect.sleep("1 second")
        const caller = yield* Effect.forkDetach(a.getMany(range(5_000)), {
          startImmediately: true,
        })
        yield* TestClock.adjust(10)
        return caller
      }),
    )
    const found = yield* inTime(Fiber.join(caller))
    expect(found.size).toBe(5_000)
    expect([...found.values()].every(Exit.isFailure)).toBe(true)
  }))

test(
  "law 7: without batches the arbiter is asked key by key",
  (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      yield* inTime(a.getMany(range(300)))
      yield* TestClock.adjust("1 second")
      expect(world.shared.of("acquire").length).toBe(300)
      expect(world.shared.of("commit").length).toBe(300)
    }),
  "each",
)

it.effect("keys in memory alone go in slices as well", () =>
  Effect.gen(function* () {
    const source = new Source()
    const larder = yield* Larder.make({
      name: "memory",
      value: Schema.String,
      upstream: Upstream.make({
        lookup: (key: string) => source.ask([key], `of ${key}`),
        lookupMany: (keys) => source.ask(keys, new Map(keys.map((key) => [key, `of ${key}`]))),
      }),
      policy: Policy.make({ freshFor: "1 hour" }),
    })
    source.answer = Effect.sleep(5)
    const keys = range(3_000)
    expect([...(yield* inTime(larder.getMany(keys))).keys()]).toEqual(keys)
    expect(source.calls).toEqual(Array.from({ length: 12 }, () => 250))
    expect(source.most).toBe(2_000)
  }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer())), Effect.scoped),
)

it.effect("thousands of hits in one call give others a turn, 1,000 do not", () =>
  Effect.gen(function* () {
    const larder = yield* Larder.make({
      name: "memory",
      upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(`of ${key}`) }),
      policy: Policy.make({ freshFor: "1 hour" }),
    })
    const keys = range(6_000)
    yield* inTime(larder.getMany(keys))
    for (const [count, waits] of [
      [1_000, false],
      [1_001, true],
      [6_000, true],
    ] as const) {
      const call = yield* fork(larder.getMany(keys.slice(0, count)))
      expect(call.pollUnsafe() === undefined).toBe(waits)
      expect((yield* inTime(Fiber.join(call))).size).toBe(count)
    }
  }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer())), Effect.scoped),
)

it.effect("every reference to a key that was asked for several times has its answer", () =>
  Effect.gen(function* () {
    let asked = 0
    const larder = yield* Larder.make({
      name: "references",
      upstream: Upstream.make({
        lookup: ({ id }: { readonly id: string }) => Effect.sync(() => `${id} ${(asked += 1)}`),
      }),
      key: ({ id }) => id,
      policy: Policy.make({ freshFor: "1 hour" }),
    })
    const keys = Array.from({ length: 4 }, () => ({ id: "k" }))
    const answers = yield* larder.getMany(keys)
    expect(keys.map((key) => answers.get(key))).toEqual(keys.map(() => Exit.succeed("k 1")))
    expect([answers.size, asked]).toEqual([4, 1])
  }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer())), Effect.scoped),
)
