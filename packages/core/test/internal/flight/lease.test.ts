/** Law 10, and the costs and savings of a lease: the requests of two nodes as one arbiter sees them. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, type Tier, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, PubSub, Random, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as scripted from "../../support/scriptedTier.ts"

const start = 1_790_000_000_000

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

type Node = Larder.Larder<string, number, string>

interface World {
  readonly script: scripted.Script
  /** A node of its own over the same arbiter. */
  readonly node: (
    lookup: Effect.Effect<number, string>,
    options?: { readonly schemaVersion?: number; readonly policy?: Partial<Policy.Options> },
  ) => Effect.Effect<Node, never, Scope.Scope>
  /** The requests for a lease so far: how many ms after the start, and whether by force. */
  readonly requests: () => ReadonlyArray<readonly [number, boolean]>
  /** The next random numbers: by default, pauses are not shortened. */
  chance: () => number
}

const world = Effect.gen(function* () {
  const script = new scripted.Script()
  const tier = Layer.succeedContext(yield* Layer.build(scripted.layer(script)))
  const self: World = {
    script,
    chance: () => 0,
    node: (lookup, { policy, ...options } = {}) =>
      Larder.make({
        name: "leases",
        value: Schema.Finite,
        upstream: Upstream.make({
          lookup: (_: string) => lookup,
          lookupMany: (keys: ReadonlyArray<string>) =>
            Effect.map(lookup, (value) => new Map(keys.map((key) => [key, value]))),
        }),
        policy: Policy.make({
          freshFor: "10 seconds",
          staleIfError: "1 hour",
          retryAfterFailure: "5 seconds",
          ...policy,
        }),
        ...options,
      }).pipe(
        Effect.provide(TierStack.layer(MemoryTier.layer(), tier)),
        Effect.provideService(Random.Random, {
          nextDoubleUnsafe: () => self.chance(),
          nextIntUnsafe: () => 0,
        }),
      ),
    requests: () =>
      script.of("acquire").map(({ args, at }) => [at - start, args[1].force] as const),
  }
  return self
})

const test = (title: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () =>
    Effect.andThen(TestClock.setTime(start), Effect.scoped(Effect.flatMap(world, body))),
  )

const after = (millis: number, value = 1) => Effect.delay(Effect.succeed(value), millis)

const times = (script: scripted.Script, operation: scripted.Operation) =>
  script.of(operation).map(({ at }) => Math.round(at - start))

/** The events of these kinds that the larder tells of while the effect runs. */
const eventsOf = <A, E, R>(
  node: Node,
  kinds: ReadonlyArray<string>,
  effect: Effect.Effect<A, E, R>,
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const subscription = yield* node.subscribe
      yield* effect
      const events = yield* PubSub.takeAll(subscription)
      return events.filter(({ _tag }) => kinds.includes(_tag)).map(({ _tag }) => _tag)
    }),
  )

describe("law 10: a slow holder renews its lease at a third of its time", () => {
  const calls: Readonly<Record<string, (node: Node) => Effect.Effect<unknown, unknown>>> = {
    get: (node) => node.get("k"),
    getMany: (node) => node.getMany(["k"]),
    refresh: (node) => node.refresh("k"),
  }
  for (const [name, call] of Object.entries(calls)) {
    test(`${name}: as long as the lookup runs, and no longer`, ({ node, script }) =>
      Effect.gen(function* () {
        const a = yield* node(after(11_000))
        yield* fork(call(a))
        yield* TestClock.adjust("1 minute")
        expect(times(script, "renew")).toEqual([3_333, 6_667, 10_000])
      }))

    test(`${name}: and no longer than a caller waits`, ({ node, script }) =>
      Effect.gen(function* () {
        const a = yield* node(Effect.never)
        const caller = yield* fork(call(a))
        yield* TestClock.adjust(4_000)
        yield* Fiber.interrupt(caller)
        yield* TestClock.adjust("1 minute")
        expect(times(script, "renew")).toEqual([3_333])
      }))
  }

  test("a renewal that is under way when the lookup ends is the last", ({ node, script }) =>
    Effect.gen(function* () {
      script.instead.renew =
        (renew) =>
        (...args) =>
          Effect.tap(renew(...args), Effect.sleep(50))
      const a = yield* node(after(3_350))
      yield* fork(a.get("k"))
      yield* TestClock.adjust("1 minute")
      expect(times(script, "renew")).toEqual([3_333])
    }))

  test("a renewal that reaches the arbiter after the commit is not told as a lost lease", ({
    node,
    script,
  }) =>
    Effect.gen(function* () {
      script.instead.renew =
        (renew) =>
        (...args) =>
          Effect.delay(renew(...args), 50)
      const a = yield* node(after(3_350))
      const lost = yield* eventsOf(
        a,
        ["LeaseLost"],
        Effect.andThen(fork(a.get("k")), TestClock.adjust("1 minute")),
      )
      expect(lost).toEqual([])
      expect(times(script, "renew")).toEqual([3_333])
    }))

  test("a renewal without an answer is not the last, and no lease is said to be lost", ({
    node,
    script,
  }) =>
    Effect.gen(function* () {
      script.instead.renew = () => () => Effect.never
      const a = yield* node(after(8_000))
      const lost = yield* eventsOf(
        a,
        ["LeaseLost"],
        Effect.andThen(fork(a.get("k")), TestClock.adjust("1 minute")),
      )
      expect(lost).toEqual([])
      expect(times(script, "renew")).toEqual([3_333, 6_767])
    }))

  test("a lease that is lost is told, and not renewed any more", ({ node, script }) =>
    Effect.gen(function* () {
      script.instead.renew = () => () => Effect.succeed(false)
      const a = yield* node(after(20_000))
      const lost = yield* eventsOf(
        a,
        ["LeaseLost"],
        Effect.andThen(fork(a.get("k")), TestClock.adjust("1 minute")),
      )
      expect(lost).toEqual(["LeaseLost"])
      expect(times(script, "renew")).toEqual([3_333])
    }))
})

test("law 10: a lease is given back where a tier has answered for the lookup meanwhile", ({
  node,
  script,
}) =>
  Effect.gen(function* () {
    let millis = 0
    script.isDeaf = true
    const a = yield* node(Effect.suspend(() => after(millis)))
    const b = yield* node(after(0, 2))
    yield* a.get("k")
    yield* TestClock.adjust(11_000)
    millis = 4_000
    const caller = yield* fork(a.get("k", { maxAge: 0, stale: "never" }))
    yield* TestClock.adjust(1_000)
    yield* b.refresh("k")
    yield* TestClock.adjust(1_000)
    // This caller may have what the other node has stored, and that is new enough for the first one.
    expect(yield* a.get("k")).toBe(2)
    expect(yield* Fiber.join(caller)).toBe(2)
    expect(script.of("release")).toEqual([])
    yield* TestClock.adjust(2_000)
    expect(times(script, "release")).toEqual([15_000])
  }))

describe("law 10: another node's lookup is waited for", () => {
  test("for one lease at most, ever more seldom, then its lease is taken over", ({
    node,
    requests,
    script,
  }) =>
    Effect.gen(function* () {
      const a = yield* node(Effect.never)
      const b = yield* node(after(0, 2))
      yield* fork(a.get("k"))
      script.calls.length = 0
      const caller = yield* fork(b.get("k"))
      yield* TestClock.adjust(9_999)
      expect(caller.pollUnsafe()).toBe(undefined)
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(caller)).toBe(2)
      const polls = [0, 50, 150, 350, 750, 1_550, 2_550, 3_550, 4_550, 5_550, 6_550, 7_550, 8_550]
      expect(requests()).toEqual([
        ...[...polls, 9_550, 10_000].map((at) => [at, false]),
        [10_000, true],
      ])
    }))

  test("with pauses that chance shortens by up to a half", (world) =>
    Effect.gen(function* () {
      world.chance = () => 0.999
      const a = yield* world.node(Effect.never)
      const b = yield* world.node(after(0, 2))
      yield* fork(a.get("k"))
      world.script.calls.length = 0
      yield* fork(b.get("k"))
      yield* TestClock.adjust(400)
      expect(world.requests().map(([at]) => at)).toEqual([0, 26, 77, 178, 379])
    }))

  test("and no longer than a lookup may take", ({ node, requests }) =>
    Effect.gen(function* () {
      const a = yield* node(Effect.never)
      const b = yield* node(after(0, 2), { policy: { hardTimeout: "2 seconds" } })
      yield* fork(a.get("k"))
      const caller = yield* fork(b.get("k"))
      yield* TestClock.adjust(1_999)
      expect(caller.pollUnsafe()).toBe(undefined)
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(caller)).toBe(2)
      expect(requests().at(-1)).toEqual([2_000, true])
    }))

  const calls: Readonly<Record<string, (node: Node) => Effect.Effect<unknown, unknown>>> = {
    get: (node) => node.get("k"),
    getMany: (node) => node.getMany(["k"]),
  }
  for (const [name, call] of Object.entries(calls)) {
    test(`and ends with the message of its commit, for every waiting node: ${name}`, ({
      node,
      requests,
    }) =>
      Effect.gen(function* () {
        const a = yield* node(after(1_234))
        const others = [
          yield* node(after(0, 2)),
          yield* node(after(0, 2)),
          yield* node(after(0, 2)),
        ]
        yield* fork(call(a))
        const asked = yield* Effect.forEach(others, (other, i) =>
          fork(i === 0 ? Effect.asVoid(other.getMany(["k"])) : Effect.asVoid(other.get("k"))),
        )
        yield* TestClock.adjust(1_233)
        expect(asked.map((one) => one.pollUnsafe())).toEqual([undefined, undefined, undefined])
        yield* TestClock.adjust(1)
        expect(asked.every((one) => one.pollUnsafe() !== undefined)).toBe(true)
        for (const other of others) expect((yield* other.stats).lookups).toBe(0)
        expect(
          requests()
            .slice(-3)
            .map(([at]) => at),
        ).toEqual([1_234, 1_234, 1_234])
      }))
  }

  for (const [name, call] of Object.entries(calls)) {
    test(`and ends with the message of a failure, for every waiting node: ${name}`, ({ node }) =>
      Effect.gen(function* () {
        const down = Effect.fail("down")
        const a = yield* node(Effect.delay(down, 1_234))
        // B has nothing to serve: B looks the key up despite the failure, and C gets the value from B.
        const [b, c] = [yield* node(after(0, 2)), yield* node(after(0, 3))]
        yield* fork(Effect.ignore(call(a)))
        const asked = [yield* fork(call(b)), yield* fork(call(c))]
        yield* TestClock.adjust(1_233)
        expect(asked.map((one) => one.pollUnsafe())).toEqual([undefined, undefined])
        yield* TestClock.adjust(1)
        expect(asked.every((one) => one.pollUnsafe() !== undefined)).toBe(true)
        expect((yield* b.stats).lookups + (yield* c.stats).lookups).toBe(1)
      }))

    test(`and ends with the message of a lookup that was given up: ${name}`, ({ node }) =>
      Effect.gen(function* () {
        const a = yield* node(Effect.never)
        const b = yield* node(after(0, 2))
        const abandoned = yield* fork(a.get("k"))
        const caller = yield* fork(call(b))
        yield* TestClock.adjust(1_234)
        expect(caller.pollUnsafe()).toBe(undefined)
        yield* Fiber.interrupt(abandoned)
        yield* TestClock.adjust(0)
        yield* Fiber.join(caller)
        expect((yield* b.stats).lookups).toBe(1)
      }))
  }

  test("and ends with another's failure where the waiting node has a stale value", ({
    node,
    requests,
    script,
  }) =>
    Effect.gen(function* () {
      const [a, b] = [yield* node(after(0)), yield* node(after(0, 2))]
      yield* a.get("k")
      yield* b.get("k")
      yield* TestClock.adjust(10_000)
      const c = yield* node(Effect.delay(Effect.fail("down"), 1_234))
      yield* fork(Effect.ignore(c.get("k")))
      script.calls.length = 0
      const caller = yield* fork(b.get("k"))
      yield* TestClock.adjust(1_233)
      expect(caller.pollUnsafe()).toBe(undefined)
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(caller)).toBe(1)
      expect((yield* b.stats).lookups).toBe(0)
      expect(requests().at(-1)).toEqual([11_234, false])
    }))

  test("and ends with a message that overtakes the answer to the last request", ({
    node,
    script,
  }) =>
    Effect.gen(function* () {
      const a = yield* node(after(130))
      const b = yield* node(after(0, 2))
      yield* fork(a.get("k"))
      // Each answer is from before the commit, and arrives after its message.
      script.instead.acquire =
        (acquire) =>
        (...args) =>
          Effect.tap(acquire(...args), Effect.sleep(60))
      const caller = yield* fork(b.get("k"))
      yield* TestClock.adjust(60 + 50 + 60 + 59)
      expect(caller.pollUnsafe()).toBe(undefined)
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(caller)).toBe(1)
    }))

  test("by polls again after a message that ended nothing", ({ node, requests, script }) =>
    Effect.gen(function* () {
      const a = yield* node(Effect.never)
      const b = yield* node(after(0, 2))
      yield* fork(a.get("k"))
      script.calls.length = 0
      yield* fork(b.get("k"))
      yield* TestClock.adjust(20)
      script.say({ _tag: "Changed", key: "k", version: 1, isRemoval: false })
      yield* TestClock.adjust(380)
      expect(requests().map(([at]) => at)).toEqual([0, 20, 120, 320])
    }))

  test("by polls where messages are lost", ({ node, script }) =>
    Effect.gen(function* () {
      script.isDeaf = true
      const a = yield* node(after(1_234))
      const b = yield* node(after(0, 2))
      yield* fork(a.get("k"))
      const caller = yield* fork(b.get("k"))
      yield* TestClock.adjust(1_549)
      expect(caller.pollUnsafe()).toBe(undefined)
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(caller)).toBe(1)
    }))

  for (const [name, call] of Object.entries(calls)) {
    test(`${name}: also where one request in between is not answered`, ({ node, script }) =>
      Effect.gen(function* () {
        script.isDeaf = true
        const a = yield* node(after(1_000))
        const b = yield* node(after(0, 2))
        yield* fork(a.get("k"))
        const caller = yield* fork(call(b))
        yield* TestClock.adjust(20)
        let asked = 0
        script.instead.acquire =
          (acquire) =>
          (...args) =>
            Effect.suspend(() => ((asked += 1) % 2 === 1 ? Effect.never : acquire(...args)))
        yield* TestClock.adjust("5 seconds")
        expect(caller.pollUnsafe()).toMatchObject({ _tag: "Success" })
        expect((yield* b.stats).lookups).toBe(0)
      }))

    test(`law 14: ${name}: but not at an arbiter that is away`, ({ node, script }) =>
      Effect.gen(function* () {
        script.isDeaf = true
        const a = yield* node(Effect.never)
        const b = yield* node(after(0, 2))
        yield* fork(a.get("k"))
        const caller = yield* fork(call(b))
        yield* TestClock.adjust(20)
        script.instead.acquire = () => () => Effect.never
        // Two requests, with the pauses before them.
        yield* TestClock.adjust(30 + 100 + 100 + 100)
        expect(caller.pollUnsafe()).toMatchObject({ _tag: "Success" })
        expect((yield* b.stats).lookups).toBe(1)
      }))
  }

  test("nobody listens for messages of the key afterwards", ({ node }) =>
    Effect.gen(function* () {
      const a = yield* node(after(100))
      const b = yield* node(after(0, 2))
      yield* fork(a.get("k"))
      const caller = yield* fork(b.get("k"))
      yield* TestClock.adjust(20)
      yield* Fiber.interrupt(caller)
      yield* TestClock.adjust(200)
      expect((yield* b.stats).lookups).toBe(0)
      expect(yield* b.get("k")).toBe(1)
    }))

  test("whatever time the requests take: waiting for a node is not the tier's slowness", ({
    node,
    script,
  }) =>
    Effect.gen(function* () {
      const a = yield* node(after(3_000))
      const b = yield* node(after(0, 2))
      yield* fork(a.get("k"))
      script.instead.acquire =
        (acquire) =>
        (...args) =>
          Effect.delay(acquire(...args), 50)
      const caller = yield* fork(b.get("k"))
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(caller)).toBe(1)
      expect((yield* b.stats).lookups).toBe(0)
    }))

  test("and taking its lease over has the time of a whole trip", ({ node, script }) =>
    Effect.gen(function* () {
      const a = yield* node(Effect.never)
      const b = yield* node(after(0, 2))
      yield* fork(a.get("k"))
      script.instead.acquire =
        (acquire) =>
        (...args) =>
          Effect.delay(acquire(...args), 60)
      const won = yield* eventsOf(
        b,
        ["LeaseWon", "TierFailed"],
        Effect.andThen(fork(b.get("k")), TestClock.adjust("11 seconds")),
      )
      expect(won).toEqual(["LeaseWon"])
    }))

  test("and told once, also where it ends with a value that is stale already", ({ node, script }) =>
    Effect.gen(function* () {
      script.isDeaf = true
      const a = yield* node(Effect.never)
      const b = yield* node(after(0, 2))
      const c = yield* node(Effect.never)
      yield* fork(a.get("k"))
      const told = yield* eventsOf(
        b,
        ["LeaseBusy", "LeaseWaited", "LeaseWon"],
        Effect.gen(function* () {
          const caller = yield* fork(b.get("k"))
          yield* TestClock.adjust(20)
          yield* c.set("k", 7)
          yield* c.expire("k")
          yield* TestClock.adjust(30)
          expect(yield* Fiber.join(caller)).toBe(2)
        }),
      )
      expect(told).toEqual(["LeaseBusy", "LeaseWaited", "LeaseWon"])
    }))

  test("but not by a refresh", ({ node, requests }) =>
    Effect.gen(function* () {
      const a = yield* node(Effect.never)
      const b = yield* node(after(0, 2))
      yield* fork(a.get("k"))
      expect(yield* b.refresh("k")).toBe(2)
      expect(requests()).toEqual([
        [0, false],
        [0, true],
      ])
    }))

  test("who holds the lease and who asks for it is told", ({ node }) =>
    Effect.gen(function* () {
      const a = yield* node(after(100))
      const b = yield* node(Effect.never)
      const kinds = ["LeaseWon", "LeaseBusy"]
      expect(yield* eventsOf(a, kinds, fork(a.get("k")))).toEqual(["LeaseWon"])
      expect(yield* eventsOf(b, kinds, fork(b.get("k")))).toEqual(["LeaseBusy"])
    }))
})

describe("a lease of this node", () => {
  test("is not taken from its own commit, which is under way", ({ node, requests, script }) =>
    Effect.gen(function* () {
      script.instead.commit =
        (commit) =>
        (...args) =>
          Effect.delay(commit(...args), 50)
      const a = yield* node(after(0))
      yield* a.get("k")
      yield* TestClock.adjust(10)
      const younger = yield* fork(a.get("k", { maxAge: 0 }))
      yield* TestClock.adjust(200)
      yield* Fiber.join(younger)
      expect(requests().map(([, force]) => force)).not.toContain(true)
      expect((yield* a.stats).superseded).toBe(0)
    }))

  test("is taken from a lookup that a clear has detached", ({ node, requests }) =>
    Effect.gen(function* () {
      const a = yield* node(Effect.never)
      yield* fork(a.get("k"))
      yield* a.clear()
      yield* fork(a.get("k"))
      expect(requests()).toEqual([
        [0, false],
        [0, true],
      ])
    }))

  test("that was given back is no reason to take that of another node", ({ node, requests }) =>
    Effect.gen(function* () {
      const a = yield* node(Effect.delay(Effect.fail("down"), 100))
      const b = yield* node(Effect.never)
      yield* fork(Effect.exit(a.get("k")))
      yield* a.clear()
      yield* TestClock.adjust(100)
      yield* fork(b.get("k"))
      yield* fork(Effect.exit(a.get("k")))
      expect(requests().map(([, force]) => force)).toEqual([false, false, false])
    }))

  test("is given back by a caller that leaves while the request is on its way", ({
    node,
    script,
  }) =>
    Effect.gen(function* () {
      script.instead.acquire =
        (acquire) =>
        (...args) =>
          Effect.tap(acquire(...args), Effect.sleep(50))
      const a = yield* node(Effect.never)
      const caller = yield* fork(a.get("k"))
      yield* TestClock.adjust(20)
      yield* fork(Fiber.interrupt(caller))
      yield* TestClock.adjust(100)
      delete script.instead.acquire
      expect(script.of("release").map(({ args }) => args[2])).toEqual([0])
      const b = yield* node(after(0, 2))
      expect(yield* b.get("k")).toBe(2)
    }))

  test("is not given back where there was none", ({ node, script }) =>
    Effect.gen(function* () {
      script.instead.acquire = () => () => Effect.never
      const a = yield* node(Effect.fail("down"))
      const caller = yield* fork(Effect.flip(a.get("k")))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(caller)).toBe("down")
      expect(script.of("release")).toEqual([])
    }))
})

describe("a request for a lease that is answered with something newer", () => {
  /** The node finds nothing when it reads, so that only the request tells. */
  const blind = (script: scripted.Script) => {
    script.instead.read = () => (keys) => Effect.succeed(keys.map(() => undefined))
  }

  const calls: Readonly<Record<string, (node: Node) => Effect.Effect<unknown, unknown>>> = {
    get: (node) => node.get("k"),
    getMany: (node) => Effect.flatMap(node.getMany(["k"]), (exits) => exits.get("k")!),
  }
  for (const [name, call] of Object.entries(calls)) {
    test(`${name}: which is fresh needs no lookup`, ({ node, requests, script }) =>
      Effect.gen(function* () {
        const a = yield* node(Effect.never)
        const b = yield* node(Effect.never)
        yield* a.set("k", 7)
        blind(script)
        expect(yield* call(b)).toBe(7)
        expect(requests()).toEqual([[0, false]])
      }))

    test(`${name}: which is stale is asked for once more, without force, and its lookup is kept`, ({
      node,
      script,
    }) =>
      Effect.gen(function* () {
        const a = yield* node(Effect.never)
        const b = yield* node(after(0, 2))
        const { version } = yield* a.set("k", 7)
        yield* TestClock.adjust("10 seconds")
        blind(script)
        expect(yield* call(b)).toBe(2)
        expect(script.of("acquire").map(({ args }) => args[1])).toEqual([
          { known: 0, leaseMillis: 10_000, force: false, despiteFailure: true },
          { known: version, leaseMillis: 10_000, force: false, despiteFailure: true },
        ])
        delete script.instead.read
        expect(yield* (yield* node(Effect.never)).get("k")).toBe(2)
      }))
  }

  test("law 16: whose bytes nobody can read is overwritten", ({ node, requests, script }) =>
    Effect.gen(function* () {
      const a = yield* node(Effect.never)
      yield* a.set("k", 7)
      blind(script)
      script.instead.acquire =
        (acquire) =>
        (...args) =>
          Effect.map(acquire(...args), (answer): Tier.Acquired =>
            answer._tag === "Newer" ? { ...answer, envelope: new Uint8Array(3) } : answer,
          )
      const b = yield* node(after(0, 2))
      expect(yield* b.get("k")).toBe(2)
      expect(requests()).toEqual([
        [0, false],
        [0, true],
      ])
      delete script.instead.read
      expect(yield* (yield* node(Effect.never)).get("k")).toBe(2)
    }))

  test("law 16: of a newer release is left alone", ({ node, requests, script }) =>
    Effect.gen(function* () {
      const newer = yield* node(Effect.never, { schemaVersion: 2 })
      yield* newer.set("k", 7)
      blind(script)
      const older = yield* node(after(0, 2), { schemaVersion: 1 })
      expect(yield* older.get("k")).toBe(2)
      expect(requests()).toEqual([[0, false]])
      expect(script.of("commit")).toEqual([])
      delete script.instead.read
      expect(yield* (yield* node(Effect.never, { schemaVersion: 2 })).get("k")).toBe(7)
    }))
})

describe("a request for a lease after another node's lookup has failed", () => {
  for (const name of ["get", "getMany"] as const) {
    test(`${name}: a node that waited for it gives something stale, and leaves upstream alone`, ({
      node,
    }) =>
      Effect.gen(function* () {
        let isDown = false
        const a = yield* node(
          Effect.suspend(() => (isDown ? Effect.delay(Effect.fail("down"), 300) : after(0))),
        )
        const b = yield* node(after(0, 2))
        yield* a.get("k")
        yield* b.get("k")
        yield* TestClock.adjust("10 seconds")
        isDown = true
        yield* fork(Effect.exit(a.get("k")))
        const asked: Effect.Effect<unknown, unknown> =
          name === "get" ? b.get("k") : b.getMany(["k"])
        const caller = yield* fork(asked)
        yield* TestClock.adjust(400)
        expect(caller.pollUnsafe()).toMatchObject({ _tag: "Success" })
        expect((yield* b.stats).lookups).toBe(0)
        expect((yield* b.stats).staleServed).toBe(1)
      }))
  }

  const failing = ({ node }: World) =>
    Effect.gen(function* () {
      const a = yield* node(Effect.fail("down"))
      expect(yield* Effect.flip(a.refresh("k"))).toBe("down")
      return a
    })

  test("gives something stale where there is any, and upstream is left alone", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node(Effect.fail("down"))
      const b = yield* world.node(after(0, 2))
      yield* a.set("k", 7)
      yield* TestClock.adjust("10 seconds")
      expect(yield* a.get("k")).toBe(7)
      expect(yield* b.get("k")).toBe(7)
      expect((yield* b.stats).lookups).toBe(0)
    }))

  test("is granted despite it where there is nothing stale, and the value is kept", (world) =>
    Effect.gen(function* () {
      yield* failing(world)
      const b = yield* world.node(after(0, 2))
      expect(Exit.isSuccess(yield* Effect.exit(b.get("k")))).toBe(true)
      expect(world.requests().map(([, force]) => force)).toEqual([true, false])
      expect(yield* (yield* world.node(Effect.never)).get("k")).toBe(2)
    }))

  const reads: Readonly<Record<string, (node: Node) => Effect.Effect<unknown, unknown>>> = {
    get: (node) => node.get("k"),
    getMany: (node) => node.getMany(["k", "k2"]),
  }
  for (const [name, read] of Object.entries(reads)) {
    test(`law 7: ${name} by nodes with nothing stale, within one trip, makes one lookup of it`, (world) =>
      Effect.gen(function* () {
        yield* failing(world)
        world.script.instead.acquire =
          (acquire) =>
          (...args) =>
            Effect.delay(Effect.delay(acquire(...args), 1), 1)
        let asked = 0
        const counted = Effect.andThen(
          Effect.sync(() => (asked += 1)),
          after(500, 2),
        )
        const nodes = yield* Effect.replicateEffect(world.node(counted), 10)
        const callers = []
        for (const [i, node] of nodes.entries()) {
          callers.push(yield* fork(Effect.delay(read(node), 0.2 * i)))
        }
        yield* TestClock.adjust("5 seconds")
        for (const caller of callers) yield* Fiber.join(caller)
        expect(asked).toBe(1)
      }))
  }

  test("is granted, not taken by force, where the failure is longer ago than the arbiter says", (world) =>
    Effect.gen(function* () {
      const b = yield* world.node(after(0, 2))
      yield* b.set("k", 7)
      yield* TestClock.adjust("10 seconds")
      // The arbiter's clock was set back since the failure.
      world.script.instead.acquire = (acquire) => (key, request) =>
        request.force || request.despiteFailure === true
          ? acquire(key, request)
          : Effect.succeed({ _tag: "Failed", leftMillis: 3_600_000 })
      expect(yield* b.get("k")).toBe(2)
      expect(world.script.of("acquire").map(({ args: [, request] }) => request)).toMatchObject([
        { force: false, despiteFailure: false },
        { force: false, despiteFailure: true },
      ])
    }))

  test("takes over from an arbiter that knows no request despite a failure", (world) =>
    Effect.gen(function* () {
      yield* failing(world)
      world.script.instead.acquire =
        (acquire) =>
        (key, { despiteFailure: _, ...request }) =>
          acquire(key, request)
      const b = yield* world.node(after(0, 2))
      expect(yield* b.get("k")).toBe(2)
      expect(world.requests().map(([, force]) => force)).toEqual([true, false, true])
    }))
})

test("law 13: a change during a lookup is above the token of its lease, whatever the arbiter has lost", ({
  node,
  script,
}) =>
  Effect.gen(function* () {
    const tokens: Array<number> = []
    script.instead.acquire =
      (acquire) =>
      (...args) =>
        Effect.tap(acquire(...args), (answer) =>
          Effect.sync(() => tokens.push(answer._tag === "Won" ? answer.token : 0)),
        )
    const a = yield* node(Effect.never)
    yield* fork(a.get("k"))
    yield* a.set("k", 7)
    expect(script.of("write").map(({ args }) => args[2])).toEqual(tokens)
    expect(tokens[0]).toBeGreaterThan(0)
  }))

describe("law 15: when the commit of a bulk lookup was not answered", () => {
  /** The value that another node finds when the arbiter has answered again for a while. */
  const foundAfterwards = ({ node, script }: World) =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 second")
      delete script.instead.commit
      delete script.instead.read
      yield* TestClock.adjust("5 seconds")
      const { freshness } = yield* (yield* node(Effect.never)).read("k")
      return freshness._tag
    })

  const setElsewhere = ({ node }: World) =>
    Effect.flatMap(node(Effect.never), (other) => other.set("k", 7))

  test("a value that the arbiter has stored stays where there was none before", (world) =>
    Effect.gen(function* () {
      world.script.instead.commit =
        (commit) =>
        (...args) =>
          Effect.andThen(commit(...args), Effect.never)
      const a = yield* world.node(after(0, 2))
      yield* a.getMany(["k"])
      expect(yield* foundAfterwards(world)).toBe("Fresh")
      expect(world.script.of("write")).toEqual([])
    }))

  test("an older value is dropped", (world) =>
    Effect.gen(function* () {
      yield* setElsewhere(world)
      yield* TestClock.adjust("10 seconds")
      world.script.instead.commit = () => () => Effect.never
      const a = yield* world.node(after(0, 2))
      yield* a.getMany(["k"])
      expect(yield* foundAfterwards(world)).toBe("Missing")
    }))

  test("an older value is dropped, also where the lease was taken by force, unseen", (world) =>
    Effect.gen(function* () {
      let lookups = 0
      const a = yield* world.node(
        Effect.suspend(() => (++lookups === 1 ? Effect.never : Effect.succeed(2))),
      )
      yield* fork(a.getMany(["k"]))
      yield* a.expire("k")
      world.script.instead.read = () => (keys) => Effect.succeed(keys.map(() => undefined))
      yield* setElsewhere(world)
      world.script.instead.commit = () => () => Effect.never
      yield* a.getMany(["k"])
      expect(world.requests().map(([, force]) => force)).toEqual([false, true])
      expect(yield* foundAfterwards(world)).toBe("Missing")
    }))
})
