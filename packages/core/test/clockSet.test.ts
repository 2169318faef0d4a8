/** Law 21: a clock that is set back, forward, or stands still makes nothing live longer than it would have. */
import { assert, describe, it } from "@effect/vitest"
import {
  EarlyRefresh,
  Envelope,
  Larder,
  MemoryTier,
  Policy,
  Tier,
  TierStack,
  Upstream,
} from "@larder/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { nestedObjects } from "../src/internal/tier/objectsAsBytes.ts"
import { Faults, fileLayer, layer as faultyTier } from "./support/faultyTier.ts"
import { type WallClock, wallClock } from "./support/wallClock.ts"

const shared = () => Layer.fresh(MemoryTier.layerShared)
const file = () => fileLayer(new Faults())

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory before memory": () => TierStack.layer(MemoryTier.layer(), MemoryTier.layer()),
  "memory and shared": () => TierStack.layer(MemoryTier.layer(), shared()),
  shared: () => TierStack.layer(shared()),
  "memory and file": () => TierStack.layer(MemoryTier.layer(), file()),
  file: () => TierStack.layer(file()),
  "memory, file and shared": () => TierStack.layer(MemoryTier.layer(), file(), shared()),
}

const hours = 3_600_000
const start = 1_790_000_000_000

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** A test over a stack of its own, on a clock that is ten hours ahead when it begins. */
const ahead = <A, E>(
  stack: () => Layer.Layer<TierStack.TierStack>,
  body: (wall: WallClock) => Effect.Effect<A, E, TierStack.TierStack | Scope.Scope>,
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const wall = yield* wallClock
    wall.step(10 * hours)
    return yield* body(wall).pipe(
      Effect.scoped,
      Effect.provide(Layer.provide(stack(), Layer.succeed(Clock.Clock, wall.clock))),
    )
  })

const correct = ({ step }: WallClock) => step(-10 * hours)

type Extra = Partial<
  Pick<Larder.BaseOptions<number, string, string, never>, "failureFor" | "tags" | "revision">
>

/** A larder whose values are the numbers of their lookups, and how old in monotonic time each is. */
const make = Effect.fnUntraced(function* (
  { clock }: WallClock,
  policy: Partial<Policy.Options> = {},
  answer: (n: number) => Effect.Effect<number, string> = Effect.succeed,
  extra: Extra = {},
) {
  const monotonic = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
  const begun: Array<number> = []
  const larder = yield* Larder.make({
    name: "clock",
    value: Schema.Finite,
    tags: () => ["all"],
    policy: Policy.make({ freshFor: "10 seconds", ...policy }),
    upstream: Upstream.make({
      lookup: (_: string) => Effect.suspend(() => answer(begun.push(monotonic()))),
    }),
    ...extra,
  }).pipe(Effect.provideService(Clock.Clock, clock))
  return {
    larder,
    asked: () => begun.length,
    ageOf: (value: number) => monotonic() - begun[value - 1]!,
  }
})

for (const [name, stack] of Object.entries(stacks)) {
  /** A file that memory is not in front of has the time of day alone: what a step back makes doubtful is asked for once more. */
  const isDoubted = name === "file"
  const once = isDoubted ? 2 : 1

  const law = (
    title: string,
    body: (wall: WallClock) => Effect.Effect<unknown, unknown, TierStack.TierStack | Scope.Scope>,
  ) => it.effect(`law 21: ${title}`, () => ahead(stack, body))

  describe(name, () => {
    law(
      "set back: a value ends after its duration, and upstream is asked once more at most",
      (wall) =>
        Effect.gen(function* () {
          const { asked, larder } = yield* make(wall)
          assert.strictEqual(yield* larder.get("a"), 1)
          correct(wall)
          assert.strictEqual(yield* larder.get("a"), once)
          yield* TestClock.adjust(9_999)
          assert.strictEqual(yield* larder.get("a"), once)
          yield* TestClock.adjust(1)
          assert.strictEqual(yield* larder.get("a"), once + 1)
          assert.strictEqual(asked(), once + 1)
        }),
    )

    const changes: Readonly<Record<string, (wall: WallClock, second: number) => void>> = {
      "set back once": (wall, second) => {
        if (second === 3) correct(wall)
      },
      "set forward once": ({ step }, second) => {
        if (second === 3) step(5_000)
      },
      "set back again and again, a little": ({ step }) => step(-90),
      "set to and fro": ({ step }, second) => {
        if (second % 5 === 0) step(second % 2 === 0 ? -4_000 : 4_000)
      },
      "standing still": ({ stop }, second) => {
        if (second === 3) stop()
      },
    }
    for (const [how, change] of Object.entries(changes)) {
      law(`${how}: no value is given for longer than it is fresh, one lookup a duration`, (wall) =>
        Effect.gen(function* () {
          const { ageOf, asked, larder } = yield* make(wall)
          const missed = isDoubted && how !== "set back once" && how !== "set forward once"
          for (let second = 0; second < 40; second += 1) {
            change(wall, second)
            const value = yield* larder.get("a")
            if (!missed) assert.isBelow(ageOf(value), 10_000, `in second ${second}`)
            yield* TestClock.adjust("1 second")
          }
          // Every step may end one duration early.
          const steps = how === "set to and fro" ? 8 : how.startsWith("set") ? 1 : 0
          assert.isAtMost(asked(), 4 + steps)
        }),
      )
    }

    law("set forward by hours: upstream is asked once more at most", (wall) =>
      Effect.gen(function* () {
        const { asked, larder } = yield* make(wall, { freshFor: "1 hour" })
        yield* larder.get("a")
        yield* TestClock.adjust("2 seconds")
        wall.step(2 * hours)
        for (let second = 0; second < 20; second++) {
          assert.strictEqual(yield* larder.get("a"), 2)
          yield* TestClock.adjust("1 second")
        }
        assert.strictEqual(asked(), 2)
      }),
    )

    law("set forward: a value ends early", (wall) =>
      Effect.gen(function* () {
        const { larder } = yield* make(wall)
        yield* larder.get("a")
        wall.step(9_999)
        assert.strictEqual(yield* larder.get("a"), 1)
        wall.step(1)
        assert.strictEqual(yield* larder.get("a"), 2)
      }),
    )

    law(
      "set back: within staleWhileRevalidate a value is given at once, and not after it",
      (wall) =>
        Effect.gen(function* () {
          const { asked, larder } = yield* make(wall, { staleWhileRevalidate: "5 seconds" }, (n) =>
            n > once ? Effect.never : Effect.succeed(n),
          )
          yield* larder.get("a")
          correct(wall)
          yield* larder.get("a")
          yield* TestClock.adjust(14_999)
          assert.strictEqual(yield* larder.get("a"), once)
          yield* Effect.yieldNow
          assert.strictEqual(asked(), once + 1)
          yield* TestClock.adjust(1)
          const late = yield* fork(larder.get("a"))
          yield* TestClock.adjust("1 second")
          assert.isUndefined(late.pollUnsafe())
        }),
    )

    law("set back: staleIfError ends with its duration, and nothing is given after it", (wall) =>
      Effect.gen(function* () {
        const { larder } = yield* make(wall, { staleIfError: "20 seconds" }, (n) =>
          n === 1 ? Effect.succeed(n) : Effect.fail("down"),
        )
        yield* larder.get("a")
        correct(wall)
        for (let second = 0; second < 30; second += 1) {
          assert.strictEqual(yield* larder.get("a"), 1)
          yield* TestClock.adjust("1 second")
        }
        assert.strictEqual(yield* Effect.flip(larder.get("a")), "down")
      }),
    )

    law("set back: a failure is remembered, and holds refreshes back, for its duration", (wall) =>
      Effect.gen(function* () {
        const { asked, larder } = yield* make(wall, {}, () => Effect.fail("down"), {
          failureFor: () => "5 seconds",
        })
        yield* Effect.flip(larder.get("a"))
        correct(wall)
        yield* TestClock.adjust(4_999)
        yield* Effect.flip(larder.get("a"))
        assert.strictEqual(asked(), 1)
        yield* TestClock.adjust(1)
        yield* Effect.flip(larder.get("a"))
        assert.strictEqual(asked(), 2)
      }),
    )

    law("set back: retryAfterFailure is as long as it is", (wall) =>
      Effect.gen(function* () {
        const { asked, larder } = yield* make(
          wall,
          { staleIfError: "1 hour", retryAfterFailure: "2 seconds" },
          (n) => (n === 1 ? Effect.succeed(n) : Effect.fail("down")),
        )
        yield* larder.get("a")
        yield* TestClock.adjust("10 seconds")
        yield* larder.get("a")
        assert.strictEqual(asked(), 2)
        correct(wall)
        yield* TestClock.adjust(1_999)
        yield* larder.get("a")
        assert.strictEqual(asked(), 2)
        yield* TestClock.adjust(1)
        yield* larder.get("a")
        assert.strictEqual(asked(), 3)
      }),
    )

    law("set back: maxAge goes by how old a value is", (wall) =>
      Effect.gen(function* () {
        const { larder } = yield* make(wall)
        yield* larder.get("a")
        correct(wall)
        const first = yield* larder.get("a")
        yield* TestClock.adjust("3 seconds")
        assert.strictEqual(yield* larder.get("a", { maxAge: "4 seconds" }), first)
        assert.strictEqual(yield* larder.get("a", { maxAge: "2 seconds" }), first + 1)
      }),
    )

    // A file alone keeps nothing of what is expired.
    if (!isDoubted) {
      law("set back: what a caller sets and expires is as old as it is", (wall) =>
        Effect.gen(function* () {
          const { asked, larder } = yield* make(wall, { staleIfError: "10 seconds" }, () =>
            Effect.fail("down"),
          )
          yield* larder.set("a", 7)
          correct(wall)
          yield* larder.expire("a")
          assert.strictEqual(asked(), 0)
          yield* TestClock.adjust(19_999)
          assert.strictEqual((yield* larder.read("a")).freshness._tag, "Stale")
          yield* TestClock.adjust(1)
          assert.strictEqual((yield* larder.read("a")).freshness._tag, "Missing")
        }),
      )
    }

    law("set back: deadlines are as long as they are", (wall) =>
      Effect.gen(function* () {
        const { larder } = yield* make(
          wall,
          { staleIfError: "1 hour", softTimeout: "100 millis", hardTimeout: "1 second" },
          (n) => (n === 1 ? Effect.succeed(n) : Effect.never),
        )
        yield* larder.get("a")
        yield* TestClock.adjust("10 seconds")
        correct(wall)
        const soft = yield* fork(larder.get("a"))
        const hard = yield* fork(Effect.flip(larder.get("b")))
        yield* TestClock.adjust(99)
        assert.isUndefined(soft.pollUnsafe())
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* Fiber.join(soft), 1)
        yield* TestClock.adjust(899)
        assert.isUndefined(hard.pollUnsafe())
        yield* TestClock.adjust(1)
        assert.propertyVal(yield* Fiber.join(hard), "_tag", "LookupTimeout")
      }),
    )

    law("set back: what is shown is in the time of day as it is now", (wall) =>
      Effect.gen(function* () {
        const seen: Array<number | undefined> = []
        const larder = yield* Larder.make({
          name: "shown",
          value: Schema.Finite,
          policy: Policy.make({ freshFor: "10 seconds", staleIfError: "1 hour" }),
          upstream: Upstream.make({
            lookup: (_: string, previous) =>
              Effect.sync(() => {
                seen.push(previous?.storedAt)
                return seen.length
              }),
          }),
        }).pipe(Effect.provideService(Clock.Clock, wall.clock))
        yield* larder.get("a")
        correct(wall)
        yield* TestClock.adjust("1 second")
        if (isDoubted) yield* larder.get("a")
        const now = wall.clock.currentTimeMillisUnsafe()
        const { entry } = yield* larder.read("a")
        const age = isDoubted ? 0 : 1_000
        assert.deepInclude(entry, { storedAt: now - age, freshUntil: now + 10_000 - age })
        const meta = yield* larder.getWithMeta("a")
        assert.strictEqual(meta.age, age)
        assert.deepInclude(meta.entry, { storedAt: now - age, freshUntil: now + 10_000 - age })
        yield* larder.refresh("a")
        if (!isDoubted && name !== "shared") assert.strictEqual(seen.at(-1), now - age)
      }),
    )
  })
}

const openedBy = (wall: WallClock) => Effect.provideService(Clock.Clock, wall.clock)

it.effect("law 21: set back: an entry that only a farther memory has is as old as it is", () =>
  ahead(
    () => TierStack.layer(MemoryTier.layer({ maxEntries: 1, eviction: "lru" }), MemoryTier.layer()),
    (wall) =>
      Effect.gen(function* () {
        const { ageOf, asked, larder } = yield* make(wall)
        yield* larder.get("a")
        yield* larder.get("b")
        yield* TestClock.adjust("6 seconds")
        wall.step(-5_000)
        const { tier, value } = yield* larder.getWithMeta("a")
        assert.deepStrictEqual([tier, value], ["memory", 1])
        yield* TestClock.adjust("4 seconds")
        assert.isBelow(ageOf(yield* larder.get("a")), 10_000)
        assert.strictEqual(asked(), 3)
      }),
  ),
)

it.effect(
  "law 21: set back: what bounds freshness in memory bounds it, and early refresh comes",
  () =>
    ahead(
      () => TierStack.layer(MemoryTier.layer({ maxFreshFor: "4 seconds" })),
      (wall) =>
        Effect.gen(function* () {
          const capped = yield* make(wall)
          const early = yield* make(wall, {
            freshFor: "4 seconds",
            earlyRefresh: EarlyRefresh.after(0.5),
          })
          yield* capped.larder.get("a")
          yield* early.larder.get("a")
          correct(wall)
          yield* TestClock.adjust("2 seconds")
          assert.strictEqual(yield* early.larder.get("a"), 1)
          yield* Effect.yieldNow
          assert.strictEqual(early.asked(), 2)
          yield* TestClock.adjust(1_999)
          assert.strictEqual(yield* capped.larder.get("a"), 1)
          yield* TestClock.adjust(1)
          assert.strictEqual(yield* capped.larder.get("a"), 2)
        }),
    ),
)

it.effect("law 21: set back: events are told in the time of day as it is now", () =>
  ahead(stacks.memory, (wall) =>
    Effect.gen(function* () {
      const { larder } = yield* make(wall)
      yield* larder.get("a")
      correct(wall)
      const told = yield* larder.subscribe
      yield* larder.get("a")
      assert.propertyVal(yield* PubSub.take(told), "_tag", "Opened")
      assert.deepInclude(yield* PubSub.take(told), { _tag: "Hit", at: start })
    }),
  ),
)

describe("law 21: set back: a circuit is open for as long as it says", () => {
  it.effect("that of the upstream", () =>
    ahead(stacks.memory, (wall) =>
      Effect.gen(function* () {
        let isDown = true
        let asked = 0
        const larder = yield* Larder.make({
          name: "circuit",
          value: Schema.Finite,
          policy: Policy.make({ freshFor: "1 second" }),
          upstream: Upstream.make({
            lookup: (_: string) =>
              Effect.suspend(() => {
                asked += 1
                return isDown ? Effect.fail("down") : Effect.succeed(asked)
              }),
          }).pipe(Upstream.withCircuitBreaker({ probeQueue: 0 })),
        }).pipe(openedBy(wall))
        for (let i = 0; i < 5; i += 1) yield* Effect.flip(larder.get("a"))
        isDown = false
        correct(wall)
        yield* TestClock.adjust(9_999)
        assert.strictEqual((yield* larder.stats).breakers["upstream"], "Open")
        yield* Effect.flip(larder.get("a"))
        assert.strictEqual(asked, 5)
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* larder.get("a"), 6)
        assert.strictEqual((yield* larder.stats).breakers["upstream"], "Closed")
        // One that opens afterwards is open as long, and forgotten after an hour.
        isDown = true
        yield* TestClock.adjust("1 minute")
        for (let i = 0; i < 6; i += 1) yield* Effect.flip(larder.get("a"))
        assert.strictEqual(asked, 11)
        yield* TestClock.adjust("2 hours")
        assert.strictEqual((yield* larder.stats).breakers["upstream"], "Closed")
      }),
    ),
  )

  it.effect("that of a tier", () => {
    const faults = new Faults()
    return ahead(
      () => TierStack.layer(MemoryTier.layer(), faultyTier(faults)),
      (wall) =>
        Effect.gen(function* () {
          const { larder } = yield* make(wall)
          faults.turn("fail", "all")
          for (let i = 0; i < 10; i += 1) yield* larder.get(`${i}`)
          assert.strictEqual((yield* larder.stats).breakers["shared"], "Open")
          faults.turn("none", "all")
          correct(wall)
          yield* TestClock.adjust("5 seconds")
          yield* larder.get("again")
          assert.strictEqual((yield* larder.stats).breakers["shared"], "Closed")
        }),
    )
  })
})

it.effect("law 21: set back: a tier has as long to answer as it has", () => {
  const faults = new Faults()
  return ahead(
    () => TierStack.layer(faultyTier(faults)),
    (wall) =>
      Effect.gen(function* () {
        const { asked, larder } = yield* make(wall)
        yield* larder.get("a")
        faults.turn("slow", "all")
        correct(wall)
        const slow = yield* fork(larder.get("a"))
        yield* TestClock.adjust(50)
        assert.strictEqual(yield* Fiber.join(slow), 1)
        assert.strictEqual(asked(), 1)
      }),
  )
})

it.effect("law 21: set back: a memory behind another forgets in time", () =>
  Effect.gen(function* () {
    const wall = yield* wallClock
    const context = yield* Layer.build(MemoryTier.layer())
    const memory = Context.get(context, Tier.Tier)
    if (memory.kind !== "objects") return assert.fail("it keeps values")
    const store = yield* nestedObjects(memory)
      .open({ larder: "clock" })
      .pipe(Effect.provideService(Clock.Clock, wall.clock))
    yield* store.put("a", Envelope.tombstone(1), 10_000)
    wall.step(-5_000)
    yield* TestClock.adjust(9_999)
    assert.isDefined((yield* store.read(["a"]))[0])
    yield* TestClock.adjust(1)
    assert.isUndefined((yield* store.read(["a"]))[0])
  }).pipe(Effect.scoped),
)

it.effect("law 21: set back: what a file had before is no longer fresh from now on", () =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const wall = yield* wallClock
    const faults = new Faults()
    const tiers = yield* Effect.all([Layer.build(file()), Layer.build(faultyTier(faults))]).pipe(
      openedBy(wall),
    )
    const [behind, farthest] = [Layer.succeedContext(tiers[0]), Layer.succeedContext(tiers[1])]
    const run = make(wall, { staleIfError: "1 minute" }).pipe(
      Effect.provide(TierStack.layer(MemoryTier.layer(), behind, farthest)),
    )
    yield* Effect.scoped(Effect.flatMap(run, ({ larder }) => larder.get("a")))
    yield* TestClock.adjust("6 seconds")
    wall.step(-4_000)
    faults.turn("fail", "all")
    const { larder } = yield* run
    const { entry } = yield* larder.read("a")
    assert.strictEqual(entry?.freshUntil, wall.clock.currentTimeMillisUnsafe())
  }).pipe(Effect.scoped),
)

/** The nodes of one shared tier, each with a clock of its own. */
describe("law 21: several nodes", () => {
  it.effect("a node whose clock was ahead and is set back serves nothing for longer", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const tier = Layer.succeedContext(yield* Layer.build(shared()))
      const stack = () => TierStack.layer(MemoryTier.layer(), tier)
      const wall = yield* wallClock
      wall.step(10 * hours)
      const a = yield* make(wall).pipe(Effect.provide(stack()))
      const b = yield* make(yield* wallClock).pipe(Effect.provide(stack()))
      assert.strictEqual(yield* a.larder.get("k"), 1)
      correct(wall)
      assert.strictEqual(yield* b.larder.get("k"), 1)
      assert.strictEqual(b.asked(), 0)
      yield* TestClock.adjust(9_999)
      assert.strictEqual(yield* a.larder.get("k"), 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* a.larder.get("k"), 2)
      yield* b.larder.get("k")
      assert.deepStrictEqual([a.asked(), b.asked()], [2, 0])
    }).pipe(Effect.scoped),
  )

  it.effect("a shared tier whose clock is set back has no lease and no entry for longer", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const wall = yield* wallClock
      wall.step(10 * hours)
      const context = yield* Layer.build(shared()).pipe(openedBy(wall))
      const tier = Context.get(context, Tier.Tier)
      if (tier.kind !== "bytes") return assert.fail("it keeps bytes")
      const { arbiter, read } = yield* tier.open({ larder: "clock" })
      if (arbiter === undefined) return assert.fail("it arbitrates")
      const lease = { known: 0, leaseMillis: 10_000, force: false }
      const expire: Tier.Write = {
        _tag: "Set",
        envelope: Envelope.tombstone(1),
        lifeMillis: 10_000,
      }
      yield* arbiter.acquire("leased", lease)
      yield* arbiter.write("kept", expire, 0)
      correct(wall)
      yield* TestClock.adjust(9_999)
      assert.strictEqual((yield* arbiter.acquire("leased", lease))._tag, "Busy")
      assert.isDefined((yield* read(["kept"]))[0])
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* arbiter.acquire("leased", lease))._tag, "Won")
      assert.isUndefined((yield* read(["kept"]))[0])
    }).pipe(Effect.scoped),
  )
})

/** A server whose clock was ahead, and is set back while nodes use it: not even its monotonic time goes on. */
describe("law 21: a shared tier whose own time steps back", () => {
  const server = Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const clock = yield* Effect.clockWith(Effect.succeed)
    let ahead = 10 * hours
    const tier = yield* Layer.build(shared()).pipe(
      Effect.provideService(Clock.Clock, {
        ...clock,
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + ahead,
        monotonicTimeNanosUnsafe: () =>
          clock.monotonicTimeNanosUnsafe() + BigInt(ahead) * 1_000_000n,
      }),
    )
    const wall = yield* wallClock
    return {
      setBack: () => {
        ahead = 0
      },
      node: (answer: (n: number) => Effect.Effect<number, string>) =>
        make(wall, { staleIfError: "1 hour", retryAfterFailure: "2 seconds" }, answer).pipe(
          Effect.provide(TierStack.layer(MemoryTier.layer(), Layer.succeedContext(tier))),
        ),
    }
  })

  it.effect("what it kept before is asked for once, and is not fresh for longer than it is", () =>
    Effect.gen(function* () {
      const { node, setBack } = yield* server
      const a = yield* node(Effect.succeed)
      yield* a.larder.get("k")
      yield* a.larder.get("other")
      setBack()
      const b = yield* node((n) => Effect.succeed(n + 1))
      assert.strictEqual(yield* b.larder.get("k"), 2)
      assert.strictEqual(yield* b.larder.get("k"), 2)
      assert.strictEqual(b.asked(), 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* a.larder.get("other"), 3)
    }).pipe(Effect.scoped),
  )

  it.effect("a failure that it was told of holds refreshes back for no longer than they are", () =>
    Effect.gen(function* () {
      const { node, setBack } = yield* server
      const a = yield* node((n) => (n === 1 ? Effect.succeed(n) : Effect.fail("down")))
      yield* a.larder.get("k")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* a.larder.get("k"), 1)
      assert.strictEqual(a.asked(), 2)
      setBack()
      const b = yield* node((n) => Effect.succeed(n + 10))
      yield* b.larder.get("k")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* b.larder.get("k"), 11)
    }).pipe(Effect.scoped),
  )
})

it.effect("law 13: of two changes within a millisecond a file keeps the later", () =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const held = yield* Deferred.make<void>()
    let puts = 0
    const slowFile = Layer.effect(
      Tier.Tier,
      Effect.map(Tier.Tier, (tier) => {
        if (tier.kind !== "bytes") throw new Error("a file keeps bytes")
        const open: Tier.ByteTier["open"] = (options) =>
          Effect.map(tier.open(options), (store) => ({
            ...store,
            put: (...args) =>
              Effect.suspend(() => {
                puts += 1
                const put = store.put(...args)
                return puts === 1 ? Effect.andThen(Deferred.await(held), put) : put
              }),
          }))
        return { ...tier, open }
      }),
    ).pipe(Layer.provide(file()))
    const { larder } = yield* make(yield* wallClock).pipe(Effect.provide(TierStack.layer(slowFile)))
    const first = yield* fork(larder.set("a", 1))
    yield* larder.set("a", 2)
    yield* Deferred.succeed(held, undefined)
    yield* Fiber.join(first)
    assert.strictEqual((yield* larder.read("a")).entry?.value, 2)
  }).pipe(Effect.scoped),
)

describe("law 21: a process that starts after the clock was corrected", () => {
  /** What the first process left in a file, read by a second one: of which the clock is right, or not any more. */
  const restarted = (policy: Partial<Policy.Options> = {}) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const wall = yield* wallClock
      const tier = Layer.succeedContext(yield* Layer.build(file()))
      const run = (clock: Clock.Clock, answer: (n: number) => Effect.Effect<number, string>) =>
        make({ ...wall, clock }, policy, answer).pipe(
          Effect.provide(TierStack.layer(MemoryTier.layer(), tier)),
        )
      return { run, wall }
    })

  it.effect(
    "asks for what was stored by a clock that was ahead, once, and keeps that its duration",
    () =>
      Effect.gen(function* () {
        const { run, wall } = yield* restarted()
        wall.step(10 * hours)
        yield* Effect.scoped(
          Effect.flatMap(run(wall.clock, Effect.succeed), ({ larder }) => larder.get("a")),
        )
        correct(wall)
        const { asked, larder } = yield* run(wall.again(), (n) => Effect.succeed(n))
        assert.notStrictEqual((yield* larder.read("a")).freshness._tag, "Fresh")
        yield* larder.get("a")
        assert.strictEqual(asked(), 1)
        yield* TestClock.adjust(9_999)
        yield* larder.get("a")
        assert.strictEqual(asked(), 1)
        yield* TestClock.adjust(1)
        yield* larder.get("a")
        assert.strictEqual(asked(), 2)
      }).pipe(Effect.scoped),
  )

  it.effect("gives it while upstream fails, for its own durations from then on", () =>
    Effect.gen(function* () {
      const { run, wall } = yield* restarted({ staleIfError: "20 seconds" })
      wall.step(10 * hours)
      yield* Effect.scoped(
        Effect.flatMap(run(wall.clock, Effect.succeed), ({ larder }) => larder.get("a")),
      )
      correct(wall)
      const { larder } = yield* run(wall.again(), () => Effect.fail("down"))
      assert.strictEqual(yield* larder.get("a"), 1)
      yield* TestClock.adjust(29_999)
      assert.strictEqual(yield* larder.get("a"), 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Effect.flip(larder.get("a")), "down")
    }).pipe(Effect.scoped),
  )

  it.effect(
    "lets an invalidation that drops cover it, although its numbers are of the future",
    () =>
      Effect.gen(function* () {
        const { run, wall } = yield* restarted({ staleIfError: "20 seconds" })
        wall.step(10 * hours)
        yield* Effect.scoped(
          Effect.flatMap(run(wall.clock, Effect.succeed), ({ larder }) => larder.get("a")),
        )
        correct(wall)
        const { larder } = yield* run(wall.again(), () => Effect.fail("down"))
        yield* larder.invalidateTags(["all"], { keepStale: false })
        assert.strictEqual(yield* Effect.flip(larder.get("a")), "down")
      }).pipe(Effect.scoped),
  )

  it.effect.each(["remove", "set", "refresh"] as const)(
    "is followed by what it changes, although versions are of the future: %s",
    (how) =>
      Effect.gen(function* () {
        const { run, wall } = yield* restarted({ staleIfError: "20 hours" })
        wall.step(10 * hours)
        yield* Effect.scoped(
          Effect.flatMap(run(wall.clock, Effect.succeed), ({ larder }) => larder.get("a")),
        )
        correct(wall)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { larder } = yield* run(wall.again(), () => Effect.succeed(2))
            if (how === "set") yield* larder.set("a", 2)
            else yield* larder[how]("a")
          }),
        )
        const { larder } = yield* run(wall.again(), () => Effect.fail("down"))
        const given = Effect.exit(larder.get("a"))
        const expected = how === "remove" ? Exit.fail("down") : Exit.succeed(2)
        assert.deepStrictEqual(yield* given, expected)
        yield* TestClock.adjust("10 hours")
        assert.deepStrictEqual(yield* given, expected)
      }).pipe(Effect.scoped),
  )

  it.effect("reads right what was stored after the clock of the first was set back", () =>
    Effect.gen(function* () {
      const { run, wall } = yield* restarted({ staleIfError: "1 minute" })
      wall.step(10 * hours)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { larder } = yield* run(wall.clock, Effect.succeed)
          yield* larder.get("b")
          correct(wall)
          yield* larder.get("a")
        }),
      )
      yield* TestClock.adjust("4 seconds")
      const { larder } = yield* run(wall.again(), Effect.succeed)
      const { entry } = yield* larder.read("a")
      assert.deepInclude(entry, { storedAt: start, staleUntil: start + 70_000 })
    }).pipe(Effect.scoped),
  )
})
