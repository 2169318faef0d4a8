/** Law 12: `expire` ends freshness, and keeps the value for when upstream fails, on every stack. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, type Tier, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as sharedLayer } from "./support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

type TheLarder = Larder.Larder<string, number, string>

interface World {
  readonly file: Faults
  readonly shared: Faults
  /** Starts a process over the tiers; memory is its own and holds one entry. */
  readonly start: Effect.Effect<TheLarder, never, Scope.Scope>
  /** The same, over a file of another machine. */
  readonly startElsewhere: Effect.Effect<TheLarder, never, Scope.Scope>
  asked: number
  upstream: Effect.Effect<number, string>
}

const memory = () => MemoryTier.layer({ maxEntries: 1 })

const stacks = {
  memory: () => TierStack.layer(memory()),
  "memory and shared": (_: Layer.Layer<Tier.Tier>, shared: Layer.Layer<Tier.Tier>) =>
    TierStack.layer(memory(), shared),
  shared: (_: Layer.Layer<Tier.Tier>, shared: Layer.Layer<Tier.Tier>) => TierStack.layer(shared),
  file: (file: Layer.Layer<Tier.Tier>) => TierStack.layer(file),
  "memory and file": (file: Layer.Layer<Tier.Tier>) => TierStack.layer(memory(), file),
  "memory, file and shared": (file: Layer.Layer<Tier.Tier>, shared: Layer.Layer<Tier.Tier>) =>
    TierStack.layer(memory(), file, shared),
}

type StackName = keyof typeof stacks

const worldOver = (name: StackName) =>
  Effect.gen(function* () {
    const faults = { file: new Faults(), shared: new Faults() }
    const file = Layer.succeedContext(yield* Layer.build(fileLayer(faults.file)))
    const shared = Layer.succeedContext(yield* Layer.build(sharedLayer(faults.shared)))
    const start = (machine: Layer.Layer<Tier.Tier>) =>
      Effect.suspend(() =>
        Larder.make({
          name: "expiring",
          value: Schema.Finite,
          upstream: Upstream.make({ lookup: (_: string) => Effect.suspend(() => self.upstream) }),
          policy: Policy.make({
            freshFor: "10 minutes",
            staleIfError: "1 hour",
            retryAfterFailure: 0,
            tierTimeout: 100,
          }),
        }).pipe(Effect.provide(stacks[name](machine, shared))),
      )
    const self: World = {
      ...faults,
      start: start(file),
      startElsewhere: start(fileLayer(new Faults())),
      asked: 0,
      upstream: Effect.sync(() => (self.asked += 1)),
    }
    return self
  })

const test = (
  name: StackName,
  title: string,
  body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>,
) =>
  it.effect(`law 12: ${title}: ${name}`, () =>
    Effect.andThen(
      TestClock.setTime(1_790_000_000_000),
      Effect.scoped(Effect.flatMap(worldOver(name), body)),
    ),
  )

/** Expects that the key is looked up, and that its old value is given where that fails. */
const isExpired = (world: World, larder: TheLarder, value: number) =>
  Effect.gen(function* () {
    const { upstream } = world
    expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Stale", grace: "error" })
    world.upstream = Effect.fail("down")
    expect(yield* larder.get("k")).toBe(value)
    world.upstream = upstream
  })

/** Pushes the key out of memory, where there is memory and something behind it. */
const evict = (name: StackName, larder: TheLarder) =>
  name.includes("memory") && name !== "memory" ? larder.set("other", 0) : Effect.void

const names = Object.keys(stacks) as ReadonlyArray<StackName>

for (const name of names) {
  test(name, "a value just looked up, expired at once, is kept for when upstream fails", (world) =>
    Effect.gen(function* () {
      const larder = yield* world.start
      const { upstream } = world
      world.upstream = Effect.delay(upstream, 10)
      // Its caller goes on before the tiers behind memory are told of the value.
      const caller = yield* fork(Effect.andThen(larder.get("k"), larder.expire("k")))
      yield* TestClock.adjust(10)
      expect((yield* Fiber.join(caller)).settled).toBe(true)
      world.upstream = upstream
      yield* isExpired(world, larder, 1)
      yield* evict(name, larder)
      yield* isExpired(world, larder, 1)
      expect(yield* larder.get("k")).toBe(2)
    }),
  )

  test(name, "a value that was set is kept for as long as it would have been", (world) =>
    Effect.gen(function* () {
      const larder = yield* world.start
      yield* larder.set("k", 100)
      yield* TestClock.adjust("1 minute")
      expect((yield* larder.expire("k")).settled).toBe(true)
      yield* evict(name, larder)
      yield* TestClock.adjust("68 minutes")
      yield* isExpired(world, larder, 100)
      yield* TestClock.adjust("1 minute")
      world.upstream = Effect.fail("down")
      expect(yield* Effect.flip(larder.get("k"))).toBe("down")
    }),
  )

  test(name, "a key that is not there stays away, and so does one that was removed", (world) =>
    Effect.gen(function* () {
      const larder = yield* world.start
      expect((yield* larder.expire("k")).settled).toBe(true)
      expect((yield* larder.read("k")).freshness._tag).toBe("Missing")
      yield* larder.set("k", 100)
      yield* larder.remove("k")
      yield* larder.expire("k")
      expect((yield* larder.read("k")).freshness._tag).toBe("Missing")
    }),
  )
}

for (const name of ["file", "memory and file", "memory, file and shared"] as const) {
  test(name, "a value in a file is still expired, and there, after a restart", (world) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const before = yield* Scope.provide(world.start, scope)
      yield* before.set("k", 100)
      yield* before.expire("k")
      yield* Scope.close(scope, Exit.void)
      world.shared.turn("fail", "all")
      yield* isExpired(world, yield* world.start, 100)
    }),
  )

  test(name, "another process of the machine sees it expired", (world) =>
    Effect.gen(function* () {
      const one = yield* world.start
      const other = yield* world.start
      yield* one.set("k", 100)
      yield* one.expire("k")
      yield* isExpired(world, other, 100)
    }),
  )

  test(name, "a lookup that is being written when its key is expired is expired too", (world) =>
    Effect.gen(function* () {
      const larder = yield* world.start
      world.file.turn("slow", "writes")
      yield* larder.get("k")
      yield* TestClock.adjust(10)
      const expired = yield* fork(larder.expire("k"))
      yield* TestClock.adjust(500)
      expect((yield* Fiber.join(expired)).settled).toBe(true)
      world.file.turn("none", "all")
      yield* evict(name, larder)
      yield* isExpired(world, larder, 1)
    }),
  )

  test(name, "what the file should have dropped does not come back by being expired", (world) =>
    Effect.gen(function* () {
      const larder = yield* world.start
      yield* larder.set("k", 100)
      world.file.turn("fail", "writes")
      yield* larder.remove("k")
      world.file.turn("none", "all")
      yield* larder.expire("k")
      expect((yield* larder.read("k")).freshness._tag).toBe("Missing")
    }),
  )

  for (const fault of ["fail", "failAfter", "hang", "hangAfter"] as const) {
    for (const reach of ["reads", "writes"] as const) {
      test(name, `a file that does not follow is not believed (${fault}, ${reach})`, (world) =>
        Effect.gen(function* () {
          const larder = yield* world.start
          yield* larder.set("k", 100)
          world.file.turn(fault, reach)
          const expired = yield* fork(larder.expire("k"))
          yield* TestClock.adjust(300)
          expect(expired.pollUnsafe()).not.toBe(undefined)
          world.file.turn("none", "all")
          yield* evict(name, larder)
          expect((yield* larder.read("k")).freshness._tag).not.toBe("Fresh")
          yield* TestClock.adjust("2 seconds")
          expect((yield* larder.read("k")).freshness._tag).not.toBe("Fresh")
          expect(yield* larder.get("k")).toBe(1)
        }),
      )
    }
  }
}

describe("memory, file and shared, with the shared tier away", () => {
  const name = "memory, file and shared"

  test(name, "what is expired then is kept for when upstream fails", (world) =>
    Effect.gen(function* () {
      const larder = yield* world.start
      yield* larder.set("k", 100)
      world.shared.turn("fail", "all")
      expect(yield* larder.expire("k")).toMatchObject({ settled: false, pending: ["shared"] })
      yield* isExpired(world, larder, 100)
      yield* evict(name, larder)
      yield* isExpired(world, larder, 100)
      world.shared.turn("none", "all")
    }),
  )

  test(name, "what was expired before is kept in the file too", (world) =>
    Effect.gen(function* () {
      const larder = yield* world.start
      yield* larder.set("k", 100)
      yield* larder.expire("k")
      yield* evict(name, larder)
      world.shared.turn("fail", "all")
      yield* isExpired(world, larder, 100)
    }),
  )
})

for (const name of ["memory and shared", "memory, file and shared"] as const) {
  it.effect(
    `law 12: an older value does not pass for the one that the shared tier expired: ${name}`,
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_790_000_000_000)
        const world = yield* worldOver(name)
        const larder = yield* world.start
        yield* larder.set("k", 100)
        // Another machine, which has another file.
        const other = yield* world.startElsewhere
        yield* other.set("k", 200)
        yield* larder.expire("k")
        yield* isExpired(world, larder, 200)
      }).pipe(Effect.scoped),
  )
}

for (const change of ["expire", "remove"] as const) {
  for (const put of ["none", "slow"] as const) {
    test(
      "memory, file and shared",
      `what was read before ${change} was applied is not fresh in the file after it (${put})`,
      (world) =>
        Effect.gen(function* () {
          const { file, shared } = world
          shared.isDeaf = true
          const elsewhere = yield* world.startElsewhere
          yield* elsewhere.set("k", 100)
          const larder = yield* world.start
          yield* larder.read("another")
          // Applied by the arbiter at 50, by the file at 50, acknowledged by the file at 100.
          shared.turn("slow", "writes")
          const changed = yield* fork(larder[change]("k"))
          yield* TestClock.adjust(10)
          // Reads at the arbiter at 10, hears of it at 60, writes to the file at 60 or 110.
          shared.turn("slowAfter", "reads")
          const reader = yield* fork(larder.get("k"))
          file.turn("slowAfter", "all")
          yield* TestClock.adjust(45)
          file.turn(put, "writes")
          yield* TestClock.adjust(300)
          expect((yield* Fiber.join(changed)).settled).toBe(true)
          expect(yield* Fiber.join(reader)).toBe(100)
          file.turn("none", "all")
          shared.turn("none", "all")
          yield* evict("memory, file and shared", larder)
          expect((yield* larder.read("k")).freshness._tag).not.toBe("Fresh")
        }),
    )
  }
}

test("file", "a value that another process writes late is not fresh after it", (world) =>
  Effect.gen(function* () {
    const one = yield* world.start
    const other = yield* world.start
    yield* one.set("k", 100)
    yield* TestClock.adjust("10 minutes")
    world.file.turn("slow", "writes")
    yield* other.get("k")
    yield* TestClock.adjust(10)
    world.file.turn("none", "all")
    expect((yield* one.expire("k")).settled).toBe(true)
    yield* TestClock.adjust(100)
    expect((yield* one.read("k")).freshness._tag).not.toBe("Fresh")
  }),
)

test("memory, file and shared", "a newer value in the file stays as it is", (world) =>
  Effect.gen(function* () {
    const one = yield* world.start
    const other = yield* world.start
    yield* other.set("k", 100)
    world.file.turn("slow", "reads")
    const expired = yield* fork(one.expire("k"))
    yield* TestClock.adjust(10)
    yield* other.set("k", 200)
    yield* TestClock.adjust(100)
    expect((yield* Fiber.join(expired)).settled).toBe(true)
    world.file.turn("none", "all")
    yield* evict("memory, file and shared", other)
    expect(yield* other.getWithMeta("k")).toMatchObject({
      value: 200,
      freshness: { _tag: "Fresh" },
      tier: "file",
    })
  }),
)

it.effect("law 7: while a value is being written to a file it is not looked up again", () =>
  Effect.gen(function* () {
    const world = yield* worldOver("file")
    const larder = yield* world.start
    world.file.turn("slow", "writes")
    expect(yield* larder.get("k")).toBe(1)
    yield* TestClock.adjust(10)
    expect(yield* larder.get("k")).toBe(1)
    yield* TestClock.adjust(50)
    expect(yield* larder.get("k")).toBe(1)
    expect(world.asked).toBe(1)
  }).pipe(Effect.scoped),
)
