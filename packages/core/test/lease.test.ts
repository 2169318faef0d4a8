/** The events of waiting for a lease: they cover only the time that another node's lookup took. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Layer, PubSub, Random, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyShared } from "./support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

interface World {
  readonly shared: Faults
  readonly node: Effect.Effect<Larder.Larder<string, number, string>, never, Scope.Scope>
  upstream: Effect.Effect<number, string>
}

/** Pauses are not shortened. */
const evenly = { nextDoubleUnsafe: () => 0, nextIntUnsafe: () => 0 }

const world = Effect.gen(function* () {
  const shared = new Faults()
  const tier = Layer.succeedContext(yield* Layer.build(faultyShared(shared)))
  const self: World = {
    shared,
    upstream: Effect.succeed(1),
    node: Effect.suspend(() =>
      Larder.make({
        name: "leases",
        value: Schema.Finite,
        upstream: Upstream.make({
          lookup: (_: string) => Effect.suspend(() => self.upstream),
          lookupMany: (keys: ReadonlyArray<string>) =>
            Effect.map(
              Effect.suspend(() => self.upstream),
              (value) => new Map(keys.map((key) => [key, value])),
            ),
        }),
        policy: Policy.make({
          freshFor: "10 seconds",
          staleIfError: "1 hour",
          retryAfterFailure: "5 seconds",
        }),
      }).pipe(
        Effect.provide(TierStack.layer(MemoryTier.layer(), tier)),
        Effect.provideService(Random.Random, evenly),
      ),
    ),
  }
  return self
})

const test = (title: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () =>
    Effect.andThen(
      TestClock.setTime(1_790_000_000_000),
      Effect.scoped(Effect.flatMap(world, body)),
    ),
  )

/** The waits for a lease that the larder tells of while the effect runs and `millis` pass. */
const waitsDuring = <A, E>(
  larder: Larder.Larder<string, number, string>,
  millis: number,
  effect: Effect.Effect<A, E>,
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const subscription = yield* larder.subscribe
      const fiber = yield* fork(effect)
      yield* TestClock.adjust(millis)
      yield* Fiber.join(fiber)
      const events = yield* PubSub.takeAll(subscription)
      return events.flatMap((event) => (event._tag === "LeaseWaited" ? [event.millis] : []))
    }),
  )

const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)

type Node = Larder.Larder<string, number, string>

/** The calls that take a lease in a trip of 50 ms without contention. */
const uncontended: Readonly<Record<string, (node: Node) => Effect.Effect<unknown, unknown>>> = {
  get: (node) => Effect.forEach(keys, (key) => node.get(key), { concurrency: "unbounded" }),
  getMany: (node) => node.getMany(keys),
  refresh: (node) => node.refresh("k0"),
}

for (const [name, call] of Object.entries(uncontended)) {
  test(`LeaseWaited is not told where nobody has the lease: ${name}`, (world) =>
    Effect.gen(function* () {
      const node = yield* world.node
      world.shared.turn("slow", "leases")
      expect(yield* waitsDuring(node, 1_000, call(node))).toEqual([])
      expect((yield* node.stats).lookups).toBeGreaterThan(0)
    }))
}

test("LeaseWaited is not told where the arbiter has a newer entry, another's failure, or no answer", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node
    const b = yield* world.node
    yield* a.set("failed", 1)
    yield* TestClock.adjust("10 seconds")
    world.upstream = Effect.fail("down")
    yield* a.get("failed")
    world.shared.turn("slow", "leases")
    expect(yield* waitsDuring(b, 1_000, b.get("failed"))).toEqual([])
    world.upstream = Effect.succeed(1)
    // B has read nothing when A sets the value; the request for the lease is answered with it.
    const newer = Effect.all([b.get("newer"), Effect.delay(a.set("newer", 2), 20)], {
      concurrency: "unbounded",
    })
    expect(yield* waitsDuring(b, 1_000, newer)).toEqual([])
    world.shared.turn("hang", "leases")
    expect(yield* waitsDuring(b, 1_000, b.get("unanswered"))).toEqual([])
  }))

const contended: Readonly<Record<string, (node: Node) => Effect.Effect<unknown, unknown>>> = {
  get: (node) => node.get("k"),
  getMany: (node) => node.getMany(["k"]),
}

for (const [name, call] of Object.entries(contended)) {
  test(`LeaseWaited tells how long another node's lookup was waited for: ${name}`, (world) =>
    Effect.gen(function* () {
      const a = yield* world.node
      const b = yield* world.node
      world.upstream = Effect.delay(Effect.succeed(1), 300)
      yield* fork(a.get("k"))
      expect(yield* waitsDuring(b, 1_000, call(b))).toEqual([300])
    }))

  test(`LeaseWaited tells how long another node's lookup was waited for, its message lost: ${name}`, (world) =>
    Effect.gen(function* () {
      world.shared.isDeaf = true
      const a = yield* world.node
      const b = yield* world.node
      world.upstream = Effect.delay(Effect.succeed(1), 300)
      yield* fork(a.get("k"))
      // Polled after 50, 150 and 350 ms.
      expect(yield* waitsDuring(b, 1_000, call(b))).toEqual([350])
    }))
}

test("LeaseWaited is told once where the other node's lookup fails and this one takes over", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node
    const b = yield* world.node
    world.upstream = Effect.delay(Effect.fail("down"), 300)
    yield* fork(Effect.exit(a.get("k")))
    expect(yield* waitsDuring(b, 2_000, Effect.exit(b.get("k")))).toEqual([300])
  }))
