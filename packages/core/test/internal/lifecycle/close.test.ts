/** Law 22, closing a larder: what it waits for, how long, and its warnings about the rest. */
import { expect, it } from "@effect/vitest"
import { Backplane, Larder, MemoryTier, Policy, type Tier, TierStack, Upstream } from "@larder/core"
import {
  Effect,
  Exit,
  Fiber,
  Latch,
  Layer,
  Logger,
  Queue,
  Scheduler,
  Schema,
  Scope,
  Stream,
} from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyShared } from "../../support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const closeMillis = 2_000

interface Opened {
  readonly larder: Larder.Larder<string, number, string>
  /** The log lines of closing. */
  readonly close: Effect.Effect<ReadonlyArray<string>>
}

/** A larder with a scope of its own; a key that begins with "disobeys" is looked up for a minute, whatever happens. */
const open = (
  tiers: Layer.Layer<Tier.Tier>,
  options: Partial<Larder.BaseOptions<number, string, string, never>> = {},
  inFront: ReadonlyArray<Layer.Layer<Tier.Tier>> = [],
): Effect.Effect<Opened> =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(({ message }) => lines.push(String(message)))
    const scope = yield* Scope.make()
    const larder = yield* Larder.make({
      name: "closing",
      value: Schema.Finite,
      policy: Policy.make({ freshFor: "10 seconds", staleIfError: "1 hour", hardTimeout: 500 }),
      closeTimeout: closeMillis,
      upstream: Upstream.make({
        lookup: (key: string) => {
          if (key.startsWith("disobeys"))
            return Effect.uninterruptible(Effect.as(Effect.sleep(60_000), 1))
          return key.startsWith("hangs") ? Effect.never : Effect.succeed(1)
        },
      }),
      ...options,
    }).pipe(
      Scope.provide(scope),
      Effect.provide([
        TierStack.layer(MemoryTier.layer(), ...inFront, tiers),
        Logger.layer([logger]),
      ]),
    )
    const close = Effect.suspend(() => {
      lines.length = 0
      return Effect.as(Scope.close(scope, Exit.void), lines)
    })
    return { larder, close }
  })

const built = (faults: Faults) =>
  Effect.map(Layer.build(faultyShared(faults)), Layer.succeedContext)

/** Some time has passed already when it closes. */
const start = TestClock.setTime(1_790_000_000_000)

it.effect("where nothing runs it closes at once, and says nothing", () =>
  Effect.gen(function* () {
    yield* start
    const { close, larder } = yield* open(faultyShared(new Faults()))
    yield* larder.get("k")
    yield* TestClock.adjust("1 second")
    const closing = yield* fork(close)
    yield* TestClock.adjust(0)
    expect(closing.pollUnsafe()).toEqual(Exit.succeed([]))
  }).pipe(Effect.scoped),
)

it.effect("a lookup that disobeys is waited for no longer than closeTimeout, and counted", () =>
  Effect.gen(function* () {
    yield* start
    const { close, larder } = yield* open(faultyShared(new Faults()))
    yield* fork(Effect.exit(larder.get("disobeys")))
    yield* fork(Effect.exit(larder.get("disobeys too")))
    const closing = yield* fork(close)
    yield* TestClock.adjust(closeMillis - 1)
    expect(closing.pollUnsafe()).toBe(undefined)
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(closing)).toEqual([
      "closing: closed after closeTimeout, 2000 ms, with 2 fibers that ignore their interruption; make their lookups interruptible",
    ])
  }).pipe(Effect.scoped),
)

it.effect("one that was given up before is not waited for again, and counted", () =>
  Effect.gen(function* () {
    yield* start
    const { close, larder } = yield* open(faultyShared(new Faults()))
    yield* fork(Effect.exit(larder.get("disobeys")))
    yield* TestClock.adjust(500)
    const closing = yield* fork(close)
    yield* TestClock.adjust(0)
    const exit = closing.pollUnsafe()
    expect(exit).toEqual(
      Exit.succeed([
        "closing: closed with 1 fibers that ignore their interruption; make their lookups interruptible",
      ]),
    )
  }).pipe(Effect.scoped),
)

it.effect("all that is left is counted: lookups, those given up before, and commits apart", () => {
  const faults = new Faults()
  return Effect.gen(function* () {
    yield* start
    const { close, larder } = yield* open(faultyShared(faults), { closeTimeout: 20 })
    yield* fork(Effect.exit(larder.get("disobeys")))
    yield* TestClock.adjust(500)
    yield* fork(Effect.exit(larder.get("disobeys too")))
    faults.turn("slow", "writes")
    yield* larder.get("k")
    const closing = yield* fork(close)
    yield* TestClock.adjust(20)
    expect(yield* Fiber.join(closing)).toEqual([
      expect.stringContaining("with 2 fibers"),
      "closing: closed after closeTimeout, 20 ms, with 1 writes unfinished; raise closeTimeout if a tier is slow",
    ])
  }).pipe(Effect.scoped)
})

it.effect("a commit is waited for, also one of a value that was just looked up", () => {
  const faults = new Faults()
  return Effect.gen(function* () {
    yield* start
    const tier = yield* built(faults)
    const { close, larder } = yield* open(tier)
    faults.turn("slow", "writes")
    yield* larder.get("k")
    const closing = yield* fork(close)
    yield* TestClock.adjust(49)
    expect(closing.pollUnsafe()).toBe(undefined)
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(closing)).toEqual([])
    faults.turn("none", "all")
    const other = yield* open(tier)
    expect((yield* other.larder.read("k")).entry?.value).toBe(1)
    yield* other.close
  }).pipe(Effect.scoped)
})

it.effect(
  "a commit that takes longer than closeTimeout is given up: it writes nothing later",
  () => {
    const faults = new Faults()
    return Effect.gen(function* () {
      yield* start
      const tier = yield* built(faults)
      const { close, larder } = yield* open(tier, { closeTimeout: 20 })
      faults.turn("slow", "writes")
      yield* larder.get("k")
      const closing = yield* fork(close)
      yield* TestClock.adjust(20)
      expect(yield* Fiber.join(closing)).toHaveLength(1)
      yield* TestClock.adjust("1 second")
      faults.turn("none", "all")
      const other = yield* open(tier)
      expect((yield* other.larder.read("k")).entry).toBe(undefined)
      yield* other.close
    }).pipe(Effect.scoped)
  },
)

it.effect("a commit that is given up is not put into a tier in front of the arbiter", () => {
  const [file, shared] = [new Faults(), new Faults()]
  return Effect.gen(function* () {
    yield* start
    const { close, larder } = yield* open(faultyShared(shared), { closeTimeout: 20 }, [
      fileLayer(file),
    ])
    shared.turn("slow", "writes")
    yield* larder.get("k")
    const closing = yield* fork(close)
    yield* TestClock.adjust(20)
    expect(yield* Fiber.join(closing)).toHaveLength(1)
    yield* TestClock.adjust("1 second")
    expect(file.written).toBe(0)
  }).pipe(Effect.scoped)
})

it.effect(
  "a lookup that is given up gives its lease back: another node does not wait for it",
  () => {
    const faults = new Faults()
    return Effect.gen(function* () {
      yield* start
      const tier = yield* built(faults)
      const one = yield* open(tier)
      yield* fork(Effect.exit(one.larder.get("hangs")))
      yield* TestClock.adjust(1)
      faults.turn("slow", "leases")
      const closing = yield* fork(one.close)
      yield* TestClock.adjust(50)
      expect(yield* Fiber.join(closing)).toEqual([])
      faults.turn("none", "all")
      const other = yield* open(tier, {
        upstream: Upstream.make({ lookup: () => Effect.succeed(7) }),
      })
      const asking = yield* fork(other.larder.get("hangs"))
      yield* TestClock.adjust(0)
      expect(asking.pollUnsafe()).toEqual(Exit.succeed(7))
      yield* other.close
    }).pipe(Effect.scoped)
  },
)

it.effect(
  "changes that the arbiter missed are tried once more, and what stays missed is said",
  () => {
    const faults = new Faults()
    return Effect.gen(function* () {
      yield* start
      const tier = yield* built(faults)
      for (const isBack of [true, false]) {
        const { close, larder } = yield* open(tier)
        yield* larder.set("k", 1)
        faults.turn("fail", "all")
        expect(yield* larder.remove("k")).toMatchObject({ settled: false })
        if (isBack) faults.turn("none", "all")
        const closing = yield* fork(close)
        yield* TestClock.adjust(closeMillis)
        expect(yield* Fiber.join(closing)).toEqual(
          isBack
            ? []
            : [
                "closing: closed before shared had all changes, so other nodes may serve older values; raise closeTimeout if the tier is slow",
              ],
        )
        faults.turn("none", "all")
        const other = yield* open(tier)
        expect((yield* other.larder.read("k")).entry?.value).toBe(isBack ? undefined : 1)
        yield* other.close
      }
    }).pipe(Effect.scoped)
  },
)

it.effect("a value that no tier has taken by then is said, and not written later", () => {
  const faults = new Faults()
  return Effect.gen(function* () {
    yield* start
    const policy = Policy.make({ freshFor: "10 seconds", tierWrites: "background" })
    const { close, larder } = yield* open(faultyShared(faults), { policy })
    yield* larder.set("k", 1)
    faults.turn("fail", "all")
    yield* larder.set("k", 2)
    const closing = yield* fork(close)
    yield* TestClock.adjust(closeMillis)
    expect(yield* Fiber.join(closing)).toEqual([
      "closing: closed before shared had all changes, so other nodes may serve older values; raise closeTimeout if the tier is slow",
    ])
    faults.turn("none", "all")
    faults.trips.length = 0
    yield* TestClock.adjust("1 minute")
    expect(faults.trips).toEqual([])
  }).pipe(Effect.scoped)
})

it.effect("lookups that it interrupts are told and counted as no failures of upstream", () =>
  Effect.gen(function* () {
    yield* start
    const { close, larder } = yield* open(faultyShared(new Faults()))
    const tags: Array<string> = []
    yield* fork(Stream.runForEach(larder.events, ({ _tag }) => Effect.sync(() => tags.push(_tag))))
    yield* fork(Effect.exit(larder.get("hangs")))
    yield* fork(Effect.exit(larder.getMany(["hangs too", "hangs as well"])))
    yield* TestClock.adjust(1)
    expect(yield* fork(close).pipe(Effect.flatMap(Fiber.join))).toEqual([])
    expect(yield* larder.stats).toMatchObject({ lookups: 3, lookupsFailed: 0, inFlight: 0 })
    yield* TestClock.adjust(1)
    expect(tags).toContain("LookupStarted")
    expect(tags).not.toContain("LookupFailed")
  }).pipe(Effect.scoped),
)

it.effect("a lease that is won while it closes is given back before it is closed", () => {
  const faults = new Faults()
  return Effect.gen(function* () {
    yield* start
    const tier = yield* built(faults)
    const one = yield* open(tier)
    faults.turn("slow", "leases")
    yield* fork(Effect.exit(one.larder.get("hangs")))
    yield* TestClock.adjust(10)
    const closing = yield* fork(one.close)
    yield* TestClock.adjust(89)
    expect(closing.pollUnsafe()).toBe(undefined)
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(closing)).toEqual([])
    faults.turn("none", "all")
    const other = yield* open(tier, {
      upstream: Upstream.make({ lookup: () => Effect.succeed(7) }),
    })
    const asking = yield* fork(other.larder.get("hangs"))
    yield* TestClock.adjust(0)
    expect(asking.pollUnsafe()).toEqual(Exit.succeed(7))
    yield* other.close
  }).pipe(Effect.scoped)
})

it.effect("with a closeTimeout of 0 nothing is waited for", () =>
  Effect.gen(function* () {
    yield* start
    const { close, larder } = yield* open(faultyShared(new Faults()), { closeTimeout: 0 })
    yield* fork(Effect.exit(larder.get("disobeys")))
    const closing = yield* fork(close)
    yield* TestClock.adjust(0)
    const exit = closing.pollUnsafe()
    expect(exit).toEqual(
      Exit.succeed([
        "closing: closed after closeTimeout, 0 ms, with 1 fibers that ignore their interruption; make their lookups interruptible",
      ]),
    )
  }).pipe(Effect.scoped),
)

it.effect("what begins while it closes is ended, and does not count as ignoring that", () =>
  Effect.gen(function* () {
    yield* start
    // The link opens in one of the turns that closing takes, and the backplane does not answer.
    for (let turns = 0; turns < 60; turns++) {
      const opened = Latch.makeUnsafe()
      const messages = yield* Queue.unbounded<Backplane.Message>()
      const backplane = {
        name: "hanging",
        open: () =>
          Effect.as(
            Effect.andThen(opened.await, Effect.yieldNow.pipe(Effect.repeat({ times: turns }))),
            {
              publish: () => Effect.never,
              messages,
            },
          ),
      }
      const { close, larder } = yield* Effect.provideService(
        open(fileLayer(new Faults())),
        Backplane.Backplane,
        backplane,
      )
      yield* larder.set("k", 2)
      opened.openUnsafe()
      // Closing yields to other fibers after each operation.
      const closing = yield* fork(Effect.provideService(close, Scheduler.MaxOpsBeforeYield, 4))
      while (closing.pollUnsafe() === undefined) yield* TestClock.adjust(closeMillis / 10)
      expect(yield* Fiber.join(closing)).not.toContainEqual(expect.stringContaining("ignore"))
    }
  }).pipe(Effect.scoped),
)
