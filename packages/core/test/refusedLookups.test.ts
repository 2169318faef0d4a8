/** A lookup that a guard of upstream does not let through is refused: it is neither a lookup nor a failed one. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Data, Effect, Fiber, Layer, Metric, PubSub, Schedule, Schema } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"

class Down extends Data.TaggedError("Down") {}

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const tripPolicy = CircuitBreaker.consecutive(1)

type Guard = (
  upstream: Upstream.Upstream<string, string, unknown>,
) => Upstream.Upstream<string, string, unknown>

const breaking: Guard = (u) =>
  Upstream.withCircuitBreaker(u, { tripPolicy, openDuration: "1 hour", probeQueue: 0 })

const patient: Guard = (u) => Upstream.withCircuitBreaker(u, { tripPolicy })

const shedding: Guard = Upstream.withConcurrency({ foreground: 1, queue: 0 })

const queueing: Guard = Upstream.withConcurrency({ foreground: 1, queue: 9 })

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () =>
    TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared)),
}

type Mood = "well" | "down" | "hangs" | "disobeys"

interface World {
  readonly guard: Guard
  readonly bulk: boolean
  readonly policy?: Partial<Policy.Options>
}

const makeWorld = ({ bulk, guard, policy = {} }: World) =>
  Effect.gen(function* () {
    const source = { asked: new Array<string>(), mood: "well" as Mood }
    const ask = (keys: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        source.asked.push(...keys)
        if (source.mood === "down") return new Down()
        if (source.mood === "disobeys") return Effect.uninterruptible(Effect.sleep("1 minute"))
        return source.mood === "hangs" ? Effect.never : Effect.void
      })
    const upstream = Upstream.make({
      lookup: (key: string) => Effect.as(ask([key]), key),
      lookupMany: bulk
        ? (keys) => Effect.as(ask(keys), new Map(keys.map((key) => [key, key])))
        : undefined,
    })
    const larder = yield* Larder.make({
      name: "refusing",
      value: Schema.String,
      upstream: guard(upstream),
      policy: Policy.make({ freshFor: "1 second", hardTimeout: "3 seconds", ...policy }),
    })
    const get = (key: string): Effect.Effect<unknown> =>
      bulk ? larder.getMany([key]) : Effect.exit(larder.get(key))
    const subscription = yield* larder.subscribe
    /** The events about lookups of a key so far. */
    const told = (key: string) =>
      Effect.map(PubSub.takeAll(subscription), (events) =>
        events.flatMap((event) =>
          event._tag.startsWith("Lookup") && "key" in event && event.key === key ? [event] : [],
        ),
      )
    return { get, larder, source, told }
  })

const on = (
  title: string,
  world: Omit<World, "bulk">,
  body: (
    world: Effect.Success<ReturnType<typeof makeWorld>>,
  ) => Effect.Effect<void, unknown, TierStack.TierStack>,
) => {
  for (const [name, stack] of Object.entries(stacks)) {
    for (const bulk of [false, true]) {
      it.effect(`${title} (${name}${bulk ? ", in bulk" : ""})`, () =>
        Effect.flatMap(makeWorld({ ...world, bulk }), body).pipe(
          Effect.scoped,
          Effect.provide(stack(), { local: true }),
        ),
      )
    }
  }
}

const refused = (reason: string) => [{ _tag: "LookupRefused", key: "k", reason }]

describe("a refused lookup", () => {
  on("by an open circuit", { guard: breaking }, ({ get, larder, source, told }) =>
    Effect.gen(function* () {
      source.mood = "down"
      yield* get("opens it")
      yield* get("k")
      expect(yield* told("k")).toMatchObject(refused("breakerOpen"))
      expect(source.asked).toEqual(["opens it"])
      expect(yield* larder.stats).toMatchObject({
        lookups: 1,
        lookupsFailed: 1,
        lookupsRefused: { breakerOpen: 1, shed: 0 },
      })
    }),
  )

  on(
    "by an open circuit, where callers have a stale value",
    { guard: breaking, policy: { staleIfError: "1 hour" } },
    ({ get, larder, source, told }) =>
      Effect.gen(function* () {
        yield* get("k")
        yield* TestClock.adjust("2 seconds")
        source.mood = "down"
        yield* get("opens it")
        yield* told("k")
        yield* get("k")
        expect(yield* told("k")).toMatchObject(refused("breakerOpen"))
        expect(yield* larder.stats).toMatchObject({
          lookups: 2,
          lookupsRefused: { breakerOpen: 1, shed: 0 },
        })
      }),
  )

  on(
    "by the failed probe for which it waited",
    { guard: patient },
    ({ get, larder, source, told }) =>
      Effect.gen(function* () {
        source.mood = "down"
        yield* get("opens it")
        const probe = yield* fork(get("probe"))
        const call = yield* fork(get("k"))
        yield* TestClock.adjust("999 millis")
        expect(yield* told("k")).toEqual([])
        yield* TestClock.adjust("1 second")
        yield* Fiber.joinAll([probe, call])
        expect(yield* told("k")).toMatchObject(refused("breakerOpen"))
        expect(source.asked).toEqual(["opens it", "probe"])
        expect(yield* larder.stats).toMatchObject({
          lookups: 2,
          lookupsFailed: 2,
          lookupsRefused: { breakerOpen: 1 },
        })
      }),
  )

  on("by a probe that takes longer than its hardTimeout", { guard: patient }, (world) =>
    Effect.gen(function* () {
      const { get, larder, source, told } = world
      source.mood = "down"
      yield* get("opens it")
      const call = yield* fork(get("k"))
      yield* TestClock.adjust("500 millis")
      source.mood = "hangs"
      const later = yield* fork(get("later"))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.joinAll([call, later])
      expect((yield* told("k")).map(({ _tag }) => _tag)).toEqual([
        "LookupStarted",
        "LookupTimedOut",
      ])
      expect(yield* larder.stats).toMatchObject({
        lookups: 2,
        lookupsTimedOut: 1,
        lookupsRefused: { breakerOpen: 1, shed: 0 },
      })
    }),
  )

  on("by a full queue", { guard: shedding }, ({ get, larder, source, told }) =>
    Effect.gen(function* () {
      source.mood = "hangs"
      const running = yield* fork(get("running"))
      yield* get("k")
      expect(yield* told("k")).toMatchObject(refused("shed"))
      yield* Fiber.interrupt(running)
      expect(yield* larder.stats).toMatchObject({
        lookups: 1,
        lookupsFailed: 0,
        lookupsRefused: { breakerOpen: 0, shed: 1 },
      })
    }),
  )

  on("by a queue in which it waits until its hardTimeout", { guard: queueing }, (world) =>
    Effect.gen(function* () {
      const { get, larder, source, told } = world
      source.mood = "disobeys"
      const calls = [yield* fork(get("running")), yield* fork(get("k"))]
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.joinAll(calls)
      expect(yield* told("k")).toMatchObject(refused("shed"))
      expect(source.asked).toEqual(["running"])
      expect(yield* larder.stats).toMatchObject({
        lookups: 1,
        lookupsTimedOut: 1,
        lookupsRefused: { breakerOpen: 0, shed: 1 },
      })
      // The lookup that disobeys its interruption ends.
      yield* TestClock.adjust("1 minute")
    }),
  )

  on(
    "is none that reached upstream once",
    { guard: (u) => Upstream.withRetry(breaking(u), Schedule.recurs(1)) },
    ({ get, larder, source, told }) =>
      Effect.gen(function* () {
        source.mood = "down"
        yield* get("k")
        expect((yield* told("k")).map(({ _tag }) => _tag)).toEqual([
          "LookupStarted",
          "LookupFailed",
        ])
        expect(yield* larder.stats).toMatchObject({
          lookups: 1,
          lookupsFailed: 1,
          lookupsRefused: { breakerOpen: 0, shed: 0 },
        })
      }),
  )
})

it.effect("a bulk lookup that waits for a probe does not put it off", () =>
  Effect.gen(function* () {
    const { get, source } = yield* makeWorld({ guard: patient, bulk: true })
    source.mood = "down"
    yield* get("opens it")
    yield* TestClock.adjust("900 millis")
    source.mood = "well"
    yield* fork(get("k"))
    yield* TestClock.adjust("100 millis")
    expect(source.asked).toEqual(["opens it", "k"])
  }).pipe(Effect.scoped, Effect.provide(stacks.memory(), { local: true })),
)

it.effect("a key of a bulk lookup whose callers have left is not refused", () =>
  Effect.gen(function* () {
    const { get, larder, source, told } = yield* makeWorld({ guard: patient, bulk: true })
    source.mood = "down"
    yield* get("opens it")
    const probe = yield* fork(get("probe"))
    const left = yield* fork(larder.getMany(["k", "other"]))
    const other = yield* fork(get("other"))
    yield* Fiber.interrupt(left)
    yield* TestClock.adjust("1 second")
    yield* Fiber.joinAll([probe, other])
    expect(yield* told("k")).toEqual([])
    expect(yield* larder.stats).toMatchObject({ lookupsRefused: { breakerOpen: 1 } })
  }).pipe(Effect.scoped, Effect.provide(stacks["memory and shared"](), { local: true })),
)

it.effect("a lookup is told of when it leaves the queue for upstream", () =>
  Effect.gen(function* () {
    const { get, source, told } = yield* makeWorld({ guard: queueing, bulk: false })
    source.mood = "hangs"
    const running = yield* fork(get("running"))
    const call = yield* fork(get("k"))
    expect(yield* told("k")).toEqual([])
    source.mood = "well"
    yield* Fiber.interrupt(running)
    yield* Fiber.join(call)
    expect((yield* told("k")).map(({ _tag }) => _tag)).toEqual(["LookupStarted", "LookupSucceeded"])
  }).pipe(Effect.scoped, Effect.provide(stacks.memory(), { local: true })),
)

it.effect("an upstream made by hand is reached when it is called", () =>
  Effect.gen(function* () {
    class Source extends Upstream.Service<Source, string, string>()("refusing/Source") {}
    const larder = yield* Larder.make({
      name: "byHand",
      upstream: Source,
      policy: Policy.make({ freshFor: "1 second" }),
    }).pipe(
      Effect.provideService(Source, {
        lookup: (key) => Effect.succeed(key),
        lookupMany: undefined,
        breakers: [],
      }),
    )
    expect(yield* larder.get("k")).toBe("k")
    expect(yield* larder.stats).toMatchObject({ lookups: 1, lookupsSucceeded: 1 })
  }).pipe(Effect.scoped, Effect.provide(stacks.memory(), { local: true })),
)

it.effect("refused lookups are a metric by reason, and no part of the lookups", () =>
  Effect.gen(function* () {
    const { get, source } = yield* makeWorld({ guard: breaking, bulk: false })
    source.mood = "down"
    for (const key of ["opens it", "a", "b"]) yield* get(key)
    const read = (id: string, label: string) =>
      Effect.map(Metric.snapshot, (metrics) =>
        metrics.flatMap(({ attributes, id: name, state }) =>
          name === id ? [[attributes?.[label], (state as { readonly count: number }).count]] : [],
        ),
      )
    expect(yield* read("larder_lookups_refused_total", "reason")).toEqual([
      ["breaker_open", 2],
      ["shed", 0],
    ])
    expect(yield* read("larder_lookups_total", "outcome")).toContainEqual(["failed", 1])
  }).pipe(
    Effect.scoped,
    Effect.provide(stacks.memory(), { local: true }),
    Effect.provideService(Metric.MetricRegistry, new Map()),
  ),
)
