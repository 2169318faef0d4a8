/** The guarantees of a larder over the tier, whatever kind of tier it is. */
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { strict as assert } from "node:assert"
import { byteTier, checksThat, envelope, freshName, lifeMillis, type Subject } from "./subject.ts"

/** The tier alone; or, as on a node, behind a memory tier. */
const stackOf = ({ tier }: Subject, alone: boolean) => {
  const layer = Layer.succeed(Tier.Tier, tier)
  return alone ? TierStack.layer(layer) : TierStack.layer(MemoryTier.layer(), layer)
}

interface World {
  /** How often the larder called upstream. */
  asked: number
  upstream: Effect.Effect<number, "away">
}

const world = (): World => {
  const self: World = { asked: 0, upstream: Effect.sync(() => (self.asked += 1)) }
  return self
}

const policy: Policy.Options = {
  freshFor: "1 hour",
  staleIfError: "1 hour",
  // These checks accept a tier that answers slowly.
  tierTimeout: "5 seconds",
  tierBudget: "10 seconds",
}

const larderOf = (
  subject: Subject,
  name: string,
  self: World,
  options: { readonly alone?: boolean; readonly policy?: Partial<Policy.Options> } = {},
) =>
  Larder.make({
    name,
    value: Schema.Finite,
    upstream: Upstream.make({ lookup: (_: string) => Effect.suspend(() => self.upstream) }),
    tags: () => ["all"],
    policy: Policy.make({ ...policy, ...options.policy }),
  }).pipe(Effect.provide(stackOf(subject, options.alone ?? false)))

/** Runs a node from start to end; at its end it has written everything. */
const during = <K, A, E, B, E2>(
  node: Effect.Effect<Larder.Larder<K, A, E>, never, Scope.Scope>,
  use: (larder: Larder.Larder<K, A, E>) => Effect.Effect<B, E2, Scope.Scope>,
): Effect.Effect<B, E2> => Effect.scoped(Effect.flatMap(node, use))

const Any = Schema.Union([
  Schema.Number,
  Schema.String,
  Schema.Boolean,
  Schema.Null,
  Schema.Undefined,
  Schema.Array(Schema.Number),
  Schema.Struct({ name: Schema.String }),
])

const values: Readonly<Record<string, typeof Any.Type>> = {
  zero: 0,
  "not a number": Number.NaN,
  infinite: Number.POSITIVE_INFINITY,
  empty: "",
  text: "naïve 🗝 \u0000 \ud800",
  no: false,
  null: null,
  undefined: undefined,
  list: [],
  struct: { name: "" },
}

const anyOf = (subject: Subject, name: string, asked: Array<string>, alone: boolean) =>
  Larder.make({
    name,
    value: Any,
    upstream: Upstream.make({
      lookup: (key: string) => Effect.sync(() => (asked.push(key), values[key])),
    }),
    policy: Policy.make(policy),
  }).pipe(Effect.provide(stackOf(subject, alone)))

const single = checksThat("any")({
  "law 5: 0, undefined, null and the like are values": (subject) =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const larder = yield* anyOf(subject, yield* freshName("values"), asked, true)
      for (const [key, value] of Object.entries(values)) {
        assert.deepEqual(yield* larder.get(key), value, key)
        yield* settled(larder, key)
        assert.deepEqual(yield* larder.get(key), value, key)
        assert.equal((yield* larder.read(key)).freshness._tag, "Fresh", key)
      }
      assert.deepEqual(asked, Object.keys(values))
    }),

  "a value is looked up again when its freshness is over": (subject) =>
    Effect.gen(function* () {
      const self = world()
      const larder = yield* larderOf(subject, yield* freshName("fresh"), self, {
        alone: true,
        policy: { freshFor: "1 second" },
      })
      assert.equal(yield* larder.get("k"), 1)
      yield* subject.pass(1000)
      assert.equal(yield* larder.get("k"), 2)
    }),

  "law 4: nothing is served after the end of its life": (subject) =>
    Effect.gen(function* () {
      const self = world()
      const larder = yield* larderOf(subject, yield* freshName("life"), self, {
        alone: true,
        policy: { freshFor: "500 millis", staleIfError: "1 second" },
      })
      yield* larder.get("k")
      yield* settled(larder, "k")
      self.upstream = Effect.fail("away")
      yield* subject.pass(500)
      assert.equal(yield* larder.get("k"), 1)
      yield* subject.pass(1000)
      assert.equal(yield* Effect.flip(larder.get("k")), "away")
    }),

  "law 12: remove drops; expire, tags and clear keep the value for when upstream fails": (
    subject,
  ) =>
    Effect.gen(function* () {
      const name = yield* freshName("changes")
      const self = world()
      const larder = yield* larderOf(subject, name, self, { alone: true })
      const changes: Readonly<Record<string, Effect.Effect<Larder.Ack, unknown>>> = {
        expire: larder.expire("k"),
        invalidateTags: larder.invalidateTags(["all"]),
        clear: larder.clear(),
      }
      for (const [change, effect] of Object.entries(changes)) {
        const value = yield* refreshed(larder, self)
        assert.equal((yield* effect).settled, true, change)
        assert.equal((yield* larder.read("k")).freshness._tag, "Stale", change)
        assert.equal(yield* whileAway(self, larder.get("k")), value, change)
      }
      const drops: Readonly<Record<string, Effect.Effect<Larder.Ack, unknown>>> = {
        remove: larder.remove("k"),
        "invalidateTags, dropping": larder.invalidateTags(["all"], { keepStale: false }),
        "clear, dropping": larder.clear({ keepStale: false }),
      }
      for (const [change, effect] of Object.entries(drops)) {
        yield* refreshed(larder, self)
        assert.equal((yield* effect).settled, true, change)
        assert.equal(yield* whileAway(self, Effect.flip(larder.get("k"))), "away", change)
      }
    }),

  "law 13: a value that a caller sets is stored": (subject) =>
    Effect.gen(function* () {
      const self = world()
      const larder = yield* larderOf(subject, yield* freshName("set"), self, { alone: true })
      yield* larder.get("k")
      assert.equal((yield* larder.set("k", 42)).settled, true)
      assert.equal(yield* larder.get("k"), 42)
    }),

  "law 7: a thousand callers share one lookup": (subject) =>
    Effect.gen(function* () {
      const self = world()
      const gate = yield* Deferred.make<void>()
      self.upstream = Effect.andThen(
        Deferred.await(gate),
        Effect.sync(() => (self.asked += 1)),
      )
      const larder = yield* larderOf(subject, yield* freshName("herd"), self, { alone: true })
      const callers = yield* Effect.forEach(Array.from({ length: 1000 }), () =>
        Effect.forkChild(larder.get("k"), { startImmediately: true }),
      )
      yield* Deferred.succeed(gate, undefined)
      assert.deepEqual(new Set(yield* Fiber.joinAll(callers)), new Set([1]))
    }),
})

const whileAway = <A, E>(self: World, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const { upstream } = self
    self.upstream = Effect.fail("away")
    return Effect.onExit(effect, () => Effect.sync(() => void (self.upstream = upstream)))
  })

/** Waits until the tier has the lookup's result, which callers do not wait for. */
const settled = <A, E>(larder: Larder.Larder<string, A, E>, key: string): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    for (let i = 0; i < 10_000; i++) {
      if ((yield* larder.read(key)).freshness._tag === "Fresh") return
      yield* Effect.yieldNow
    }
    assert.fail(`${key} was looked up, and is not there`)
  }).pipe(Effect.orDie)

const refreshed = (larder: Larder.Larder<string, number, "away">, self: World) =>
  Effect.gen(function* () {
    yield* Effect.orDie(larder.refresh("k"))
    yield* settled(larder, "k")
    return self.asked
  })

const several = checksThat("arbiter")({
  "law 5: another node reads 0, undefined, null and the like without a lookup": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("values")
      const asked: Array<string> = []
      const keys = Object.keys(values)
      const node = anyOf(subject, name, asked, false)
      yield* during(node, (one) => Effect.forEach(keys, (key) => one.get(key)))
      yield* during(node, (other) =>
        Effect.gen(function* () {
          for (const key of keys) assert.deepEqual(yield* other.get(key), values[key], key)
          const many = yield* other.getMany(keys)
          assert.deepEqual([...many.keys()], keys)
          assert.ok([...many.values()].every(Exit.isSuccess))
        }),
      )
      assert.deepEqual(asked, keys)
    }),

  "law 5: Option.none() is a value for other nodes too": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("options")
      let asked = 0
      const node = Larder.make({
        name,
        value: Schema.Option(Schema.Finite),
        upstream: Upstream.make({
          lookup: (_: string) => Effect.sync(() => ((asked += 1), Option.none<number>())),
        }),
        policy: Policy.make(policy),
      }).pipe(Effect.provide(stackOf(subject, false)))
      for (const _ of [1, 2]) {
        assert.ok(Option.isNone(yield* during(node, (larder) => larder.get("k"))))
      }
      assert.equal(asked, 1)
    }),

  "law 4: an adopted entry keeps its remaining time": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("adopted")
      const self = world()
      const node = larderOf(subject, name, self, { policy: { freshFor: "2 seconds" } })
      yield* during(node, (one) => one.get("k"))
      yield* subject.pass(500)
      yield* during(node, (other) =>
        Effect.gen(function* () {
          assert.equal(yield* other.get("k"), 1)
          yield* subject.pass(1500)
          assert.equal(yield* other.get("k"), 2)
        }),
      )
    }),

  "law 7: one lookup in all nodes": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("herd")
      const self = world()
      const gate = yield* Deferred.make<void>()
      const begun = yield* Deferred.make<void>()
      self.upstream = Effect.gen(function* () {
        yield* Deferred.succeed(begun, undefined)
        yield* Deferred.await(gate)
        return (self.asked += 1)
      })
      const nodes = [yield* larderOf(subject, name, self), yield* larderOf(subject, name, self)]
      const callers = yield* Effect.forEach(
        nodes.flatMap((node) => Array.from({ length: 50 }, () => node)),
        (node) => Effect.forkChild(node.get("k"), { startImmediately: true }),
      )
      yield* Deferred.await(begun)
      yield* Deferred.succeed(gate, undefined)
      const joined = yield* Effect.forkChild(Fiber.joinAll(callers), { startImmediately: true })
      // Callers on the other node retry after a pause.
      while (joined.pollUnsafe() === undefined) yield* subject.pass(100)
      assert.deepEqual(new Set(yield* Fiber.join(joined)), new Set([1]))
    }),

  "laws 11, 12: a value that one node has changed or removed is not fresh for another": (subject) =>
    Effect.gen(function* () {
      const self = world()
      const changes = {
        remove: (larder) => larder.remove("k"),
        expire: (larder) => larder.expire("k"),
        invalidateTags: (larder) => larder.invalidateTags(["all"]),
        clear: (larder) => larder.clear(),
      } satisfies Record<
        string,
        (larder: Larder.Larder<string, number, "away">) => Effect.Effect<Larder.Ack, unknown>
      >
      for (const [change, apply] of Object.entries(changes)) {
        const node = larderOf(subject, yield* freshName(change), self)
        const value = yield* during(node, (one) => one.get("k"))
        assert.equal((yield* during(node, apply)).settled, true)
        yield* during(node, (other) =>
          Effect.gen(function* () {
            const found = yield* other.read("k")
            assert.equal(found.freshness._tag, change === "remove" ? "Missing" : "Stale", change)
            assert.equal(yield* other.get("k"), value + 1, change)
          }),
        )
      }
    }),

  "law 11: the value of a lookup that began before a change is fresh nowhere after it": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("late")
      const self = world()
      const gate = yield* Deferred.make<void>()
      const begun = yield* Deferred.make<void>()
      const { upstream } = self
      const slow = Effect.gen(function* () {
        yield* Deferred.succeed(begun, undefined)
        yield* Deferred.await(gate)
        return yield* upstream
      })
      const node = larderOf(subject, name, self)
      yield* during(node, (late) =>
        Effect.gen(function* () {
          self.upstream = slow
          const caller = yield* Effect.forkChild(late.get("k"), { startImmediately: true })
          yield* Deferred.await(begun)
          self.upstream = upstream
          assert.equal((yield* during(node, (other) => other.remove("k"))).settled, true)
          yield* Deferred.succeed(gate, undefined)
          assert.equal(yield* Fiber.join(caller), 1)
        }),
      )
      yield* during(node, (other) =>
        Effect.gen(function* () {
          assert.notEqual((yield* other.read("k")).freshness._tag, "Fresh")
          assert.equal(yield* other.get("k"), 2)
        }),
      )
    }),

  "law 16: an entry that does not decode is a miss, and the next load repairs it": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("garbage")
      const self = world()
      const node = larderOf(subject, name, self)
      const store = yield* byteTier(subject).open({ larder: name })
      yield* store.put("k", envelope("{ no JSON", 0, { version: 5, freshFor: 1e12 }), lifeMillis)
      for (const _ of [1, 2]) assert.equal(yield* during(node, (larder) => larder.get("k")), 1)
    }),

  "law 22: values that a node set or looked up are in the tier when it has closed": (subject) =>
    Effect.gen(function* () {
      const self = world()
      const node = larderOf(subject, yield* freshName("closing"), self)
      yield* during(node, (one) => Effect.andThen(one.get("looked up"), one.set("set", 42)))
      yield* during(node, (other) =>
        Effect.gen(function* () {
          assert.equal(yield* other.get("looked up"), 1)
          assert.equal(yield* other.get("set"), 42)
        }),
      )
      assert.equal(self.asked, 1)
    }),
})

export const larderChecks = [...single, ...several]
