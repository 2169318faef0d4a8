/** While a circuit of upstream refuses lookups, they cost the tiers next to nothing, and other nodes no wait. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Data, Effect, Exit, Fiber, Layer, Predicate, Schedule, Schema } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import * as scripted from "./support/scriptedTier.ts"

class Down extends Data.TaggedError("Down") {}

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

interface Given {
  readonly bulk?: boolean
  readonly breaker?: Upstream.BreakerOptions
  readonly around?: Schedule.Schedule<unknown>
  readonly hasLeases?: boolean
  /** A second circuit around the first. */
  readonly outer?: Upstream.BreakerOptions
  readonly memory?: MemoryTier.Options
  /** Lookups that may run at once; others are shed. */
  readonly permits?: number
  readonly policy?: Partial<Policy.Options>
  readonly revision?: (value: string) => string
}

type Mood = "well" | "down" | "hangs"

/** Nodes over one shared tier whose trips are noted, each with an upstream of its own. */
const world = Effect.gen(function* () {
  yield* TestClock.setTime(1_790_000_000_000)
  const script = new scripted.Script()
  const built = (kind: "shared" | "file") =>
    Effect.map(Layer.build(scripted.layer(script, kind)), Layer.succeedContext)
  const tier = yield* built("shared")
  const file = yield* built("file")
  const node = ({
    around,
    breaker,
    bulk = false,
    hasLeases = true,
    memory,
    outer,
    permits = Infinity,
    policy,
    revision,
  }: Given = {}) =>
    Effect.gen(function* () {
      const source = { asked: 0, mood: "down" as Mood }
      const ask = <A>(answer: A) =>
        Effect.suspend(() => {
          source.asked += 1
          if (source.mood === "hangs") return Effect.never
          return source.mood === "down" ? new Down() : Effect.succeed(answer)
        })
      const tripPolicy = CircuitBreaker.consecutive(1)
      const inner = Upstream.make({
        lookup: (key: string) => ask(key),
        lookupMany: bulk
          ? (keys) =>
              ask(new Map(keys.flatMap((key) => (key === "unknown" ? [] : [[key, key] as const]))))
          : undefined,
      }).pipe(
        Upstream.withConcurrency({ foreground: permits, queue: 0 }),
        Upstream.withCircuitBreaker({ tripPolicy, ...breaker }),
      )
      const guarded =
        outer === undefined ? inner : Upstream.withCircuitBreaker(inner, { tripPolicy, ...outer })
      const larder = yield* Larder.make({
        name: "refused",
        value: Schema.String,
        upstream: around === undefined ? guarded : Upstream.withRetry(guarded, around),
        revision,
        failureFor: (error) => (Predicate.isTagged(error, "KeyNotReturned") ? "1 minute" : 0),
        policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 hour", ...policy }),
      }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(memory), hasLeases ? tier : file)))
      const opens = Effect.gen(function* () {
        source.mood = "down"
        yield* Effect.exit(larder.get("opens it"))
        yield* TestClock.adjust("1 millis")
        script.trips()
        source.asked = 0
      })
      return { larder, opens, source }
    })
  return { node, script }
})

type World = Effect.Success<typeof world>

const test = (
  title: string,
  body: (
    given: World,
  ) => Effect.Effect<unknown, unknown, Effect.Services<ReturnType<World["node"]>>>,
) => it.effect(title, () => Effect.asVoid(Effect.scoped(Effect.flatMap(world, body))))

/** Neither may wait for a probe. */
const hasty = { probeQueue: 0, openDuration: "1 hour" } as const

const count = (trips: ReadonlyArray<scripted.Operation>, operation: scripted.Operation) =>
  trips.filter((trip) => trip === operation).length

const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)

describe("keys without a value, in an outage", () => {
  const rounds = (bulk: boolean, breaker: Upstream.BreakerOptions) => (given: World) =>
    Effect.gen(function* () {
      const { larder, opens, source } = yield* given.node({ bulk, breaker })
      yield* opens
      const all = bulk
        ? Effect.asVoid(larder.getMany(keys))
        : Effect.forEach(keys, (key) => Effect.exit(larder.get(key)), {
            concurrency: "unbounded",
            discard: true,
          })
      for (let i = 0; i < 40; i += 1) {
        yield* fork(all)
        yield* TestClock.adjust("100 millis")
      }
      const trips = given.script.trips()
      return { asked: source.asked, trips }
    })

  for (const bulk of [false, true]) {
    test(`cost one read for each key and retryAfterFailure, and no lease${bulk ? " (bulk)" : ""}`, (given) =>
      Effect.gen(function* () {
        const { asked, trips } = yield* rounds(bulk, hasty)(given)
        expect(asked).toBe(0)
        expect(count(trips, "read")).toBe(bulk ? 4 : 4 * keys.length)
        expect(trips.filter((trip) => trip !== "read" && trip !== "marks")).toEqual([])
      }))
  }

  test("cost no more where callers accept no stale value", ({ node, script }) =>
    Effect.gen(function* () {
      const policy = { freshFor: "1 second" } as const
      const { larder, opens, source } = yield* node({ breaker: hasty, policy })
      source.mood = "well"
      yield* larder.get("k")
      yield* TestClock.adjust("2 seconds")
      yield* opens
      for (let i = 0; i < 100; i += 1) {
        yield* Effect.exit(larder.get("k", { stale: "never" }))
        yield* TestClock.adjust("100 millis")
      }
      expect(count(script.trips(), "read")).toBe(10)
    }))

  test("cost a lease for each probe, where callers wait for probes", (given) =>
    Effect.gen(function* () {
      const { asked, trips } = yield* rounds(false, {})(given)
      expect(asked).toBe(4)
      expect(count(trips, "read")).toBeLessThanOrEqual(4 * keys.length)
      expect(count(trips, "acquire")).toBe(asked)
      expect(count(trips, "release")).toBe(asked)
    }))
})

describe("a refused lookup does not keep its node from", () => {
  test("what another node looks up, at once where messages arrive", ({ node }) =>
    Effect.gen(function* () {
      const one = yield* node({ breaker: hasty })
      const other = yield* node()
      other.source.mood = "well"
      yield* one.opens
      expect(Exit.isFailure(yield* Effect.exit(one.larder.get("k")))).toBe(true)
      yield* other.larder.set("k", "set")
      yield* TestClock.adjust("1 millis")
      expect(yield* one.larder.get("k")).toBe("set")
    }))

  test("what another node looks up, after retryAfterFailure where they do not", ({
    node,
    script,
  }) =>
    Effect.gen(function* () {
      script.isDeaf = true
      const one = yield* node({ breaker: hasty })
      const other = yield* node()
      other.source.mood = "well"
      yield* one.opens
      yield* Effect.exit(one.larder.get("k"))
      expect(yield* other.larder.get("k")).toBe("k")
      yield* TestClock.adjust("999 millis")
      // The refusals in between do not prolong the time.
      yield* Effect.exit(one.larder.get("k"))
      yield* TestClock.adjust("1 millis")
      expect(yield* one.larder.get("k")).toBe("k")
    }))

  test("a value that a checked read must not miss", ({ node, script }) =>
    Effect.gen(function* () {
      script.isDeaf = true
      const one = yield* node({ breaker: hasty })
      const other = yield* node()
      yield* one.opens
      yield* Effect.exit(one.larder.get("k"))
      yield* other.larder.set("k", "set")
      expect(yield* one.larder.get("k", { check: true })).toBe("set")
    }))

  test("a stale value of a tier that memory has evicted", ({ node }) =>
    Effect.gen(function* () {
      const { larder, opens, source } = yield* node({
        breaker: hasty,
        memory: { maxEntries: 1 },
        policy: { freshFor: "1 second" },
      })
      source.mood = "well"
      yield* larder.get("k")
      yield* TestClock.adjust("2 seconds")
      yield* opens
      expect(yield* larder.get("k")).toBe("k")
      yield* larder.set("another", "value")
      yield* larder.get("another")
      expect(yield* larder.get("k")).toBe("k")
    }))

  test("a value of a tier that did not answer before", ({ node, script }) =>
    Effect.gen(function* () {
      const one = yield* node({ breaker: hasty })
      yield* (yield* node()).larder.set("k", "set")
      yield* one.opens
      script.instead = { read: () => () => Effect.never }
      const call = yield* fork(Effect.exit(one.larder.get("k")))
      yield* TestClock.adjust("100 millis")
      expect(Exit.isFailure(yield* Fiber.join(call))).toBe(true)
      script.instead = {}
      expect(yield* one.larder.get("k")).toBe("set")
    }))

  test("a value of a tier, where the refused lookup was that of a refresh", ({ node }) =>
    Effect.gen(function* () {
      const one = yield* node({ breaker: hasty })
      yield* (yield* node()).larder.set("k", "set")
      yield* one.opens
      yield* Effect.exit(one.larder.refresh("k"))
      expect(yield* one.larder.get("k")).toBe("set")
    }))

  test("a newer revision of a tier, where a refresh asks a replica that lags", ({ node, script }) =>
    Effect.gen(function* () {
      const revision = (value: string) => value
      const one = yield* node({ revision })
      const other = yield* node({ revision })
      yield* one.opens
      const calls = yield* Effect.forEach(["probe", "k"], (key) =>
        fork(Effect.exit(one.larder.get(key))),
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.joinAll(calls)
      one.source.mood = "well"
      script.isLosing = true
      yield* other.larder.set("k", "z")
      const call = yield* fork(one.larder.refresh("k"))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(call)).toBe("z")
    }))

  test("a failure that is remembered for longer", ({ node, script }) =>
    Effect.gen(function* () {
      const { larder, opens, source } = yield* node({ breaker: hasty, bulk: true })
      source.mood = "well"
      const asked = Effect.map(larder.getMany(["unknown"]), (all) => String(all.get("unknown")))
      expect(yield* asked).toContain("KeyNotReturned")
      yield* opens
      // No answer to a caller of `get`.
      expect(String(yield* Effect.exit(larder.get("unknown")))).toContain("Circuit open")
      expect(yield* asked).toContain("KeyNotReturned")
      // After retryAfterFailure the tiers are read again, whatever is remembered for longer.
      script.isLosing = true
      yield* (yield* node()).larder.set("unknown", "set")
      yield* TestClock.adjust("1 second")
      expect(yield* larder.get("unknown")).toBe("set")
    }))

  test("a value of a tier without leases once the circuit lets lookups through", ({ node }) =>
    Effect.gen(function* () {
      const breaker = { probeQueue: 0, openDuration: "500 millis" } as const
      const one = yield* node({ breaker, hasLeases: false })
      const other = yield* node({ hasLeases: false })
      yield* one.opens
      yield* Effect.exit(one.larder.get("k"))
      yield* other.larder.set("k", "set")
      yield* TestClock.adjust("500 millis")
      expect(yield* one.larder.get("k")).toBe("set")
    }))
})

test("a lookup that was shed does not hold other nodes back", ({ node, script }) =>
  Effect.gen(function* () {
    const { larder, source } = yield* node({ permits: 1 })
    source.mood = "hangs"
    const running = yield* fork(larder.get("running"))
    expect(String(yield* Effect.exit(larder.get("k")))).toContain("shed")
    const [released] = script.of("release")
    expect(released?.args).toEqual(["k", expect.any(Number), 0])
    yield* Fiber.interrupt(running)
  }))

describe("a lookup that waits for a probe", () => {
  for (const bulk of [false, true]) {
    const get = (larder: Larder.Larder<string, string, unknown>, key: string) =>
      bulk ? Effect.map(larder.getMany([key]), (all) => all.get(key)) : Effect.exit(larder.get(key))

    test(`has no lease, so that another node does not wait${bulk ? " (bulk)" : ""}`, ({ node }) =>
      Effect.gen(function* () {
        const one = yield* node({ bulk })
        const other = yield* node({ bulk })
        other.source.mood = "well"
        yield* one.opens
        const waiting = yield* fork(get(one.larder, "k"))
        expect(yield* get(other.larder, "k")).toEqual(Exit.succeed("k"))
        yield* TestClock.adjust("1 second")
        // It adopts the other node's value, and upstream is not asked.
        expect(yield* Fiber.join(waiting)).toEqual(Exit.succeed("k"))
        expect(one.source.asked).toBe(0)
      }))

    test(`law 9: has hardTimeout for the wait and the lookup together${bulk ? " (bulk)" : ""}`, (given) =>
      Effect.gen(function* () {
        const { larder, opens, source } = yield* given.node({
          bulk,
          policy: { hardTimeout: "3 seconds" },
        })
        yield* opens
        source.mood = "hangs"
        const probe = yield* fork(get(larder, "probe"))
        yield* TestClock.adjust("500 millis")
        const waiting = yield* fork(get(larder, "k"))
        yield* TestClock.adjust("2499 millis")
        expect(probe.pollUnsafe()).toBe(undefined)
        yield* TestClock.adjust("1 millis")
        expect(String(yield* Fiber.join(probe))).toContain("LookupTimeout")
        yield* TestClock.adjust("500 millis")
        expect(String(yield* Fiber.join(waiting))).toContain("Failure")
        expect(source.asked).toBe(1)
      }))
  }

  for (const [how, delays] of [
    ["before its lease", [900]],
    ["with its lease", [1_100, 200]],
  ] as const) {
    test(`gets LookupTimeout where the probe takes longer, ${how}`, ({ node, script }) =>
      Effect.gen(function* () {
        const { larder, opens, source } = yield* node({
          breaker: { openDuration: "1 second" },
          policy: { hardTimeout: "3 seconds", tierTimeout: "5 seconds", tierBudget: "5 seconds" },
        })
        yield* opens
        yield* TestClock.adjust("1 second")
        source.mood = "hangs"
        const left: Array<number> = [...delays]
        script.instead = {
          acquire:
            (real) =>
            (...args) =>
              Effect.delay(real(...args), left.shift() ?? 0),
        }
        const probe = yield* fork(Effect.exit(larder.get("probe")))
        yield* TestClock.adjust("50 millis")
        const waiting = yield* fork(Effect.exit(larder.get("k")))
        yield* TestClock.adjust("3300 millis")
        expect(String(yield* Fiber.join(waiting))).toContain("LookupTimeout")
        expect(probe.pollUnsafe()).toBe(undefined)
        expect(source.asked).toBe(1)
        expect((yield* larder.stats).lookupsRefused).toEqual({ breakerOpen: 1, shed: 0 })
        expect(script.of("acquire").length).toBe(delays.length)
      }))
  }

  test("requests no lease while another one's is on its way to be the probe", ({ node, script }) =>
    Effect.gen(function* () {
      const { larder, opens, source } = yield* node({ breaker: { openDuration: "1 second" } })
      yield* opens
      yield* TestClock.adjust("1 second")
      source.mood = "well"
      script.instead = { acquire: scripted.slowly(50) }
      const calls = yield* Effect.forEach(["a", "b"], (key) => fork(larder.get(key)))
      yield* TestClock.adjust("49 millis")
      expect(script.of("acquire").length).toBe(1)
      yield* TestClock.adjust("100 millis")
      expect(yield* Fiber.joinAll(calls)).toEqual(["a", "b"])
    }))

  test("is next at once where the one that was on its way has left", ({ node, script }) =>
    Effect.gen(function* () {
      const { larder, opens, source } = yield* node({ breaker: { openDuration: "1 second" } })
      yield* opens
      yield* TestClock.adjust("1 second")
      source.mood = "well"
      script.instead = { acquire: scripted.slowly(50) }
      const first = yield* fork(larder.get("a"))
      const second = yield* fork(larder.get("b"))
      yield* TestClock.adjust("10 millis")
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("100 millis")
      expect(second.pollUnsafe()).toEqual(Exit.succeed("b"))
    }))

  test("has a lease when it is the probe, also where it has not read the tiers", ({
    node,
    script,
  }) =>
    Effect.gen(function* () {
      const { larder, opens, source } = yield* node()
      yield* opens
      const calls = yield* Effect.forEach(["probe", "k"], (key) =>
        fork(Effect.exit(larder.get(key))),
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.joinAll(calls)
      script.trips()
      source.mood = "well"
      const call = yield* fork(larder.get("k"))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(call)).toBe("k")
      expect(script.trips()).toEqual(["acquire", "commit"])
    }))

  test("is none where the outermost circuit refuses at once", ({ node }) =>
    Effect.gen(function* () {
      const { larder, opens } = yield* node({ outer: hasty })
      yield* opens
      const call = yield* fork(Effect.exit(larder.get("k")))
      yield* TestClock.adjust("1 millis")
      expect(String(call.pollUnsafe())).toContain("Circuit open")
    }))

  test("leaves its place when its caller leaves", ({ node, script }) =>
    Effect.gen(function* () {
      const { larder, opens, source } = yield* node({ breaker: { probeQueue: 1 } })
      yield* opens
      const first = yield* fork(larder.get("a"))
      yield* Fiber.interrupt(first)
      source.mood = "well"
      const second = yield* fork(larder.get("b"))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(second)).toBe("b")
      expect(script.of("acquire").length).toBe(1)
    }))
})

test("a retry around the circuit sees its refusals", ({ node }) =>
  Effect.gen(function* () {
    const { larder, opens, source } = yield* node({
      around: Schedule.spaced("600 millis").pipe(Schedule.upTo({ times: 1 })),
      breaker: { probeQueue: 0, openDuration: "1 second" },
    })
    const opening = yield* fork(opens)
    yield* TestClock.adjust("601 millis")
    yield* Fiber.join(opening)
    source.mood = "well"
    const call = yield* fork(larder.get("k"))
    yield* TestClock.adjust("600 millis")
    expect(yield* Fiber.join(call)).toBe("k")
  }))
