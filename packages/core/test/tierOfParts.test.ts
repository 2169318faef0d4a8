/** Laws 14 and 15 for a tier of several servers: one that is away costs its own keys. */
import { it } from "@effect/vitest"
import {
  Larder,
  type LarderEvent,
  MemoryTier,
  Policy,
  Tier,
  TierStack,
  Upstream,
} from "@larder/core"
import { Clock, Effect, Exit, Fiber, Layer, Schema, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { assert } from "vitest"

/** A shared tier whose keys are on the server that their first letter names, and whose marks are on `m`. */
class Servers {
  readonly away = new Map<string, "hangs" | "fails" | "slow">()
  readonly trips: Array<string> = []
  notify: ((notice: Tier.Notice) => void) | undefined
  isPartOfBroken = false
  takesBatches = false
  onTrip: (trip: string) => void = () => {}

  readonly partOf = (key: string | undefined): string => {
    if (this.isPartOfBroken) throw new Error("no part")
    return key === undefined ? "m" : key.slice(0, 1)
  }

  ask<A>(operation: string, key: string | undefined, effect: Effect.Effect<A, Tier.TierError>) {
    return Effect.suspend((): Effect.Effect<A, Tier.TierError> => {
      const part = key === undefined ? "m" : key.slice(0, 1)
      this.trips.push(`${operation} ${part}`)
      this.onTrip(`${operation} ${part}`)
      const how = this.away.get(part)
      if (how === undefined) return effect
      if (how === "hangs") return Effect.never
      if (how === "slow") return Effect.delay(effect, 10)
      const cause = new Error("away")
      return Effect.fail(new Tier.TierError({ tier: "shared", operation, cause }))
    })
  }

  batches(arbiter: Tier.Arbiter): Pick<Tier.Arbiter, "acquireAll" | "commitAll"> {
    const ofOne = (requests: ReadonlyArray<{ readonly key: string }>) => {
      assert.strictEqual(new Set(requests.map(({ key }) => key.slice(0, 1))).size, 1)
      return requests[0]?.key
    }
    return {
      acquireAll: (requests) =>
        this.ask("acquireAll", ofOne(requests), arbiter.acquireAll!(requests)),
      commitAll: (commits) => this.ask("commitAll", ofOne(commits), arbiter.commitAll!(commits)),
    }
  }

  store(store: Tier.ByteStore): Tier.ByteStore {
    const arbiter = store.arbiter!
    return {
      partOf: this.partOf,
      read: (keys) => {
        const parts = new Set(keys.map((key) => key.slice(0, 1)))
        assert.strictEqual(parts.size, 1, "a read of several parts")
        return this.ask("read", keys[0], store.read(keys))
      },
      put: (key, ...rest) => this.ask("put", key, store.put(key, ...rest)),
      drop: (key, ...rest) => this.ask("drop", key, store.drop(key, ...rest)),
      arbiter: {
        ...(this.takesBatches ? this.batches(arbiter) : undefined),
        acquire: (key, ...rest) => this.ask("acquire", key, arbiter.acquire(key, ...rest)),
        renew: (key, ...rest) => this.ask("renew", key, arbiter.renew(key, ...rest)),
        release: (key, ...rest) => this.ask("release", key, arbiter.release(key, ...rest)),
        commit: (key, ...rest) => this.ask("commit", key, arbiter.commit(key, ...rest)),
        write: (key, ...rest) => this.ask("write", key, arbiter.write(key, ...rest)),
        mark: (...args) => this.ask("mark", undefined, arbiter.mark(...args)),
        marks: (since) => this.ask("marks", undefined, arbiter.marks(since)),
        listen: arbiter.listen,
      },
    }
  }
}

const take = (servers: Servers) => servers.trips.splice(0)

type Shared = Tier.ObjectTier | Tier.ByteTier

const layerOn = (shared: Shared, servers: Servers) =>
  Layer.sync(Tier.Tier, () => {
    assert(shared.kind === "bytes")
    return {
      ...shared,
      open: (options: Parameters<Tier.ByteTier["open"]>[0]) => {
        servers.notify = options.notify
        return Effect.map(shared.open(options), (store) => servers.store(store))
      },
    }
  })

const node = (shared: Shared, servers: Servers, memory = true) =>
  Effect.gen(function* () {
    const asked: Array<string> = []
    const tier = layerOn(shared, servers)
    const stack = yield* Layer.build(
      memory ? TierStack.layer(MemoryTier.layer(), tier) : TierStack.layer(tier),
    )
    const larder = yield* Larder.make({
      name: "parts",
      value: Schema.String,
      upstream: Upstream.make({
        lookup: (key: string) =>
          Effect.sync(() => {
            asked.push(key)
            return `${key} from upstream`
          }),
      }),
      policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 hour", jitter: 0 }),
      tags: (_, key) => [key.slice(-1)],
      // Servers that are still away when a test ends are not waited for.
      closeTimeout: 0,
    }).pipe(Effect.provide(stack))
    return { larder, asked, servers }
  })

const law = (title: string, body: (shared: Shared) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const context = yield* Layer.build(Layer.fresh(MemoryTier.layerShared))
      yield* body(yield* Effect.provide(Tier.Tier, context))
    }).pipe(Effect.scoped),
  )

/** The result of the effect, and its duration in virtual milliseconds. */
const took = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(1)
    return [yield* Fiber.join(fiber), (yield* Clock.currentTimeMillis) - began] as const
  })

const range = (count: number, letter: string) =>
  Array.from({ length: count }, (_, i) => `${letter}${i}`)

law("law 7: of many cold keys each server is asked once to read, lease and commit", (shared) =>
  Effect.gen(function* () {
    const servers = new Servers()
    servers.takesBatches = true
    const { larder } = yield* node(shared, servers)
    yield* larder.get("m")
    yield* TestClock.adjust(10)
    take(servers)
    yield* took(larder.getMany([...range(40, "a"), ...range(40, "b"), ...range(20, "c")]))
    for (let i = 0; i < 10; i++) yield* TestClock.adjust(1)
    const trips = ["read", "acquireAll", "commitAll"]
    const each = trips.flatMap((trip) => ["a", "b", "c"].map((server) => `${trip} ${server}`))
    const taken = take(servers)
    // Beside each batch of commits the marks are read on their own server, once for all keys.
    const [marks, others] = [
      taken.filter((trip) => trip === "marks m"),
      taken.filter((trip) => trip !== "marks m"),
    ]
    assert.sameMembers(others, each)
    assert.isAtMost(marks.length, 3)
  }),
)

for (const how of ["hangs", "fails"] as const) {
  law(`laws 7, 14: a server that ${how} when leases are asked for costs its own keys`, (shared) =>
    Effect.gen(function* () {
      const servers = new Servers()
      servers.takesBatches = true
      const { asked, larder } = yield* node(shared, servers)
      yield* larder.get("m")
      const keys = [...range(50, "a"), ...range(20, "c")]
      servers.onTrip = (trip) => {
        if (trip === "acquireAll c") servers.away.set("c", how)
      }
      const [found, millis] = yield* took(larder.getMany(keys))
      assert.isAtMost(millis, 110)
      assert.isTrue([...found.values()].every(Exit.isSuccess))
      assert.strictEqual(asked.length, 71)
      yield* TestClock.adjust(10)
      // One step, which its breaker counts once: others go on.
      const { breakers } = yield* larder.stats
      assert.isTrue(Object.values(breakers).every((state) => state === "Closed"))
      const b = yield* node(shared, new Servers())
      yield* took(b.larder.getMany(keys))
      assert.sameMembers(b.asked, range(20, "c"))
    }),
  )
}

for (const how of ["hangs", "fails"] as const) {
  law(
    `law 14: of many keys those of a server that ${how} are looked up, the others read`,
    (shared) =>
      Effect.gen(function* () {
        const writer = yield* node(shared, new Servers())
        const keys = [...range(50, "a"), ...range(50, "b"), ...range(20, "c")]
        for (const key of keys) yield* writer.larder.set(key, `${key} stored`)
        const servers = new Servers()
        const { asked, larder } = yield* node(shared, servers)
        servers.away.set("c", how)
        const [found, millis] = yield* took(larder.getMany(keys))
        assert.isAtMost(millis, 110)
        for (const key of keys) {
          const from = key.startsWith("c") ? "from upstream" : "stored"
          assert.deepStrictEqual(found.get(key), Exit.succeed(`${key} ${from}`))
        }
        assert.sameMembers(asked, range(20, "c"))
        assert.deepStrictEqual(
          take(servers)
            .filter((trip) => trip.startsWith("read") || trip.startsWith("marks"))
            .toSorted(),
          ["marks m", "read a", "read b", "read c"],
        )
      }),
  )

  law(`law 14: the breaker of a server that ${how} is its own, for every operation`, (shared) =>
    Effect.gen(function* () {
      const writer = yield* node(shared, new Servers())
      for (const key of range(20, "a")) yield* writer.larder.set(key, `${key} stored`)
      const servers = new Servers()
      const { asked, larder } = yield* node(shared, servers)
      assert.strictEqual(yield* larder.get("a0"), "a0 stored")
      servers.away.set("c", how)
      for (const key of range(8, "c")) {
        const [{ pending, settled }, millis] = yield* took(larder.set(key, "v"))
        assert.isFalse(settled)
        assert.deepStrictEqual(pending, ["shared"])
        assert.isAtMost(millis, 110)
      }
      const { breakers } = yield* larder.stats
      assert.deepInclude(breakers, { "shared a": "Closed", "shared c": "Open" })
      take(servers)
      assert.isFalse((yield* larder.remove("c1")).settled)
      assert.deepStrictEqual(take(servers), [])
      for (const key of range(20, "a")) assert.strictEqual(yield* larder.get(key), `${key} stored`)
      // Applied, but earlier changes of the node wait.
      assert.isFalse((yield* larder.set("b", "set")).settled)
      assert.isFalse((yield* larder.expire("a3")).settled)
      assert.isFalse((yield* larder.invalidateTags(["9"])).settled)
      assert.strictEqual((yield* writer.larder.read("b")).entry?.value, "set")
      assert.strictEqual(yield* larder.get("b1"), "b1 from upstream")
      assert.strictEqual((yield* larder.getWithMeta("a4")).value, "a4 stored")
      assert.strictEqual((yield* larder.read("a5")).entry?.value, "a5 stored")
      assert.deepStrictEqual(asked, ["b1"])
      servers.away.clear()
    }),
  )
}

law(
  "law 15: what one server missed keeps nothing of the others from being read or replayed",
  (shared) =>
    Effect.gen(function* () {
      const writer = yield* node(shared, new Servers())
      for (const key of ["a1", "a2", "b1", "b2", "c1", "c2"]) yield* writer.larder.set(key, "old")
      const servers = new Servers()
      const { asked, larder } = yield* node(shared, servers, false)
      assert.strictEqual(yield* larder.get("a2"), "old")
      for (const part of ["a", "b"]) servers.away.set(part, "fails")
      assert.isFalse((yield* larder.remove("a1")).settled)
      assert.isFalse((yield* larder.remove("b1")).settled)
      assert.strictEqual(yield* larder.get("c1"), "old")
      servers.away.delete("b")
      // The replay goes past the server that is still away, whichever comes first.
      yield* TestClock.adjust("1 second")
      assert.include(take(servers), "write b")
      assert.strictEqual((yield* writer.larder.read("b1")).freshness._tag, "Missing")
      assert.strictEqual(yield* larder.get("b1"), "b1 from upstream")
      assert.strictEqual(yield* larder.get("c2"), "old")
      assert.strictEqual(yield* larder.get("a1"), "a1 from upstream")
      servers.away.clear()
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(yield* larder.get("a1"), "a1 from upstream")
      assert.isTrue((yield* larder.set("a1", "new")).settled)
      assert.deepStrictEqual(asked.toSorted(), ["a1", "a1", "b1"])
    }),
)

law(
  "law 15: a key whose change its server missed is not read from it, though its server answers again",
  (shared) =>
    Effect.gen(function* () {
      const servers = new Servers()
      const { larder } = yield* node(shared, servers, false)
      assert.isTrue((yield* larder.set("a1", "old")).settled)
      servers.away.set("a", "fails")
      assert.isFalse((yield* larder.remove("a1")).settled)
      servers.away.delete("a")
      assert.strictEqual(yield* larder.get("a1"), "a1 from upstream")
    }),
)

law(
  "law 12: while the server of the marks is away, own marks hold on entries of the others",
  (shared) =>
    Effect.gen(function* () {
      const other = yield* node(shared, new Servers(), false)
      const servers = new Servers()
      const { asked, larder } = yield* node(shared, servers, false)
      for (const key of ["a1", "a2"]) yield* other.larder.set(key, "old")
      assert.strictEqual(yield* larder.get("a1"), "old")
      servers.away.set("m", "hangs")
      const [{ settled }, millis] = yield* took(larder.invalidateTags(["1"]))
      assert.isFalse(settled)
      assert.isAtMost(millis, 110)
      // Another node has not heard of it: its mark, and what it stores after that, are younger.
      yield* TestClock.adjust("10 millis")
      assert.isTrue((yield* other.larder.invalidateTags(["9"])).settled)
      yield* other.larder.set("b1", "looked up before")
      assert.strictEqual(yield* larder.get("b1"), "b1 from upstream")
      assert.strictEqual(yield* larder.get("a1"), "a1 from upstream")
      assert.strictEqual(yield* larder.get("a2"), "old")
      assert.deepStrictEqual(asked, ["b1", "a1"])
      servers.away.clear()
    }),
)

law(
  "law 14: the age of the marks gates nothing while their server is away, once they were known",
  (shared) =>
    Effect.gen(function* () {
      const other = yield* node(shared, new Servers())
      for (const key of range(40, "a")) yield* other.larder.set(key, "stored")
      const servers = new Servers()
      const { asked, larder } = yield* node(shared, servers)
      assert.strictEqual(yield* larder.get("a0"), "stored")
      servers.away.set("m", "hangs")
      yield* TestClock.adjust("10 seconds")
      for (const key of range(40, "a")) {
        const [value, millis] = yield* took(larder.get(key))
        assert.strictEqual(value, "stored")
        assert.isAtMost(millis, 110)
      }
      assert.deepStrictEqual(asked, [])
      // A node that never knew any cannot judge what is there.
      const late = new Servers()
      late.away.set("m", "fails")
      const newcomer = yield* node(shared, late)
      const [value] = yield* took(newcomer.larder.get("a1"))
      assert.strictEqual(value, "a1 from upstream")
      late.away.clear()
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(yield* newcomer.larder.get("a2"), "stored")
    }),
)

law("law 15: a removal that was missed before any mark was known leaves nothing older", (shared) =>
  Effect.gen(function* () {
    const writer = yield* node(shared, new Servers(), false)
    assert.isTrue((yield* writer.larder.set("a1", "old")).settled)
    yield* TestClock.adjust(10)
    const servers = new Servers()
    for (const part of ["a", "m"]) servers.away.set(part, "fails")
    const { larder } = yield* node(shared, servers, false)
    assert.isFalse((yield* larder.remove("a1")).settled)
    servers.away.delete("a")
    yield* TestClock.adjust("2 seconds")
    servers.away.clear()
    yield* TestClock.adjust("10 seconds")
    assert.strictEqual((yield* writer.larder.read("a1")).freshness._tag, "Missing")
    assert.strictEqual(yield* larder.get("a1"), "a1 from upstream")
  }),
)

law(
  "law 15: more missed keys than are kept become one mark, and until it is sent nothing is believed",
  (shared) =>
    Effect.gen(function* () {
      const servers = new Servers()
      const { larder } = yield* node(shared, servers, false)
      assert.isTrue((yield* larder.set("a1", "old")).settled)
      assert.isTrue((yield* larder.set("b1", "old")).settled)
      for (const part of ["a", "m"]) servers.away.set(part, "fails")
      for (const key of range(1_001, "a")) yield* larder.remove(key)
      servers.away.delete("a")
      assert.strictEqual(yield* larder.get("a1"), "a1 from upstream")
      assert.strictEqual(yield* larder.get("b1"), "b1 from upstream")
      servers.away.clear()
    }),
)

law(
  "law 14: the breaker of the server of the marks keeps no key of another server away",
  (shared) =>
    Effect.gen(function* () {
      const servers = new Servers()
      const { larder } = yield* node(shared, servers, false)
      assert.isTrue((yield* larder.set("a1", "stored")).settled)
      assert.strictEqual(yield* larder.get("a1"), "stored")
      servers.away.set("m", "fails")
      yield* TestClock.adjust("6 seconds")
      for (let i = 0; i < 6; i++) yield* larder.read("b1")
      assert.strictEqual((yield* larder.stats).breakers["shared m"], "Open")
      assert.strictEqual((yield* larder.read("a1")).entry?.value, "stored")
      servers.away.clear()
    }),
)

law(
  "law 14: a server that has never told its marks costs others nothing but their wait",
  (shared) =>
    Effect.gen(function* () {
      const servers = new Servers()
      servers.away.set("m", "hangs")
      const { larder } = yield* node(shared, servers)
      for (const key of range(8, "a")) {
        const [value, millis] = yield* took(larder.get(key))
        assert.strictEqual(value, `${key} from upstream`)
        assert.isAtMost(millis, 210)
      }
      const { breakers } = yield* larder.stats
      assert.deepInclude(breakers, { "shared a": "Closed", "shared m": "Open" })
      servers.away.clear()
    }),
)

law("law 14: marks that are old hold up a lease no more than the read before it", (shared) =>
  Effect.gen(function* () {
    const servers = new Servers()
    const { larder } = yield* node(shared, servers)
    yield* larder.get("a1")
    servers.away.set("m", "hangs")
    yield* TestClock.adjust("6 seconds")
    const [value, millis] = yield* took(larder.get("a2"))
    assert.strictEqual(value, "a2 from upstream")
    assert.isAtMost(millis, 101)
    servers.away.clear()
  }),
)

for (const way of ["get", "read"] as const) {
  law(`a connection that is back is probed by a key that was asked for (${way})`, (shared) =>
    Effect.gen(function* () {
      const servers = new Servers()
      const { larder } = yield* node(shared, servers)
      yield* larder.get("b1")
      servers.away.set("a", "fails")
      for (const key of range(8, "a")) yield* larder[way](key)
      assert.strictEqual((yield* larder.stats).breakers["shared a"], "Open")
      servers.away.clear()
      servers.notify?.({ _tag: "Connected" })
      yield* Effect.yieldNow
      assert.strictEqual((yield* larder.stats).breakers["shared a"], "Closed")
    }),
  )
}

law("law 15: marks that were missed are sent once, to their own server", (shared) =>
  Effect.gen(function* () {
    const servers = new Servers()
    const { larder } = yield* node(shared, servers)
    yield* larder.read("a1")
    for (const part of ["a", "b", "m"]) servers.away.set(part, "fails")
    for (const key of ["a1", "b1"]) assert.isFalse((yield* larder.remove(key)).settled)
    assert.isFalse((yield* larder.invalidateTags(["t"])).settled)
    for (const part of ["a", "b", "m"]) servers.away.set(part, "slow")
    take(servers)
    yield* TestClock.adjust("1100 millis")
    assert.sameMembers(take(servers), ["mark m", "write a", "write b"])
  }),
)

law("a connection that is back closes the breaker by a probe at once", (shared) =>
  Effect.gen(function* () {
    const servers = new Servers()
    const { larder } = yield* node(shared, servers)
    const events: Array<LarderEvent.LarderEvent> = []
    yield* Stream.fromSubscription(yield* larder.subscribe).pipe(
      Stream.runForEach((event) => Effect.sync(() => events.push(event))),
      Effect.forkScoped({ startImmediately: true }),
    )
    for (const part of ["a", "m"]) servers.away.set(part, "fails")
    for (const key of range(8, "a")) assert.isFalse((yield* larder.set(key, "v")).settled)
    for (let i = 0; i < 8; i++) assert.isFalse((yield* larder.invalidateTags(["t"])).settled)
    const state = Effect.map(larder.stats, ({ breakers }) => [
      breakers["shared a"],
      breakers["shared m"],
    ])
    assert.deepStrictEqual(yield* state, ["Open", "Open"])
    // A connection to a server that does not answer yet closes nothing.
    servers.notify?.({ _tag: "Connected" })
    yield* Effect.yieldNow
    assert.deepStrictEqual(yield* state, ["Open", "Open"])
    servers.away.clear()
    servers.notify?.({ _tag: "Connected" })
    yield* Effect.yieldNow
    assert.deepStrictEqual(yield* state, ["Closed", "Closed"])
    assert.isTrue((yield* larder.set("a1", "v")).settled)
    yield* TestClock.adjust(1)
    const changes = events.flatMap((event) =>
      event._tag === "BreakerChanged" && event.breaker === "shared a" ? [event.to] : [],
    )
    assert.deepStrictEqual(changes, ["Open", "HalfOpen", "Closed"])
  }),
)

law("a server that refuses for a while after it is back is asked again, in pauses", (shared) =>
  Effect.gen(function* () {
    const servers = new Servers()
    const { larder } = yield* node(shared, servers)
    servers.away.set("a", "fails")
    for (const key of range(8, "a")) assert.isFalse((yield* larder.set(key, "v")).settled)
    servers.notify?.({ _tag: "Connected" })
    yield* TestClock.adjust("1200 millis")
    take(servers)
    servers.away.clear()
    yield* TestClock.adjust("400 millis")
    assert.deepStrictEqual(take(servers)[0], "read a")
    assert.isTrue((yield* larder.set("a1", "v")).settled)
    yield* TestClock.adjust("10 seconds")
    assert.deepStrictEqual(
      take(servers).filter((trip) => trip === "read a"),
      [],
    )
  }),
)

law("a connection that comes twice is probed by one loop", (shared) =>
  Effect.gen(function* () {
    const servers = new Servers()
    const { larder } = yield* node(shared, servers)
    servers.away.set("a", "fails")
    for (const key of range(8, "a")) assert.isFalse((yield* larder.set(key, "v")).settled)
    take(servers)
    for (const _ of range(3, "")) servers.notify?.({ _tag: "Connected" })
    yield* TestClock.adjust("600 millis")
    assert.lengthOf(
      take(servers).filter((trip) => trip === "read a"),
      4,
    )
  }),
)

law("what still waits on a connection that was lost does not open the breaker again", (shared) =>
  Effect.gen(function* () {
    const servers = new Servers()
    const { larder } = yield* node(shared, servers)
    servers.away.set("a", "fails")
    for (const key of range(8, "a")) assert.isFalse((yield* larder.set(key, "v")).settled)
    servers.away.set("a", "hangs")
    yield* TestClock.adjust("6 seconds")
    // The breaker's own probe is under way when the connection is made anew.
    const probe = yield* Effect.forkChild(larder.set("a1", "v"), { startImmediately: true })
    yield* TestClock.adjust(10)
    servers.away.clear()
    servers.notify?.({ _tag: "Connected" })
    yield* TestClock.adjust(200)
    assert.isFalse((yield* Fiber.join(probe)).settled)
    assert.isTrue((yield* larder.set("a2", "v")).settled)
  }),
)

law("a tier that cannot say where a key is has one breaker for such keys", (shared) =>
  Effect.gen(function* () {
    const servers = new Servers()
    servers.isPartOfBroken = true
    const { larder } = yield* node(shared, servers)
    assert.isTrue((yield* larder.set("a1", "v")).settled)
    assert.strictEqual((yield* larder.stats).breakers["shared"], "Closed")
  }),
)
