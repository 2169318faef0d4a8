/** A byte tier as one larder sees it: its answers, and the requests that it gets. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, PubSub, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import type * as Entry from "../../../src/Entry.ts"
import { forever } from "../../../src/Entry.ts"
import * as Envelope from "../../../src/Envelope.ts"
import { fartherTier, openStore } from "../../../src/internal/tier/openTier.ts"
import type { Role } from "../../../src/internal/tier/tierOptions.ts"
import type { TierRead } from "../../../src/internal/tier/tierRead.ts"
import { Marks } from "../../../src/internal/invalidation/marks.ts"
import { sumOf } from "../../../src/internal/observe/counters.ts"
import { Observer } from "../../../src/internal/observe/eventHub.ts"
import { monotonicMillis } from "../../../src/internal/runtime/monotonic.ts"
import { steadyClock } from "../../../src/internal/runtime/steadyClock.ts"
import { Budget } from "../../../src/internal/tier/budget.ts"
import { type ByteStore, type ByteTier, type Notice, Tier, TierError } from "../../../src/Tier.ts"
import * as Wire from "../../../src/Wire.ts"
import * as scripted from "../../support/scriptedTier.ts"
import { turnsByHand } from "../../support/turnsByHand.ts"

const start = 1_790_000_000_000

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const entry = (version: number, times: Partial<Entry.Entry<number>> = {}): Entry.Entry<number> => ({
  value: version,
  storedAt: start,
  freshUntil: start + 10_000,
  revalidateUntil: start + 10_000,
  staleUntil: start + 100_000,
  loadMillis: 1,
  version,
  asOf: 0,
  tags: [],
  ...times,
})

const opened = (
  role: Role,
  given: Partial<Pick<ByteTier, "namespace" | "wire">> = {},
  {
    maxFreshFor,
    over = (store) => store,
    takes,
  }: {
    maxFreshFor?: number
    over?: (store: ByteStore) => ByteStore
    takes?: "each" | "batches"
  } = {},
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const script = new scripted.Script()
    const kind = role === "arbiter" ? "shared" : "file"
    const tier = Context.get(yield* Layer.build(scripted.layer(script, kind, takes)), Tier)
    if (tier.kind !== "bytes") return yield* Effect.die("a byte tier")
    const clock = yield* steadyClock
    const turns = yield* turnsByHand
    const observer = new Observer("unit", clock, (run) => run())
    const subscription = yield* observer.subscribe
    const scope = yield* Scope.make()
    let notify: (notice: Notice) => void = () => {}
    const listening = {
      ...tier,
      ...given,
      open: (options: Parameters<typeof tier.open>[0]) => {
        notify = options.notify ?? notify
        return Effect.map(tier.open(options), over)
      },
    }
    const marks = new Marks()
    const options = {
      larder: "unit",
      codec: Schema.toCodecJson(Schema.Finite) as unknown as Envelope.Codec<unknown>,
      context: yield* Effect.context<never>(),
      schemaVersion: 1,
      tierTimeout: 100,
      maxFreshFor,
      clock,
      observer,
      marks,
      turns: turns.turns,
    }
    const farther = yield* openStore(listening, options).pipe(
      Effect.flatMap((opened) => fartherTier(opened, options, role)),
      Scope.provide(scope),
    )
    const at = (key: string) =>
      Effect.map(farther.read([key], new Budget(200)), (found): TierRead | undefined => found?.[0])
    return {
      farther,
      script,
      at,
      observer,
      clock,
      marks,
      turns,
      close: Scope.close(scope, Exit.void),
      notify: (notice: Notice) => notify(notice),
      /** The value at the key and its freshness; undefined for none. */
      valueAt: (key: string) =>
        Effect.map(at(key), (found) =>
          found?._tag === "Entry"
            ? ([
                found.entry.value,
                found.entry.freshUntil > clock.currentTimeMillisUnsafe(),
              ] as const)
            : undefined,
        ),
      events: Effect.map(PubSub.takeUpTo(subscription, 100), (events) => [...events]),
    }
  })

const slowly =
  (millis: number) =>
  <A extends ReadonlyArray<unknown>, B, E>(real: (...args: A) => Effect.Effect<B, E>) =>
  (...args: A): Effect.Effect<B, E> =>
    Effect.delay(real(...args), millis)

const broken = () => () => Effect.die("broken")

for (const role of ["alone", "inFront", "arbiter"] as const) {
  describe(`as ${role}`, () => {
    it.effect("law 13: keeps what is newest, and says of each that nothing older is there", () =>
      Effect.gen(function* () {
        const { farther, script, valueAt } = yield* opened(role)
        expect(yield* farther.copies.put("k", entry(5))).toBe(true)
        expect(yield* farther.copies.put("k", entry(4))).toBe(true)
        expect((yield* valueAt("k"))?.[0]).toBe(5)
        script.instead.put = broken
        expect(yield* farther.copies.put("k", entry(6))).toBe(false)
        expect((yield* valueAt("k"))?.[0]).toBe(5)
      }).pipe(Effect.scoped),
    )

    it.effect("law 4: keeps an entry for its life, and for ever where that has no end", () =>
      Effect.gen(function* () {
        const { farther, script } = yield* opened(role)
        yield* farther.copies.put("k", entry(1))
        yield* farther.copies.put("l", entry(1, { staleUntil: forever }))
        expect(script.of("put").map(({ args }) => args[2])).toEqual([100_000, Infinity])
      }).pipe(Effect.scoped),
    )

    it.effect("law 12: drops up to a version, or all there is", () =>
      Effect.gen(function* () {
        const { farther, valueAt } = yield* opened(role)
        yield* farther.copies.put("k", entry(5))
        expect(yield* farther.copies.drop("k", 4)).toBe(true)
        expect((yield* valueAt("k"))?.[0]).toBe(5)
        expect(yield* farther.copies.drop("k", 5)).toBe(true)
        expect(yield* valueAt("k")).toBe(undefined)
        yield* farther.copies.put("k", entry(6))
        expect(yield* farther.copies.drop("k")).toBe(true)
        expect(yield* valueAt("k")).toBe(undefined)
      }).pipe(Effect.scoped),
    )

    it.effect("law 16: tells of bytes that it cannot read, and counts them as nothing", () =>
      Effect.gen(function* () {
        const { at, events, observer, script } = yield* opened(role)
        script.instead.read = () => (keys) => Effect.succeed(keys.map(() => new Uint8Array(9)))
        expect(yield* at("k")).toMatchObject({ _tag: "Nothing", version: 0 })
        expect(sumOf(observer.counters.undecodableByTier)).toBe(1)
        expect((yield* events).map(({ _tag }) => _tag)).toEqual(["Undecodable"])
      }).pipe(Effect.scoped),
    )

    it.effect("passes on what the tier notices", () =>
      Effect.gen(function* () {
        const { events, notify, observer } = yield* opened(role)
        notify({ _tag: "Warning", message: "the disk is full" })
        expect(yield* events).toMatchObject([{ _tag: "TierWarning", message: "the disk is full" }])
        expect(sumOf(observer.counters.evictionsByCause)).toBe(0)
        notify({ _tag: "Evicted", key: "k", cause: "size" })
        expect(yield* events).toMatchObject([{ _tag: "Evicted", key: "k", cause: "size" }])
        expect(sumOf(observer.counters.evictionsByCause)).toBe(1)
      }).pipe(Effect.scoped),
    )

    it.effect("law 13: tells of a value that cannot be written, and keeps nothing", () =>
      Effect.gen(function* () {
        const { events, farther, script } = yield* opened(role)
        expect(yield* farther.copies.put("k", { ...entry(5), value: Number.NaN })).toBe(false)
        expect(script.of("put")).toEqual([])
        expect(yield* events).toMatchObject([{ _tag: "TierFailed", operation: "encode" }])
      }).pipe(Effect.scoped),
    )

    it.effect("believes nothing that was written for another namespace", () =>
      Effect.gen(function* () {
        const wire = Wire.encrypted(Wire.json, {
          keys: { a: new Uint8Array(32) },
          current: "a",
        })
        const writer = yield* opened(role, { wire, namespace: "one" })
        yield* writer.farther.copies.put("k", entry(5))
        const [{ args }] = writer.script.of("put") as readonly [scripted.Call<"put">]
        const found: Array<string | undefined> = []
        for (const namespace of ["one", "other", undefined]) {
          const { at, script } = yield* opened(role, { wire, namespace })
          script.instead.read = () => (keys) => Effect.succeed(keys.map(() => args[1]))
          found.push((yield* at("k"))?._tag)
        }
        expect(found).toEqual(["Entry", "Nothing", "Nothing"])
      }).pipe(Effect.scoped),
    )

    it.effect("law 14: a put and a drop cost one trip each", () =>
      Effect.gen(function* () {
        const { farther, script } = yield* opened(role)
        yield* farther.copies.put("k", entry(5))
        expect(script.trips()).toEqual(["put"])
        yield* farther.copies.put("k", entry(4))
        // Where nobody orders changes, what is there may be of a clock that was ahead.
        expect(script.trips()).toEqual(role === "alone" ? ["put", "read"] : ["put"])
        yield* farther.copies.drop("k")
        expect(script.trips()).toEqual(["drop"])
      }).pipe(Effect.scoped),
    )

    it.effect("law 14: a connection that is back ends what its breaker keeps away", () =>
      Effect.gen(function* () {
        const { at, farther, notify, script } = yield* opened(role)
        script.instead.read = broken
        for (let i = 0; i < 5; i++) yield* at("k")
        expect((yield* farther.breaker.state(farther.name))._tag).toBe("Open")
        delete script.instead.read
        notify({ _tag: "Connected" })
        yield* Effect.yieldNow
        expect((yield* farther.breaker.state(farther.name))._tag).toBe("Closed")
        expect(yield* at("k")).toMatchObject({ _tag: "Nothing" })
      }).pipe(Effect.scoped),
    )

    it.effect("tells what its breaker does, from the first failures on", () =>
      Effect.gen(function* () {
        const { at, events, farther, script } = yield* opened(role)
        script.instead.read = broken
        for (let i = 0; i < 5; i++) yield* at("k")
        yield* Effect.yieldNow
        const changes = (yield* events).filter(({ _tag }) => _tag === "BreakerChanged")
        expect(changes).toMatchObject([{ breaker: farther.name, from: "Closed", to: "Open" }])
      }).pipe(Effect.scoped),
    )

    it.effect("law 22: asks for nothing when it is closed, though its connection comes back", () =>
      Effect.gen(function* () {
        const { at, close, notify, script } = yield* opened(role)
        script.instead.read = broken
        yield* at("k")
        yield* close
        script.trips()
        notify({ _tag: "Connected" })
        yield* Effect.yieldNow
        expect(script.trips()).toEqual([])
      }).pipe(Effect.scoped),
    )

    it.effect("law 14: an answer that took all of its time is an answer", () =>
      Effect.gen(function* () {
        const { at, farther, script } = yield* opened(role)
        yield* farther.copies.put("k", entry(5))
        yield* at("k")
        script.instead.read = slowly(100)
        const reading = yield* fork(farther.read(["k"], new Budget(100)))
        yield* TestClock.adjust(100)
        expect(yield* Fiber.join(reading)).toMatchObject([{ _tag: "Entry" }])
      }).pipe(Effect.scoped),
    )

    it.effect("law 22: leaves nobody waiting for it at the end", () =>
      Effect.gen(function* () {
        const { at, close, script } = yield* opened(role)
        script.instead.read = () => () => Effect.never
        const reading = yield* fork(at("k"))
        yield* TestClock.adjust(10)
        yield* close
        yield* Effect.yieldNow
        expect(reading.pollUnsafe()).toEqual(Exit.succeed(undefined))
      }).pipe(Effect.scoped),
    )
  })
}

for (const role of ["alone", "inFront"] as const) {
  describe(`law 11, as ${role}`, () => {
    for (const [version, isKept] of [
      [5, false],
      [6, true],
    ] as const) {
      it.effect(
        `a drop up to 5 while version ${version} is put ${isKept ? "leaves" : "drops"} it`,
        () =>
          Effect.gen(function* () {
            const { farther, script, valueAt } = yield* opened(role)
            script.instead.put = slowly(50)
            const putting = yield* fork(farther.copies.put("k", entry(version)))
            yield* TestClock.adjust(10)
            yield* farther.copies.drop("k", 5)
            yield* TestClock.adjust(50)
            expect(yield* Fiber.join(putting)).toBe(true)
            expect((yield* valueAt("k"))?.[0]).toBe(isKept ? version : undefined)
          }).pipe(Effect.scoped),
      )
    }

    it.effect("what could not be dropped is not given, until it is dropped or replaced", () =>
      Effect.gen(function* () {
        const { at, farther, script, valueAt } = yield* opened(role)
        yield* farther.copies.put("k", entry(5))
        yield* farther.copies.put("l", entry(5))
        script.instead.drop = broken
        expect(yield* farther.copies.drop("k", 5)).toBe(false)
        expect(yield* farther.copies.drop("l")).toBe(false)
        expect(yield* at("k")).toMatchObject({ _tag: "Nothing", version: 5 })
        expect(yield* farther.copies.dropMissed).toBe(false)
        expect(yield* farther.copies.replace("l", entry(7), { at: 0 })).toBe(false)
        delete script.instead.drop
        expect(yield* farther.copies.put("k", entry(6))).toBe(true)
        expect((yield* valueAt("k"))?.[0]).toBe(6)
        expect(yield* farther.copies.dropMissed).toBe(true)
        expect(yield* valueAt("l")).toBe(undefined)
        expect(yield* farther.copies.replace("l", entry(1), { at: 0 })).toBe(true)
        expect((yield* valueAt("l"))?.[0]).toBe(1)
      }).pipe(Effect.scoped),
    )

    it.effect("what could not be dropped is not given though a later put failed as well", () =>
      Effect.gen(function* () {
        const { at, farther, script } = yield* opened(role)
        yield* farther.copies.put("k", entry(5))
        script.instead.drop = broken
        script.instead.put = broken
        yield* farther.copies.drop("k", 5)
        expect(yield* farther.copies.put("k", entry(6))).toBe(false)
        expect(yield* at("k")).toMatchObject({ _tag: "Nothing", version: 5 })
      }).pipe(Effect.scoped),
    )

    it.effect("nor because an older one was put, which the tier did not take", () =>
      Effect.gen(function* () {
        const { at, farther, script } = yield* opened(role)
        yield* farther.copies.put("k", entry(9))
        script.instead.drop = broken
        yield* farther.copies.drop("k", 9)
        expect(yield* farther.copies.put("k", entry(5))).toBe(true)
        expect(yield* at("k")).toMatchObject({ _tag: "Nothing", version: 9 })
      }).pipe(Effect.scoped),
    )

    it.effect("an older one that the tier took shows that it is not there any more", () =>
      Effect.gen(function* () {
        const { farther, script, valueAt } = yield* opened(role)
        script.instead.drop = broken
        yield* farther.copies.drop("k", 9)
        expect(yield* farther.copies.put("k", entry(5))).toBe(true)
        expect((yield* valueAt("k"))?.[0]).toBe(5)
      }).pipe(Effect.scoped),
    )

    it.effect("a put that ends between a drop and its answer is dropped again", () =>
      Effect.gen(function* () {
        const { farther, script, valueAt } = yield* opened(role)
        script.instead.put = slowly(20)
        script.instead.drop =
          (real) =>
          (...args) =>
            Effect.tap(real(...args), Effect.sleep(50))
        yield* fork(farther.copies.put("k", entry(5)))
        yield* TestClock.adjust(10)
        const dropping = yield* fork(farther.copies.drop("k", 5))
        yield* TestClock.adjust(100)
        expect(yield* Fiber.join(dropping)).toBe(true)
        expect(yield* valueAt("k")).toBe(undefined)
      }).pipe(Effect.scoped),
    )

    it.effect("a put that was interrupted holds up nothing that comes after it", () =>
      Effect.gen(function* () {
        const { farther, script } = yield* opened(role)
        script.instead.put = () => () => Effect.never
        const putting = yield* fork(farther.copies.put("k", entry(5)))
        yield* TestClock.adjust(10)
        yield* Fiber.interrupt(putting)
        const expiring = yield* fork(farther.copies.expire("k", 5, new Budget(200)))
        yield* TestClock.adjust(0)
        expect(expiring.pollUnsafe()).toEqual(Exit.succeed(true))
      }).pipe(Effect.scoped),
    )
  })

  describe(`law 12, as ${role}: to expire`, () => {
    const expire = ({ farther }: Effect.Success<ReturnType<typeof opened>>, version?: number) =>
      farther.copies.expire("k", version, new Budget(200))

    it.effect("what is there keeps it for when upstream fails", () =>
      Effect.gen(function* () {
        const tier = yield* opened(role)
        yield* tier.farther.copies.put("k", entry(5))
        expect(yield* expire(tier, 6)).toBe(true)
        expect(yield* tier.valueAt("k")).toEqual([5, false])
        expect(tier.script.of("drop")).toEqual([])
      }).pipe(Effect.scoped),
    )

    it.effect("what is being put is waited for", () =>
      Effect.gen(function* () {
        const tier = yield* opened(role)
        tier.script.instead.put = slowly(20)
        yield* fork(tier.farther.copies.put("k", entry(5)))
        yield* TestClock.adjust(10)
        const expiring = yield* fork(expire(tier, 6))
        yield* TestClock.adjust(50)
        expect(yield* Fiber.join(expiring)).toBe(true)
        expect(yield* tier.valueAt("k")).toEqual([5, false])
      }).pipe(Effect.scoped),
    )

    it.effect("what begins to be put while nothing is found is dropped", () =>
      Effect.gen(function* () {
        const tier = yield* opened(role)
        tier.script.instead.read =
          (real) =>
          (...args) =>
            Effect.tap(real(...args), Effect.sleep(20))
        tier.script.instead.put = slowly(50)
        const expiring = yield* fork(expire(tier, 6))
        yield* TestClock.adjust(10)
        yield* fork(tier.farther.copies.put("k", entry(5)))
        yield* TestClock.adjust(100)
        expect(yield* Fiber.join(expiring)).toBe(true)
        delete tier.script.instead.read
        expect(yield* tier.valueAt("k")).toBe(undefined)
      }).pipe(Effect.scoped),
    )

    it.effect("what begins to be put while something older is expired is dropped", () =>
      Effect.gen(function* () {
        const tier = yield* opened(role)
        yield* tier.farther.copies.put("k", entry(4))
        tier.script.instead.read =
          (real) =>
          (...args) =>
            Effect.tap(real(...args), Effect.sleep(20))
        const pauses = [90, 10]
        tier.script.instead.put =
          (real) =>
          (...args) =>
            Effect.delay(real(...args), pauses.shift()!)
        const expiring = yield* fork(expire(tier, 7))
        yield* TestClock.adjust(10)
        yield* fork(tier.farther.copies.put("k", entry(6)))
        yield* TestClock.adjust(200)
        expect(yield* Fiber.join(expiring)).toBe(true)
        delete tier.script.instead.read
        expect(yield* tier.valueAt("k")).toBe(undefined)
      }).pipe(Effect.scoped),
    )

    it.effect(
      role === "alone"
        ? "law 11: what is there stays expired, though something between it and the change is put"
        : "law 18: what is there gives way to what the arbiter has at the change",
      () =>
        Effect.gen(function* () {
          const tier = yield* opened(role)
          yield* tier.farther.copies.put("k", entry(5))
          yield* expire(tier, 9)
          yield* tier.farther.copies.put("k", entry(role === "alone" ? 8 : 9))
          expect(yield* tier.valueAt("k")).toEqual(role === "alone" ? [5, false] : [9, true])
        }).pipe(Effect.scoped),
    )

    it.effect("law 4: what a clock that was ahead has put is dropped", () =>
      Effect.gen(function* () {
        const tier = yield* opened(role)
        const times = { storedAt: start + 1, staleUntil: start + 100_001 }
        yield* tier.farther.copies.put("k", entry(5, times))
        expect(yield* expire(tier, 6)).toBe(true)
        expect(yield* tier.at("k")).toMatchObject({ _tag: "Nothing" })
        yield* tier.farther.copies.put("k", entry(7))
        expect(yield* expire(tier, 8)).toBe(true)
        expect(yield* tier.valueAt("k")).toEqual([7, false])
      }).pipe(Effect.scoped),
    )

    it.effect("what should have been dropped before is dropped", () =>
      Effect.gen(function* () {
        const tier = yield* opened(role)
        yield* tier.farther.copies.put("k", entry(5))
        tier.script.instead.drop = broken
        yield* tier.farther.copies.drop("k", 5)
        delete tier.script.instead.drop
        expect(yield* expire(tier, 7)).toBe(true)
        expect(yield* tier.valueAt("k")).toBe(undefined)
      }).pipe(Effect.scoped),
    )

    it.effect("nothing is done, and costs one read", () =>
      Effect.gen(function* () {
        const tier = yield* opened(role)
        expect(yield* expire(tier, 6)).toBe(true)
        expect(tier.script.trips()).toEqual(["read"])
      }).pipe(Effect.scoped),
    )

    it.effect("what was removed costs one read as well", () =>
      Effect.gen(function* () {
        const tier = yield* opened(role)
        tier.script.instead.read = () => (keys) =>
          Effect.succeed(keys.map(() => Envelope.tombstone(5)))
        expect(yield* expire(tier, 6)).toBe(true)
        expect(tier.script.trips()).toEqual(["read"])
      }).pipe(Effect.scoped),
    )

    it.effect("what is damaged is dropped", () =>
      Effect.gen(function* () {
        const tier = yield* opened(role)
        tier.script.instead.read = () => (keys) => Effect.succeed(keys.map(() => new Uint8Array(3)))
        expect(yield* expire(tier, 6)).toBe(true)
        const trips = tier.script.trips()
        expect(trips).toContain("drop")
        expect(trips).not.toContain("put")
      }).pipe(Effect.scoped),
    )

    it.effect("what says no end of its life any more gets none", () =>
      Effect.gen(function* () {
        const tier = yield* opened(role)
        yield* tier.farther.copies.put("k", entry(5))
        const [{ args }] = tier.script.of("put") as readonly [scripted.Call<"put">]
        const bytes = new Uint8Array(args[1])
        bytes[Buffer.from(bytes).indexOf(String(start + 100_000))] = "x".charCodeAt(0)
        tier.script.instead.read = () => (keys) => Effect.succeed(keys.map(() => bytes))
        expect(yield* expire(tier, 6)).toBe(true)
        expect(tier.script.of("put").map((call) => call.args[2])).toEqual([100_000, 0])
      }).pipe(Effect.scoped),
    )

    it.effect("what is newer than the change stays as it is", () =>
      Effect.gen(function* () {
        const tier = yield* opened(role)
        yield* tier.farther.copies.put("k", entry(5))
        expect(yield* expire(tier, 4)).toBe(true)
        expect(yield* tier.valueAt("k")).toEqual([5, true])
      }).pipe(Effect.scoped),
    )

    it.effect("what cannot be expired is dropped", () =>
      Effect.gen(function* () {
        const tier = yield* opened(role)
        yield* tier.farther.copies.put("k", entry(5))
        tier.script.instead.put = broken
        expect(yield* expire(tier, 6)).toBe(true)
        expect(yield* tier.valueAt("k")).toBe(undefined)
        tier.script.instead.read = broken
        tier.script.instead.drop = broken
        expect(yield* expire(tier, 6)).toBe(false)
      }).pipe(Effect.scoped),
    )
  })
}

it.effect(
  "law 19: in front of an arbiter, only what this larder has put is believed to be fresh",
  () =>
    Effect.gen(function* () {
      const { farther, script, valueAt } = yield* opened("inFront")
      yield* farther.copies.put("k", entry(5))
      expect(yield* valueAt("k")).toEqual([5, true])
      // Another process puts something.
      const [{ args }] = script.of("put") as readonly [scripted.Call<"put">]
      script.instead.read = () => (keys) => Effect.succeed(keys.map(() => args[1]))
      expect(yield* valueAt("k")).toEqual([5, true])
      yield* farther.copies.put("k", entry(6))
      expect(yield* valueAt("k")).toEqual([5, false])
    }).pipe(Effect.scoped),
)

it.effect("law 4: what has no time left is not given, whatever the tier still holds", () =>
  Effect.gen(function* () {
    const { at, farther, script } = yield* opened("inFront")
    yield* farther.copies.put("k", entry(5))
    const [{ args }] = script.of("put") as readonly [scripted.Call<"put">]
    script.instead.read = () => (keys) => Effect.succeed(keys.map(() => args[1]))
    yield* farther.copies.put("k", entry(6))
    yield* TestClock.adjust(99_999)
    expect(yield* at("k")).toMatchObject({ _tag: "Entry" })
    yield* TestClock.adjust(1)
    expect(yield* at("k")).toEqual({ _tag: "Nothing", version: 5 })
  }).pipe(Effect.scoped),
)

describe("law 20: the order of an arbiter is its time, in microseconds", () => {
  /** The arbiter told its time in a trip of 30 ms. */
  const known = Effect.gen(function* () {
    const tier = yield* opened("arbiter")
    yield* TestClock.adjust(1_000)
    tier.script.instead.marks = slowly(30)
    const reading = yield* fork(tier.at("k"))
    yield* TestClock.adjust(30)
    yield* Fiber.join(reading)
    const now = monotonicMillis(tier.clock)
    const write = (version: number) => {
      tier.script.instead.write = () => () =>
        Effect.succeed({ version, time: start + 1_060, lastMark: undefined })
      return tier.farther.writes.write("k", { _tag: "Remove" }, 0)
    }
    return { ...tier, now, write, most: () => tier.farther.time.placeOf(now, "most") ?? 0 }
  })

  it.effect("which a node knows but for the time of a trip", () =>
    Effect.gen(function* () {
      const { farther, now } = yield* known
      for (const micros of [0, 0.5]) {
        const exact = (start + 1_030) * 1_000 + micros
        const least = farther.time.placeOf(now + micros / 1_000, "least") ?? 0
        const most = farther.time.placeOf(now + micros / 1_000, "most") ?? 0
        expect(exact - least).toBeLessThanOrEqual(1)
        expect(least).toBeLessThanOrEqual(exact)
        // The trip may have been all on the way back, and the tier tells whole milliseconds.
        expect(most).toBeGreaterThanOrEqual(exact + 30_999)
        expect(most).toBeLessThanOrEqual(exact + 31_001)
      }
    }).pipe(Effect.scoped),
  )

  it.effect(
    "and of the numbers that it gives the highest counts, unless it is ahead of that time",
    () =>
      Effect.gen(function* () {
        const arbiter = yield* known
        const { farther, write } = arbiter
        // Each answer tells the time once more.
        yield* write(1)
        const most = arbiter.most()
        const given: Array<number> = []
        for (const version of [most - 5, most - 7, most, most + 1]) {
          yield* write(version)
          given.push(farther.time.given)
        }
        expect(given).toEqual([most - 5, most - 5, most, most])
      }).pipe(Effect.scoped),
  )

  it.effect("the token of a lease among them", () =>
    Effect.gen(function* () {
      const { farther, most, script } = yield* known
      const token = most()
      const won = { _tag: "Won", token } as const
      script.instead.acquire = () => () => Effect.succeed(won)
      const request = { known: 0, leaseMillis: 1_000, force: false }
      yield* farther.leases.acquire("k", request, new Budget(200))
      expect(farther.time.given).toBe(token)
    }).pipe(Effect.scoped),
  )

  it.effect("while it is not known, no number says anything of what comes next", () =>
    Effect.gen(function* () {
      const { farther, script } = yield* opened("arbiter")
      const won = { _tag: "Won", token: 7 } as const
      script.instead.acquire = () => () => Effect.succeed(won)
      script.instead.marks = () => () => Effect.never
      const acquiring = yield* fork(
        farther.leases.acquire(
          "k",
          { known: 0, leaseMillis: 1_000, force: false },
          new Budget(200),
        ),
      )
      yield* TestClock.adjust(1_000)
      yield* Fiber.join(acquiring)
      expect([farther.time.given, farther.time.isKnown]).toEqual([0, false])
    }).pipe(Effect.scoped),
  )
})

it.effect("law 14: a lease that was won counts, though the marks could not be read", () =>
  Effect.gen(function* () {
    const { farther, script } = yield* opened("arbiter")
    const cause = new Error("no marks")
    script.instead.marks = () => () =>
      Effect.fail(new TierError({ tier: "shared", operation: "marks", cause }))
    const request = { known: 0, leaseMillis: 1_000, force: false }
    const acquired = yield* farther.leases.acquire("k", request, new Budget(200))
    expect(acquired).toMatchObject({ _tag: "Won" })
    expect(script.trips()).toEqual(["acquire", "marks"])
  }).pipe(Effect.scoped),
)

it.effect("law 14: a lease and the first marks are one step, which fails once", () =>
  Effect.gen(function* () {
    const { events, farther, script } = yield* opened("arbiter")
    script.instead.acquire = broken
    script.instead.marks = broken
    const request = { known: 0, leaseMillis: 1_000, force: false }
    expect(yield* farther.leases.acquire("k", request, new Budget(200))).toBe(undefined)
    expect(yield* events).toMatchObject([{ _tag: "TierFailed", operation: "acquire" }])
  }).pipe(Effect.scoped),
)

it.effect("law 14: marks that could not be set cost no more than their step", () =>
  Effect.gen(function* () {
    const { farther, marks, script } = yield* opened("arbiter")
    // This node has numbered a mark itself, so that it has to read those that it may have missed.
    marks.add(["t"], true, start, 1)
    script.instead.marks = broken
    yield* farther.marks.set(["t"], true)
    expect(marks.isBehind).toBe(true)
    expect(script.trips()).toEqual(["mark", "marks"])
    script.instead.mark = broken
    expect(yield* farther.marks.set(["t"], true)).toBe(undefined)
    expect(script.trips()).toEqual(["mark"])
  }).pipe(Effect.scoped),
)

describe("law 14: an arbiter whose marks are on another server than the key", () => {
  /** Keys are on the server that their first letter names, marks on `m`. */
  const partOf = (key: string | undefined) => key?.slice(0, 1) ?? "m"
  const servers = opened("arbiter", {}, { over: (store) => ({ ...store, partOf }) })
  const request = { known: 0, leaseMillis: 1_000, force: false }

  for (const [title, isAway] of [
    ["is asked for the first marks beside a lease", false],
    ["gives a lease while that server does not answer", true],
  ] as const) {
    it.effect(title, () =>
      Effect.gen(function* () {
        const { farther, script } = yield* servers
        if (isAway) script.instead.marks = () => () => Effect.never
        const acquiring = yield* fork(farther.leases.acquire("a", request, new Budget(200)))
        yield* TestClock.adjust(100)
        expect(yield* Fiber.join(acquiring)).toMatchObject({ _tag: "Won" })
        expect(script.trips()).toEqual(["acquire", "marks"])
      }).pipe(Effect.scoped),
    )
  }

  it.effect("law 19: its versions confirm nothing while marks that were missed are unread", () =>
    Effect.gen(function* () {
      const { farther, script } = yield* servers
      const versions = farther.versions("a", ["a"], new Budget(200))
      expect(yield* versions).toEqual([{ version: 0, isValue: false }])
      farther.marks.reading?.mayHaveMissed()
      script.instead.marks = broken
      expect(yield* versions).toBe(undefined)
      script.instead = {}
      expect(yield* versions).toEqual([{ version: 0, isValue: false }])
    }).pipe(Effect.scoped),
  )

  for (const [key, committed] of [
    ["a", "Stored"],
    ["m", "Unjudged"],
  ] as const) {
    it.effect(`law 11: without marks, a value on ${key} is ${committed}`, () =>
      Effect.gen(function* () {
        const { farther, script } = yield* servers
        const granted = yield* farther.leases.acquire(key, request, new Budget(200))
        const version = granted?._tag === "Won" ? granted.token : 0
        script.instead.marks = broken
        expect(yield* farther.writes.commit(key, entry(version))).toBe(committed)
      }).pipe(Effect.scoped),
    )
  }
})

it.effect("law 18: the marks of an arbiter are read again when they are five seconds old", () =>
  Effect.gen(function* () {
    const { at, script } = yield* opened("arbiter")
    const seen: Array<number> = []
    for (const millis of [0, 4_999, 1, 4_999, 1]) {
      yield* TestClock.adjust(millis)
      yield* at("k")
      seen.push(script.of("marks").length)
    }
    expect(seen).toEqual([1, 1, 2, 2, 3])
  }).pipe(Effect.scoped),
)

it.effect("law 18: and before half of maxFreshFor has passed, if that is less", () =>
  Effect.gen(function* () {
    const { at, script } = yield* opened("arbiter", {}, { maxFreshFor: 2_000 })
    const seen: Array<number> = []
    for (const millis of [0, 999, 1]) {
      yield* TestClock.adjust(millis)
      yield* at("k")
      seen.push(script.of("marks").length)
    }
    expect(seen).toEqual([1, 1, 2])
  }).pipe(Effect.scoped),
)

describe("law 19: an entry says when the arbiter had it last", () => {
  it.effect("in the arbiter, when its marks were asked for", () =>
    Effect.gen(function* () {
      const { at, clock, farther } = yield* opened("arbiter")
      yield* farther.copies.put("k", entry(5))
      yield* at("other")
      const confirmedAt = monotonicMillis(clock)
      yield* TestClock.adjust(1_000)
      expect(yield* at("k")).toMatchObject({ _tag: "Entry", confirmedAt })
    }).pipe(Effect.scoped),
  )

  it.effect("in front of it, what it was put with", () =>
    Effect.gen(function* () {
      const { at, clock, farther } = yield* opened("inFront")
      const confirmedAt = monotonicMillis(clock)
      yield* TestClock.adjust(1_000)
      yield* farther.copies.put("k", entry(5), { at: confirmedAt })
      expect(yield* at("k")).toMatchObject({ _tag: "Entry", confirmedAt })
      yield* farther.copies.put("k", entry(6))
      expect(yield* at("k")).toMatchObject({ confirmedAt: confirmedAt + 1_000 })
    }).pipe(Effect.scoped),
  )
})

describe("law 4: an entry of a clock that was ahead", () => {
  const ahead = entry(5, {
    storedAt: start + 60_000,
    freshUntil: start + 60_000,
    revalidateUntil: start + 60_000,
    staleUntil: start + 60_000,
    asOf: 7,
  })

  for (const role of ["alone", "arbiter"] as const) {
    it.effect(`as ${role}: is nothing if it was to live for no time, else stale from now on`, () =>
      Effect.gen(function* () {
        const { at, farther } = yield* opened(role)
        yield* farther.copies.put("k", ahead)
        expect(yield* at("k")).toEqual({ _tag: "Nothing", version: 5 })
        yield* farther.copies.put("l", { ...ahead, staleUntil: start + 600_000 })
        const found = yield* at("l")
        // Without an arbiter the number of its marks is of that clock as well: any mark may cover it.
        expect(found).toMatchObject({
          _tag: "Entry",
          entry: { freshUntil: start, asOf: role === "alone" ? 0 : 7 },
        })
      }).pipe(Effect.scoped),
    )
  }
})

it.effect("law 13: without an arbiter, a version of more than a second to come is replaced", () =>
  Effect.gen(function* () {
    const { at, farther } = yield* opened("alone")
    const latest = (start + 1_000) * 1_000
    for (const [version, next, kept] of [
      [latest, latest - 1, latest],
      [latest + 1_000, latest - 1, latest - 1],
    ] as const) {
      yield* farther.copies.drop("k")
      yield* farther.copies.put("k", entry(version))
      yield* farther.copies.put("k", entry(next))
      expect(yield* at("k")).toMatchObject({ entry: { version: kept } })
    }
  }).pipe(Effect.scoped),
)

it.effect("law 11: without an arbiter, a drop takes away a version of a time to come as well", () =>
  Effect.gen(function* () {
    const { farther, valueAt } = yield* opened("alone")
    const latest = (start + 1_000) * 1_000
    for (const [version, isLeft] of [
      [latest, true],
      [latest + 1_000, false],
    ] as const) {
      yield* farther.copies.put("k", entry(version))
      expect(yield* farther.copies.drop("k", start * 1_000)).toBe(true)
      expect((yield* valueAt("k"))?.[0]).toBe(isLeft ? version : undefined)
    }
  }).pipe(Effect.scoped),
)

/** A number of the arbiter that lies ahead of all that it has told. */
const ahead = (start + 1_000) * 1_000

describe("law 13: a value that is written to the arbiter", () => {
  it.effect("at a place in the order has its version and the marks it was given", () =>
    Effect.gen(function* () {
      const { farther, script } = yield* opened("arbiter")
      const change = { _tag: "Set", entry: entry(ahead, { asOf: 3 }), at: ahead } as const
      expect(yield* farther.writes.write("k", change, 0)).toEqual({ version: ahead, asOf: 3 })
      script.instead.write = broken
      expect(yield* farther.writes.write("k", change, 0)).toBe(undefined)
    }).pipe(Effect.scoped),
  )

  /** A value that is written before this node learns of another node's mark. What follows meets `interfere`. */
  const metByMark = (interfere: (instead: scripted.Script["instead"]) => void = () => {}) =>
    Effect.gen(function* () {
      const { farther, script } = yield* opened("arbiter")
      yield* farther.marks.ready
      let version = 0
      script.instead.write =
        (write) =>
        (...args) =>
          Effect.map(write(...args), (answer) => {
            version = answer.version
            return { ...answer, lastMark: ahead }
          })
      const mark = { tag: undefined, keepStale: true, number: ahead }
      script.instead.marks = (marks) => (since) =>
        Effect.map(marks(since), (page) => ({ ...page, last: ahead, marks: [mark] }))
      interfere(script.instead)
      script.trips()
      const written = yield* farther.writes.write("k", { _tag: "Set", entry: entry(1) }, 0)
      const trips = script.trips()
      const [found] = yield* farther.read(["k"], new Budget(1_000))
      const stored = found?._tag === "Entry" ? found.entry : undefined
      return { stored, trips, version, written }
    })

  it.effect("is written above a mark that it met, under a token of its own", () =>
    Effect.gen(function* () {
      const { stored, trips, version, written } = yield* metByMark()
      expect(trips).toEqual(["write", "marks", "acquire", "commit"])
      expect(written).toEqual({ version: stored?.version, asOf: ahead })
      expect(stored).toMatchObject({ value: 1, asOf: ahead })
      expect(stored!.version).toBeGreaterThan(version)
    }).pipe(Effect.scoped),
  )

  it.effect("is not written above a mark where the key has changed since", () =>
    Effect.gen(function* () {
      const { stored, trips, version, written } = yield* metByMark((instead) => {
        instead.acquire =
          (acquire) =>
          (...args) =>
            Effect.map(acquire(...args), (won) => ({ ...won, storedVersion: ahead }))
      })
      expect(trips).toEqual(["write", "marks", "acquire", "release"])
      expect(written).toEqual({ version, asOf: ahead })
      expect(stored).toMatchObject({ version, asOf: 0 })
    }).pipe(Effect.scoped),
  )

  it.effect("keeps its version where a change comes in between above a mark", () =>
    Effect.gen(function* () {
      const { version, written } = yield* metByMark((instead) => {
        instead.commit = () => () =>
          Effect.succeed({ decision: "Superseded" as const, lastMark: undefined })
      })
      expect(written).toEqual({ version, asOf: ahead })
    }).pipe(Effect.scoped),
  )

  it.effect.each(["acquire", "commit"] as const)(
    "is unconfirmed where a mark covers it and the arbiter does not answer: %s",
    (operation) =>
      Effect.gen(function* () {
        const { written } = yield* metByMark((instead) => {
          instead[operation] = broken
        })
        expect(written).toBe(undefined)
      }).pipe(Effect.scoped),
  )

  it.effect("tells the time of the arbiter once more", () =>
    Effect.gen(function* () {
      const { farther, script } = yield* opened("arbiter")
      yield* farther.marks.ready
      script.instead.write = () => () =>
        Effect.succeed({ version: 1, time: start + 700, lastMark: undefined })
      yield* farther.writes.write("k", { _tag: "Remove" }, 0)
      expect(farther.time.now).toBe(start + 700)
    }).pipe(Effect.scoped),
  )
})

it.effect(
  "law 18: where an answer tells of no marks, they are read before its value is judged",
  () =>
    Effect.gen(function* () {
      const { farther, script } = yield* opened("arbiter")
      yield* farther.marks.ready
      script.instead.commit = () => () =>
        Effect.succeed({ decision: "Stored", lastMark: undefined })
      script.trips()
      expect(yield* farther.writes.commit("k", entry(5))).toBe("Stored")
      expect(script.trips()).toEqual(["commit", "marks"])
      script.instead.marks = broken
      expect(yield* farther.writes.commit("k", entry(5))).toBe("Unjudged")
    }).pipe(Effect.scoped),
)

describe("law 14: an arbiter that takes many keys in one trip", () => {
  const batches = opened("arbiter", {}, { takes: "batches" })
  type Opened = Effect.Success<typeof batches>
  const commits = ({ farther, turns }: Opened, keys: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const forked = []
      for (const key of keys) forked.push(yield* fork(farther.writes.commitAmong(key, entry(1))))
      while (turns.asked() > 0) yield* turns.next
      yield* TestClock.adjust(150)
      return yield* Effect.forEach(forked, Fiber.join)
    })
  const answering = (
    { script }: Opened,
    answers: ReadonlyArray<["Stored" | "Superseded" | "Lost", number | undefined] | undefined>,
  ) => {
    script.instead.commitAll = () => () =>
      Effect.succeed(
        answers.map((one) => one && { decision: one[0], lastMark: one[1] }) as ReadonlyArray<{
          decision: "Stored"
          lastMark: number | undefined
        }>,
      )
  }

  it.effect("is asked for one key as any other", () =>
    Effect.gen(function* () {
      const tier = yield* batches
      yield* tier.farther.marks.ready
      tier.script.trips()
      const request = { known: 0, leaseMillis: 1_000, force: false }
      for (const keys of [["a"], ["b", "c"]]) {
        const requests = keys.map((key) => ({ key, ...request }))
        yield* tier.farther.leases.acquireAll(requests, new Budget(200))
      }
      expect(tier.script.trips()).toEqual(["acquire", "acquireAll"])
      expect(yield* commits(tier, ["a"])).toEqual(["Superseded"])
      yield* commits(tier, ["b", "c"])
      expect(tier.script.trips()).toEqual(["commit", "commitAll"])
    }).pipe(Effect.scoped),
  )

  it.effect("has failed where it throws instead of answering", () =>
    Effect.gen(function* () {
      const throws = () => {
        throw new Error("broken")
      }
      const tier = yield* opened(
        "arbiter",
        {},
        {
          over: (store) => ({
            ...store,
            arbiter: store.arbiter && { ...store.arbiter, acquireAll: throws, commitAll: throws },
          }),
        },
      )
      const request = { known: 0, leaseMillis: 1_000, force: false }
      const requests = ["a", "b"].map((key) => ({ key, ...request }))
      const nothing = [undefined, undefined]
      expect(yield* tier.farther.leases.acquireAll(requests, new Budget(200))).toEqual(nothing)
      expect(yield* commits(tier, ["a", "b"])).toEqual(nothing)
      expect(yield* tier.events).toMatchObject([
        { _tag: "TierFailed", operation: "acquire" },
        { _tag: "TierFailed", operation: "commit" },
      ])
    }).pipe(Effect.scoped),
  )

  it.effect("says of each key how it took the value; undefined where it gave no answer", () =>
    Effect.gen(function* () {
      const tier = yield* batches
      yield* tier.farther.marks.ready
      answering(tier, [["Stored", 0], undefined, ["Superseded", 0]])
      expect(yield* commits(tier, ["a", "b", "c"])).toEqual(["Stored", undefined, "Superseded"])
      expect(tier.script.of("marks")).toHaveLength(1)
      tier.script.instead.commitAll = broken
      expect(yield* commits(tier, ["a", "b"])).toEqual([undefined, undefined])
    }).pipe(Effect.scoped),
  )

  for (const [title, last] of [
    ["tells of a mark with one of its answers", ahead],
    ["tells of no marks with one of its answers", undefined],
  ] as const) {
    it.effect(`law 18: ${title}: the marks are read before the values are judged`, () =>
      Effect.gen(function* () {
        const tier = yield* batches
        yield* tier.farther.marks.ready
        answering(tier, [
          ["Stored", last],
          ["Stored", 0],
        ])
        expect(yield* commits(tier, ["a", "b"])).toEqual(["Stored", "Stored"])
        expect(tier.script.of("marks")).toHaveLength(2)
        tier.script.instead.marks = broken
        answering(tier, [
          ["Stored", last],
          ["Lost", 0],
        ])
        expect(yield* commits(tier, ["a", "b"])).toEqual(["Unjudged", "Lost"])
      }).pipe(Effect.scoped),
    )
  }
})
