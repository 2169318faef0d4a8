/** The requests of flights to tiers, arbiter and upstream, their order, and the entries they leave. */
import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Deferred, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { LocalEntries } from "../../../src/internal/state/localEntries.ts"
import * as scripted from "../../support/scriptedTier.ts"
import { pass } from "../../support/stepwise.ts"

const start = 1_790_000_000_000

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

type Node = Larder.Larder<string, number, unknown>

/** An upstream that tests control, which records its requests. */
class Source {
  answer: Effect.Effect<number, string> = Effect.succeed(1)
  readonly asked: Array<string> = []
  readonly left: Array<string> = []

  readonly lookup = (key: string) => Effect.suspend(() => this.#noting(key, this.answer))

  readonly lookupMany = (keys: ReadonlyArray<string>) =>
    Effect.suspend(() =>
      this.#noting(
        keys.join(),
        Effect.map(this.answer, (value) => new Map(keys.map((key) => [key, value]))),
      ),
    )

  #noting<A>(what: string, answer: Effect.Effect<A, string>): Effect.Effect<A, string> {
    this.asked.push(what)
    return Effect.onInterrupt(answer, () => Effect.sync(() => this.left.push(what)))
  }
}

interface World {
  readonly file: scripted.Script
  readonly shared: scripted.Script
  /** The second process over the same tiers is a node of its own. */
  readonly node: (
    options?: NodeOptions,
  ) => Effect.Effect<Node & { readonly source: Source }, never, Scope.Scope>
}

interface NodeOptions {
  readonly bulk?: boolean
  readonly breaks?: boolean
  readonly schemaVersion?: number
  readonly policy?: Partial<Policy.Options>
}

type Kind = "shared" | "memory and shared" | "memory, file and shared" | "file" | "memory and file"

const world = (kind: Kind, maxEntries: number) =>
  Effect.gen(function* () {
    const file = new scripted.Script()
    const shared = new scripted.Script()
    const layers = {
      file: Layer.succeedContext(yield* Layer.build(scripted.layer(file, "file"))),
      shared: Layer.succeedContext(yield* Layer.build(scripted.layer(shared))),
    }
    const stackOf = () => {
      const memory = MemoryTier.layer({ maxEntries })
      switch (kind) {
        case "shared":
          return TierStack.layer(layers.shared)
        case "memory and shared":
          return TierStack.layer(memory, layers.shared)
        case "memory, file and shared":
          return TierStack.layer(memory, layers.file, layers.shared)
        case "file":
          return TierStack.layer(layers.file)
        case "memory and file":
          return TierStack.layer(memory, layers.file)
      }
    }
    const self: World = {
      file,
      shared,
      node: ({ breaks = false, bulk = false, policy = {}, ...options } = {}) =>
        Effect.gen(function* () {
          const source = new Source()
          const upstream = Upstream.make({
            lookup: source.lookup,
            lookupMany: bulk ? source.lookupMany : undefined,
          })
          const tripPolicy = CircuitBreaker.consecutive(1)
          const larder = yield* Larder.make({
            name: "loading",
            value: Schema.Finite,
            upstream: breaks
              ? Upstream.withCircuitBreaker(upstream, { tripPolicy })
              : (upstream as Upstream.Upstream<string, number, unknown>),
            policy: Policy.make({
              freshFor: "10 seconds",
              staleIfError: "1 hour",
              retryAfterFailure: "1 second",
              ...policy,
            }),
            ...options,
          }).pipe(Effect.provide(stackOf()))
          return Object.assign(larder, { source })
        }),
    }
    return self
  })

const on = (
  kind: Kind,
  title: string,
  body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>,
  maxEntries = 10_000,
) =>
  it.effect(`${kind}: ${title}`, () =>
    Effect.andThen(
      TestClock.setTime(start),
      Effect.scoped(Effect.flatMap(world(kind, maxEntries), body)),
    ),
  )

const slowly =
  (millis: number) =>
  <A extends ReadonlyArray<unknown>, B, E>(real: (...args: A) => Effect.Effect<B, E>) =>
  (...args: A): Effect.Effect<B, E> =>
    Effect.delay(real(...args), millis)

const broken = () => () => Effect.die("broken")

/** How the calls of a get and of a bulk get begin alike. */
const ways: Readonly<
  Record<string, { readonly bulk: boolean; readonly get: (node: Node) => Effect.Effect<unknown> }>
> = {
  get: { bulk: false, get: (node) => Effect.exit(node.get("k")) },
  "getMany of one key": { bulk: false, get: (node) => node.getMany(["k"]) },
  getMany: { bulk: false, get: (node) => node.getMany(["k", "l"]) },
  "getMany of one key with lookupMany": { bulk: true, get: (node) => node.getMany(["k"]) },
  "getMany with lookupMany": { bulk: true, get: (node) => node.getMany(["k", "l"]) },
}

describe("a refresh", () => {
  on("memory and shared", "reads no tier", ({ node, shared }) =>
    Effect.gen(function* () {
      const a = yield* node()
      yield* a.set("k", 7)
      shared.trips()
      yield* a.refresh("k")
      expect(shared.trips()).toEqual(["acquire", "commit"])
    }),
  )

  on("memory and shared", "reads none while others' sets are queued either", ({ node, shared }) =>
    Effect.gen(function* () {
      const a = yield* node({ policy: { tierWrites: "background" } })
      yield* a.get("warm")
      shared.instead.write = slowly(50)
      yield* a.set("other", 7)
      shared.trips()
      yield* a.refresh("k")
      expect(shared.trips()).not.toContain("read")
      yield* TestClock.adjust(100)
    }),
  )
})

describe("law 15: what the arbiter missed reaches it before anything it says is believed", () => {
  for (const [name, { bulk, get }] of Object.entries(ways)) {
    on("shared", `${name}: no older value`, ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node({ bulk })
        a.source.answer = Effect.succeed(2)
        yield* a.set("k", 7)
        shared.instead.write = broken
        yield* a.set("k", 8)
        delete shared.instead.write
        shared.trips()
        yield* get(a)
        const trips = shared.trips()
        expect(trips.slice(0, 2)).toEqual(["write", "read"])
        expect(yield* a.get("k")).toBe(2)
      }),
    )

    on("shared", `${name}: nor while it cannot be told`, ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node({ bulk })
        a.source.answer = Effect.succeed(2)
        yield* a.set("k", 7)
        shared.instead.write = broken
        yield* a.set("k", 8)
        shared.trips()
        yield* get(a)
        const asked = shared.of("read").flatMap(({ args }) => args[0])
        expect(asked).not.toContain("k")
        expect(shared.of("read").filter(({ args }) => args[0].length === 0)).toEqual([])
        delete shared.instead.write
      }),
    )
  }

  on("memory and shared", "refresh: no lease is asked for", ({ node, shared }) =>
    Effect.gen(function* () {
      const a = yield* node()
      yield* a.set("k", 7)
      shared.instead.write = broken
      yield* a.remove("k")
      yield* a.refresh("k")
      expect(shared.of("acquire")).toEqual([])
      delete shared.instead.write
    }),
  )

  on(
    "memory, file and shared",
    "law 14: nobody waits for that where a nearer tier answers",
    ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node()
        for (const key of ["k", "l", "other"]) yield* a.set(key, 7)
        yield* TestClock.adjust(10)
        shared.instead.mark = broken
        yield* a.invalidateTags(["t"])
        shared.instead.mark = slowly(90)
        shared.calls.length = 0
        const began: Array<unknown> = []
        for (const read of [a.get("k"), Effect.flatMap(a.getMany(["l"]), (all) => all.get("l")!)]) {
          const caller = yield* fork(read)
          began.push(caller.pollUnsafe())
        }
        delete shared.instead.mark
        yield* TestClock.adjust("1 second")
        expect(began).toEqual([Exit.succeed(7), Exit.succeed(7)])
      }),
    1,
  )

  on(
    "memory, file and shared",
    "law 14: other keys do not wait for that of one which a nearer tier has answered",
    ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node()
        shared.instead.write = broken
        yield* a.set("k", 7)
        yield* a.get("other")
        shared.instead.write = slowly(90)
        const caller = yield* fork(a.getMany(["k", "l"]))
        yield* TestClock.adjust(10)
        expect(a.source.asked).toEqual(["other", "l"])
        expect((yield* Fiber.join(caller)).get("k")).toEqual(Exit.succeed(7))
        delete shared.instead.write
        yield* TestClock.adjust("2 seconds")
      }),
    1,
  )
})

describe("law 13: what was set and has not reached the tiers is newer than what they have", () => {
  on(
    "memory and shared",
    "where memory has let it go, and it is the only one",
    ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node({ policy: { tierWrites: "background" } })
        yield* a.set("k", 7)
        yield* TestClock.adjust(100)
        shared.instead.write = slowly(90)
        yield* a.set("k", 8)
        yield* a.get("other")
        expect((yield* a.stats).queuedWrites).toBe(1)
        const getting = yield* fork(a.get("k"))
        yield* TestClock.adjust(200)
        expect(yield* Fiber.join(getting)).toBe(8)
      }),
    1,
  )
})

describe("law 8: a caller that leaves", () => {
  for (const [name, { bulk, get }] of Object.entries(ways)) {
    on("memory and shared", `${name}: while a tier is read begins nothing`, ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node({ bulk })
        let interrupted = 0
        shared.instead.read = () => () =>
          Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted += 1)))
        const caller = yield* fork(get(a))
        yield* TestClock.adjust(20)
        yield* Fiber.interrupt(caller)
        expect(interrupted).toBe(1)
        yield* TestClock.adjust("1 second")
        expect(shared.trips()).not.toContain("acquire")
        expect(a.source.asked).toEqual([])
        expect((yield* a.stats).inFlight).toBe(0)
      }),
    )

    on("memory and shared", `${name}: ends a lookup whose first step makes it leave`, (world) =>
      Effect.gen(function* () {
        const { node, shared } = world
        const a = yield* node({ bulk })
        shared.instead.read = slowly(50)
        a.source.answer = Effect.suspend(() => {
          caller.interruptUnsafe()
          return Effect.never
        })
        const caller: Fiber.Fiber<unknown> = yield* fork(get(a))
        yield* TestClock.adjust(50)
        yield* Fiber.await(caller)
        expect(a.source.asked.length).toBe(1)
        expect(a.source.left).toEqual(a.source.asked)
        const leases = shared.of("acquire").map(({ args }) => args[0])
        expect(new Set(shared.of("release").map(({ args }) => args[0]))).toEqual(new Set(leases))
      }),
    )

    on("memory and shared", `${name}: lets go of its lease`, ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node({ bulk })
        a.source.answer = Effect.never
        const caller = yield* fork(get(a))
        yield* TestClock.adjust(20)
        const { length } = shared.of("acquire")
        expect(length).toBeGreaterThan(0)
        yield* Fiber.interrupt(caller)
        expect(a.source.left).toEqual(a.source.asked)
        expect(shared.of("release").map(({ args }) => args[2])).toEqual(Array(length).fill(0))
        yield* TestClock.adjust("1 minute")
        expect(shared.of("renew")).toEqual([])
      }),
    )

    on(
      "memory and shared",
      `${name}: ends its lookup, also where the tier is suspect`,
      ({ node, shared }) =>
        Effect.gen(function* () {
          const a = yield* node({ bulk })
          shared.instead.read = broken
          yield* a.get("makes it suspect")
          a.source.answer = Effect.never
          const caller = yield* fork(get(a))
          yield* TestClock.adjust(20)
          yield* Fiber.interrupt(caller)
          expect(a.source.left.length).toBe(a.source.asked.length - 1)
        }),
    )
  }

  on(
    "memory and shared",
    "while a lease is asked for is told nothing of another node's failure from before a change",
    ({ node, shared }) =>
      Effect.gen(function* () {
        const [a, b] = [yield* node(), yield* node()]
        yield* a.set("k", 1)
        expect(yield* b.get("k")).toBe(1)
        yield* TestClock.adjust("10 seconds")
        b.source.answer = Effect.fail("down")
        expect(yield* b.get("k")).toBe(1)
        yield* TestClock.adjust(10)
        shared.instead.acquire = (acquire) => (key, request) =>
          Effect.tap(acquire(key, request), Effect.sleep(50))
        const caller = yield* fork(a.get("k"))
        yield* TestClock.adjust(20)
        yield* Fiber.interrupt(caller)
        yield* a.expire("k")
        yield* TestClock.adjust(50)
        delete shared.instead.acquire
        a.source.answer = Effect.succeed(2)
        expect(yield* a.get("k")).toBe(2)
      }),
  )

  on(
    "memory and shared",
    "of many keys ends the bulk lookup, though one key waits apart",
    ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node()
        const b = yield* node({ bulk: true })
        a.source.answer = Effect.delay(Effect.fail("down"), 500)
        b.source.answer = Effect.never
        yield* fork(Effect.exit(a.get("k")))
        const caller = yield* fork(b.getMany(["k", "l"]))
        yield* TestClock.adjust(1_000)
        // The lease of k was taken over, and k is looked up by itself.
        expect(b.source.asked).toEqual(["l", "k"])
        shared.trips()
        yield* Fiber.interrupt(caller)
        expect(new Set(b.source.left)).toEqual(new Set(["l", "k"]))
        expect(shared.of("release").map(({ args }) => args[0])).toEqual(
          expect.arrayContaining(["k", "l"]),
        )
        expect(shared.trips()).toEqual(["release", "release"])
      }),
  )
})

describe("law 22: a larder that closes", () => {
  for (const [name, { bulk, get }] of Object.entries(ways)) {
    on("memory and shared", `${name}: interrupts what a tier is asked`, ({ node, shared }) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const a = yield* Scope.provide(node({ bulk }), scope)
        let interrupted = 0
        shared.instead.read = () => () =>
          Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted += 1)))
        yield* fork(get(a))
        yield* TestClock.adjust(20)
        yield* Scope.close(scope, Exit.void)
        expect(interrupted).toBe(1)
        expect(shared.trips()).not.toContain("acquire")
      }),
    )

    on(
      "memory and shared",
      `${name}: keeps what its first answered caller closes it on`,
      ({ node, shared }) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const a = yield* Scope.provide(node({ bulk }), scope)
          const caller = yield* fork(Effect.andThen(get(a), Scope.close(scope, Exit.void)))
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(caller)
          expect(shared.trips()).not.toContain("release")
          const b = yield* node()
          b.source.answer = Effect.never
          expect(yield* b.get("k")).toBe(1)
        }),
    )
  }

  on(
    "memory and shared",
    "begins no refresh of what its last caller was given",
    ({ node, shared }) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const policy = { staleWhileRevalidate: "1 minute" } as const
        const a = yield* Scope.provide(node({ policy }), scope)
        yield* a.get("k")
        yield* TestClock.adjust("10 seconds")
        shared.trips()
        yield* Effect.andThen(a.get("k"), Scope.close(scope, Exit.void))
        yield* TestClock.adjust("1 second")
        expect(shared.trips()).toEqual([])
      }),
  )
})

describe("law 7: a bulk lookup", () => {
  on(
    "memory and shared",
    "leaves to another node what that is looking up, and waits for it alone",
    ({ node }) =>
      Effect.gen(function* () {
        const a = yield* node()
        const b = yield* node({ bulk: true })
        a.source.answer = Effect.delay(Effect.succeed(1), 500)
        b.source.answer = Effect.succeed(2)
        yield* fork(a.get("k"))
        const caller = yield* fork(b.getMany(["k", "l", "m"]))
        const l = yield* fork(b.get("l"))
        yield* TestClock.adjust(10)
        expect(l.pollUnsafe()).toEqual(Exit.succeed(2))
        expect(caller.pollUnsafe()).toBe(undefined)
        yield* TestClock.adjust("1 second")
        const exits = yield* Fiber.join(caller)
        expect([...exits.values()]).toEqual([Exit.succeed(1), Exit.succeed(2), Exit.succeed(2)])
        expect(b.source.asked).toEqual(["l,m"])
      }),
  )

  on(
    "memory and shared",
    "does not ask for what the request for the lease brought",
    ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node()
        const b = yield* node({ bulk: true })
        yield* a.set("k", 7)
        shared.instead.read = () => (keys) => Effect.succeed(keys.map(() => undefined))
        const exits = yield* b.getMany(["k", "l"])
        expect([...exits.values()]).toEqual([Exit.succeed(7), Exit.succeed(1)])
        expect(b.source.asked).toEqual(["l"])
      }),
  )

  on(
    "memory and shared",
    "is one for each key where there is none for many, and waits for no lease but its own",
    ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node()
        shared.instead.acquire = (acquire) => (key, request) =>
          Effect.delay(acquire(key, request), key === "k" ? 50 : 0)
        const caller = yield* fork(a.getMany(["k", "l"]))
        yield* TestClock.adjust(10)
        expect(a.source.asked).toEqual(["l"])
        yield* TestClock.adjust(50)
        expect(a.source.asked).toEqual(["l", "k"])
        expect((yield* Fiber.join(caller)).size).toBe(2)
      }),
  )

  on("memory, file and shared", "asks for nothing that any tier has", ({ node }) =>
    Effect.gen(function* () {
      const a = yield* node()
      const b = yield* node({ bulk: true })
      yield* a.set("k", 7)
      yield* a.set("l", 8)
      const exits = yield* b.getMany(["k", "l"])
      expect([...exits.values()]).toEqual([Exit.succeed(7), Exit.succeed(8)])
      expect(b.source.asked).toEqual([])
    }),
  )

  on(
    "memory and shared",
    "law 11: is asked after the marks that the tiers have told of",
    ({ node }) =>
      Effect.gen(function* () {
        const a = yield* node()
        yield* a.get("warm")
        yield* TestClock.adjust(10)
        yield* a.clear()
        const b = yield* node({ bulk: true })
        yield* b.getMany(["k", "l"])
        yield* b.getMany(["k", "l"])
        expect(b.source.asked).toEqual(["k,l"])
      }),
  )

  on(
    "memory and shared",
    "law 9: takes no longer for its leases, in all, than a step in a tier may",
    ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node({ bulk: true })
        shared.instead.acquire = slowly(60)
        const keys = Array.from({ length: 250 }, (_, i) => `k${i}`)
        const caller = yield* fork(a.getMany(keys))
        yield* pass(200)
        expect(a.source.asked.length).toBe(1)
        expect((yield* Fiber.join(caller)).size).toBe(250)
        // With less than half a tierTimeout left none is asked for.
        expect(shared.of("acquire").length).toBe(3 * 64)
      }),
  )
})

describe("law 16: what a newer release has written is read, and left alone", () => {
  for (const [name, { bulk, get }] of Object.entries(ways)) {
    on("memory and shared", name, ({ node, shared }) =>
      Effect.gen(function* () {
        const newer = yield* node({ schemaVersion: 2 })
        yield* newer.set("k", 7)
        const older = yield* node({ schemaVersion: 1, bulk })
        shared.calls.length = 0
        yield* get(older)
        expect(older.source.asked.length).toBeGreaterThan(0)
        expect(yield* older.get("k")).toBe(1)
        expect(shared.of("acquire").filter(({ args }) => args[0] === "k")).toEqual([])
        const another = yield* node({ schemaVersion: 2 })
        another.source.answer = Effect.never
        expect(yield* another.get("k")).toBe(7)
      }),
    )
  }
})

describe("law 20: the version of a value", () => {
  on(
    "memory and shared",
    "is above the one that memory has, which the arbiter is told of",
    ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node()
        const { version } = yield* a.set("k", 7)
        yield* TestClock.adjust("10 seconds")
        shared.instead.read = () => (keys) => Effect.succeed(keys.map(() => undefined))
        yield* a.get("k")
        yield* a.get("l")
        expect(shared.of("acquire").map(({ args }) => args[1].known)).toEqual([version, 0])
      }),
  )

  on("shared", "without a lease is above what is known", ({ node, shared }) =>
    Effect.gen(function* () {
      const a = yield* node()
      const { version } = yield* a.set("k", 7)
      yield* TestClock.adjust("10 seconds")
      shared.instead.acquire = broken
      expect((yield* a.getWithMeta("k")).entry.version).toBeGreaterThan(version)
    }),
  )

  on("memory and shared", "without a lease is of its beginning", ({ node, shared }) =>
    Effect.gen(function* () {
      const a = yield* node()
      const b = yield* node()
      yield* a.get("warm")
      shared.instead.acquire = broken
      a.source.answer = Effect.delay(Effect.succeed(1), 500)
      const caller = yield* fork(a.getWithMeta("k"))
      yield* TestClock.adjust(200)
      const { version } = yield* b.set("k", 8)
      yield* TestClock.adjust(500)
      expect((yield* Fiber.join(caller)).entry.version).toBeLessThan(version)
    }),
  )

  on("memory and shared", "is above what memory has taken over meanwhile", ({ node, shared }) =>
    Effect.gen(function* () {
      const a = yield* node()
      const b = yield* node()
      yield* a.get("warm")
      yield* b.set("k", 7)
      yield* TestClock.adjust("10 seconds")
      shared.instead.acquire = broken
      a.source.answer = Effect.delay(Effect.succeed(9), 500)
      const refreshing = yield* fork(a.refresh("k"))
      yield* TestClock.adjust(1)
      // It reads beside the refresh, and memory keeps the stale value for when that fails.
      yield* fork(a.get("k"))
      yield* TestClock.adjust(1)
      expect((yield* a.read("k")).entry?.value).toBe(7)
      yield* TestClock.adjust(1_000)
      expect(yield* Fiber.join(refreshing)).toBe(9)
      a.source.answer = Effect.never
      expect(yield* a.get("k")).toBe(9)
    }),
  )

  on(
    "file",
    "without an arbiter is a time, so that a process that begins later is above it",
    ({ node }) =>
      Effect.gen(function* () {
        const a = yield* node()
        const { version } = (yield* a.getWithMeta("k")).entry
        yield* TestClock.adjust("10 seconds")
        const b = yield* node()
        expect((yield* b.getWithMeta("l")).entry.version).toBeGreaterThan(version)
        expect(version).toBeGreaterThanOrEqual(start)
      }),
  )
})

describe("law 11: a lookup that a newer value has overtaken", () => {
  for (const [name, { bulk, get }] of Object.entries(ways)) {
    on("memory and shared", `${name}: is not kept`, ({ node, shared }) =>
      Effect.gen(function* () {
        shared.isDeaf = true
        const a = yield* node({ bulk })
        const b = yield* node()
        const answer = yield* Deferred.make<number>()
        a.source.answer = Deferred.await(answer)
        const insisting = yield* fork(a.get("k", { maxAge: 0, stale: "never" }))
        yield* TestClock.adjust(10)
        yield* b.set("k", 8)
        expect(yield* a.get("k")).toBe(8)
        expect(yield* Fiber.join(insisting)).toBe(8)
        shared.trips()
        yield* Deferred.succeed(answer, 7)
        yield* TestClock.adjust("1 second")
        expect(shared.trips()).not.toContain("commit")
        expect((yield* a.stats).superseded).toBe(0)
        yield* get(a)
        expect(yield* a.get("k")).toBe(8)
      }),
    )
  }
})

describe("law 15: a value whose commit the arbiter has not answered", () => {
  const dropped = (shared: scripted.Script) =>
    shared.of("write").flatMap(({ args }) => (args[0] === "k" ? ["k"] : []))

  for (const [name, { bulk, get }] of Object.entries(ways)) {
    const many = name.startsWith("getMany")
    const what = many ? "stays, where the arbiter had none" : "is dropped there, as it may be older"
    on("memory and shared", `${name}: ${what}`, ({ node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node({ bulk })
        shared.instead.commit = broken
        yield* get(a)
        yield* TestClock.adjust("2 seconds")
        expect(shared.of("commit").length).toBeGreaterThan(0)
        expect(dropped(shared)).toEqual(many ? [] : ["k"])
      }),
    )
  }
})

describe("a lookup that has ended", () => {
  for (const [name, { bulk, get }] of Object.entries(ways)) {
    on("memory and shared", `${name}: leaves its place as the probe of a circuit`, ({ node }) =>
      Effect.gen(function* () {
        const a = yield* node({ breaks: true, bulk })
        yield* get(a)
        for (let outage = 0; outage < 3; outage += 1) {
          yield* TestClock.adjust("10 seconds")
          a.source.answer = Effect.fail("down")
          yield* get(a)
          expect((yield* a.stats).breakers["upstream"]).toBe("Open")
          a.source.answer = Effect.succeed(10 + outage)
          yield* TestClock.adjust("11 seconds")
          yield* get(a)
          expect(yield* a.get("k")).toBe(10 + outage)
        }
      }),
    )
  }
})

describe("a caller that joins a lookup which takes nothing from tiers", () => {
  const reads = (script: scripted.Script) => script.of("read").length

  /** A refresh of "k" that hangs, on a node that does not have it in memory any more. */
  const refreshing = ({ node }: World, policy: Partial<Policy.Options> = {}) =>
    Effect.gen(function* () {
      const a = yield* node({ policy: { softTimeout: "200 millis", ...policy } })
      a.source.answer = Effect.never
      yield* fork(Effect.exit(a.refresh("k")))
      return a
    })

  on("memory and shared", "has the tiers read once, where they have nothing fresh", (world) =>
    Effect.gen(function* () {
      const a = yield* refreshing(world)
      for (let i = 0; i < 3; i += 1) yield* fork(Effect.exit(a.get("k")))
      yield* TestClock.adjust(10)
      expect(reads(world.shared)).toBe(1)
      yield* fork(Effect.exit(a.get("k")))
      yield* TestClock.adjust(10)
      expect(reads(world.shared)).toBe(1)
    }),
  )

  on("memory and shared", "has them read once for all that come while they are read", (world) =>
    Effect.gen(function* () {
      const a = yield* refreshing(world)
      world.shared.instead.read = slowly(50)
      for (let i = 0; i < 3; i += 1) {
        yield* fork(Effect.exit(a.get("k")))
        yield* TestClock.adjust(10)
      }
      expect(reads(world.shared)).toBe(1)
    }),
  )

  on("shared", "has them read each time, where nothing is kept of what they have", (world) =>
    Effect.gen(function* () {
      world.shared.isDeaf = true
      const a = yield* refreshing(world)
      const waiting = yield* fork(a.get("k"))
      yield* TestClock.adjust(10)
      const b = yield* world.node()
      yield* b.set("k", 7)
      expect(yield* a.get("k")).toBe(7)
      expect(yield* Fiber.join(waiting)).toBe(7)
    }),
  )

  on("shared", "law 2: has none read where it is given what has been found, at once", (world) =>
    Effect.gen(function* () {
      const b = yield* world.node({ policy: { staleWhileRevalidate: "1 minute" } })
      yield* b.set("k", 7)
      yield* TestClock.adjust("10 seconds")
      const a = yield* refreshing(world)
      expect(yield* a.get("k")).toBe(7)
      const before = reads(world.shared)
      expect(yield* a.get("k")).toBe(7)
      expect(reads(world.shared)).toBe(before)
    }),
  )

  on(
    "memory and shared",
    "law 1: is given what is fresh again, when memory has let it go",
    (world) =>
      Effect.gen(function* () {
        const b = yield* world.node()
        yield* b.set("k", 7)
        yield* b.set("other", 8)
        const a = yield* refreshing(world)
        for (let i = 0; i < 3; i += 1) {
          expect(yield* a.get("k")).toBe(7)
          expect(yield* a.get("other")).toBe(8)
        }
      }),
    1,
  )

  on(
    "memory and shared",
    "law 13: is given what was set and has not reached the tiers",
    (world) =>
      Effect.gen(function* () {
        const b = yield* world.node()
        yield* b.set("k", 6)
        yield* b.set("other", 9)
        yield* TestClock.adjust(10)
        world.shared.instead.write = slowly(90)
        const a = yield* world.node({ policy: { tierWrites: "background" } })
        a.source.answer = Effect.never
        yield* a.set("k", 8)
        yield* a.get("other")
        yield* fork(Effect.exit(a.refresh("k")))
        const caller = yield* fork(a.get("k"))
        yield* TestClock.adjust(200)
        expect(yield* Fiber.join(caller)).toBe(8)
      }),
    1,
  )

  for (const kind of ["shared", "file", "memory and shared"] as const) {
    on(kind, "law 12: is not given what has been removed since", (world) =>
      Effect.gen(function* () {
        const b = yield* world.node()
        yield* b.set("k", 7)
        yield* TestClock.adjust("11 seconds")
        const a = yield* refreshing(world)
        const first = yield* fork(a.get("k"))
        yield* TestClock.adjust(300)
        expect(yield* Fiber.join(first)).toBe(7)
        if (kind === "memory and shared") return
        yield* b.remove("k")
        const second = yield* fork(Effect.exit(a.get("k")))
        yield* TestClock.adjust("1 second")
        expect(second.pollUnsafe()).toBe(undefined)
      }),
    )

    on(kind, "is still given what was found, where the tier does not answer", (world) =>
      Effect.gen(function* () {
        const b = yield* world.node()
        yield* b.set("k", 7)
        yield* TestClock.adjust("11 seconds")
        const a = yield* refreshing(world)
        for (const isAway of [false, true]) {
          if (isAway) {
            world.shared.instead.read = () => () => Effect.never
            world.file.instead.read = () => () => Effect.never
          }
          const caller = yield* fork(a.get("k"))
          yield* TestClock.adjust(300)
          expect(yield* Fiber.join(caller)).toBe(7)
        }
      }),
    )
  }

  on(
    "shared",
    "is still given what was found, where the tier has missed a mark and is not believed",
    (world) =>
      Effect.gen(function* () {
        const b = yield* world.node()
        yield* b.set("k", 7)
        yield* TestClock.adjust("11 seconds")
        const a = yield* refreshing(world)
        world.shared.instead.mark = broken
        for (const isBehind of [false, true]) {
          if (isBehind) yield* a.invalidateTags(["t"])
          const caller = yield* fork(a.get("k"))
          yield* TestClock.adjust(300)
          expect(yield* Fiber.join(caller)).toBe(7)
        }
        delete world.shared.instead.mark
      }),
  )

  on("memory and shared", "and that takes no less itself has none read", ({ node, shared }) =>
    Effect.gen(function* () {
      const a = yield* node()
      a.source.answer = Effect.never
      for (let i = 0; i < 3; i += 1) {
        yield* fork(Effect.exit(a.get("k", { maxAge: 0, stale: "never" })))
        yield* fork(Effect.exit(a.get("l")))
      }
      // One for each key, by the lookup itself.
      expect(reads(shared)).toBe(2)
    }),
  )
})

describe("what one lookup costs", () => {
  on(
    "memory, file and shared",
    "no tier is asked for what a nearer one has",
    ({ file, node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node()
        yield* a.set("k", 7)
        const b = yield* node()
        yield* b.get("k")
        yield* TestClock.adjust(10)
        const c = yield* node()
        yield* c.get("k")
        shared.calls.length = 0
        file.calls.length = 0
        yield* b.remove("l")
        yield* c.getMany(["k", "l"])
        expect(shared.of("read").flatMap(({ args }) => args[0])).not.toContain("k")
      }),
  )

  for (const [name, { bulk, get }] of Object.entries(ways)) {
    on("memory, file and shared", `${name}: one read of each tier`, ({ file, node, shared }) =>
      Effect.gen(function* () {
        const a = yield* node({ bulk })
        yield* get(a)
        expect(file.of("read").length).toBe(1)
        expect(shared.of("read").length).toBe(1)
      }),
    )

    on(
      "memory and shared",
      `${name}: no request to an arbiter that has not answered`,
      ({ node, shared }) =>
        Effect.gen(function* () {
          const a = yield* node({ bulk })
          shared.instead.read = broken
          yield* get(a)
          expect(shared.of("acquire")).toEqual([])
        }),
    )
  }

  on(
    "memory and shared",
    "law 22: the larder closes when what it asked of a tier has ended",
    ({ node, shared }) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const a = yield* Scope.provide(node(), scope)
        shared.instead.read = (read) => (keys) =>
          Effect.uninterruptible(Effect.delay(read(keys), 50))
        yield* fork(Effect.exit(a.get("k")))
        const closing = yield* fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust(40)
        expect(closing.pollUnsafe()).toBe(undefined)
        yield* TestClock.adjust(10)
        expect(closing.pollUnsafe()).toEqual(Exit.void)
      }),
  )
})

describe("law 6: a defect of the larder itself", () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  for (const [name, { bulk, get }] of Object.entries(ways)) {
    on("memory and shared", `${name}: leaves nobody waiting, and the key is free`, ({ node }) =>
      Effect.gen(function* () {
        const writer = yield* node()
        yield* writer.set("k", 7)
        const a = yield* node({ bulk })
        vi.spyOn(LocalEntries.prototype, "judge").mockImplementationOnce(() => {
          throw new Error("a bug")
        })
        const caller = yield* fork(get(a))
        yield* TestClock.adjust(0)
        const answered = yield* Fiber.join(caller)
        const exit = answered instanceof Map ? answered.get("k") : answered
        expect(exit).toEqual(Exit.die(new Error("a bug")))
        expect((yield* a.stats).inFlight).toBe(0)
        expect((yield* a.stats).lookups).toBe(0)
        expect(yield* a.get("k")).toBe(7)
      }),
    )
  }
})
