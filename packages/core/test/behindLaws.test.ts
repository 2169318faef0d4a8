/**
 * Laws 26 to 28 under random interleavings: two nodes on a shared arbiter that put, remove and read, flushers
 * that fail, hang and are paused past their locks, callers that are interrupted; and what users of other
 * write-behinds ran into, each as a test.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { Down, eventsOf, node, type Node, type World, world } from "./support/behindWorld.ts"

const keys = ["a", "b", "c"]
const nap = (millis: number) =>
  Effect.flatMap(Random.nextIntBetween(0, millis), (pause) => Effect.sleep(pause))
const oneOf = <A>(all: ReadonlyArray<A>) =>
  Effect.map(Random.nextIntBetween(0, all.length - 1), (i) => all[i]!)

interface Acknowledged {
  readonly key: string
  readonly value: Option.Option<number>
  readonly version: number
}

/** All that the nodes have put, as far as anybody knows. */
interface Known {
  readonly acknowledged: Array<Acknowledged>
  /** Values by key in the order in which they were given to the nodes; those of unknown outcome as well. */
  readonly versions: Map<number, number>
  readonly violations: Array<string>
}

/** The highest version that was acknowledged for the key so far. */
const newestOf = ({ acknowledged }: Known, key: string): Acknowledged | undefined =>
  acknowledged
    .filter((each) => each.key === key)
    .reduce<Acknowledged | undefined>(
      (newest, each) => (newest === undefined || each.version > newest.version ? each : newest),
      undefined,
    )

/** Each value is its own place in the order of puts, so that a reader can tell which write it has seen. */
const writer = (known: Known, { writes }: Node, numbers: { next: number }) =>
  Effect.gen(function* () {
    for (let i = 0; i < 12; i += 1) {
      yield* nap(300)
      const key = yield* oneOf(keys)
      const value = ++numbers.next
      const put = Effect.map(writes.put(key, value), ({ version }) => {
        known.versions.set(value, version)
        known.acknowledged.push({ key, value: Option.some(value), version })
      })
      // Some callers leave before they know.
      const leaves = (yield* Random.nextIntBetween(0, 5)) === 0
      yield* leaves ? Effect.timeoutOption(put, yield* Random.nextIntBetween(0, 3)) : put
    }
  })

/** While a write waits, no read gives a value that was put before it. */
const reader = (known: Known, { prices }: Node, isWaiting: (one: Acknowledged) => boolean) =>
  Effect.gen(function* () {
    for (let i = 0; i < 30; i += 1) {
      yield* nap(120)
      const key = yield* oneOf(keys)
      const before = newestOf(known, key)
      if ((yield* Random.nextIntBetween(0, 6)) === 0) yield* prices.remove(key)
      if ((yield* Random.nextIntBetween(0, 6)) === 0) yield* prices.expire(key)
      const exit = yield* Effect.exit(
        (yield* Random.nextIntBetween(0, 6)) === 0 ? prices.refresh(key) : prices.get(key),
      )
      if (before === undefined || !isWaiting(before) || Exit.isFailure(exit)) continue
      const version = known.versions.get(exit.value)
      if (version !== undefined && version < before.version) {
        known.violations.push(
          `${key} was ${String(exit.value)} (version ${version}) while version ${before.version} waited`,
        )
      }
    }
  })

/** The source fails, hangs and is slow; a flusher may be paused in it for longer than its lock. */
const weather = ({ source }: World, pauses: boolean) => {
  source.reading = nap(20)
  source.before = () =>
    Effect.gen(function* () {
      yield* nap(100)
      const luck = yield* Random.nextIntBetween(0, 10)
      if (luck === 0) return yield* new Down({ what: "before" })
      if (luck === 1 && pauses) yield* Effect.sleep("5 seconds")
    })
  source.after = () =>
    Effect.flatMap(Random.nextIntBetween(0, 10), (luck) =>
      luck === 0 ? Effect.fail(new Down({ what: "after" })) : nap(20),
    )
}

const calm = ({ source }: World) => {
  source.before = () => Effect.void
  source.after = () => Effect.void
  source.reading = Effect.void
}

/** A store whose lock renewals are lost: every flusher that is slow loses its claims. */
const forgetful = (there: World): World => ({
  ...there,
  store: {
    ...there.store,
    open: (options) =>
      Effect.map(there.store.open(options), (store) => ({
        ...store,
        renew: () => Effect.succeed(0),
      })),
  },
})

const passed = (millis: number) =>
  Effect.gen(function* () {
    for (let i = 0; i < millis; i += 25) yield* TestClock.adjust(25)
  })

const history = (options: { readonly guards: boolean; readonly pauses: boolean }) =>
  Effect.gen(function* () {
    const there = yield* world
    there.source.guards = options.guards
    weather(there, options.pauses)
    const nodes = [yield* node(forgetful(there)), yield* node(forgetful(there))]
    const known: Known = { acknowledged: [], versions: new Map(), violations: [] }
    const numbers = { next: 0 }
    const isWaiting = ({ key, version }: Acknowledged) =>
      !there.source.log.some((each) => each.key === key && each.version >= version)
    const fibers = yield* Effect.forEach(nodes, (each) =>
      Effect.all([
        Effect.forkChild(writer(known, each, numbers), { startImmediately: true }),
        Effect.forkChild(reader(known, each, isWaiting), { startImmediately: true }),
      ]),
    )
    yield* passed(6_000)
    calm(there)
    yield* passed(20_000)
    for (const fiber of fibers.flat()) yield* Fiber.join(fiber)
    const dead = yield* Stream.runCollect(nodes[0]!.outbox.dead)
    return { there, nodes, known, dead, depth: yield* nodes[0]!.writes.depth }
  })

const seeds = Array.from({ length: 15 }, (_, seed) => seed)

describe("laws 26 and 27, over random histories of two nodes", () => {
  it.effect.each(seeds)(
    "every acknowledged write reaches the source, the last one last, and is read meanwhile (seed %d)",
    (seed) =>
      Effect.gen(function* () {
        const { dead, depth, known, nodes, there } = yield* history({ guards: true, pauses: true })
        expect(known.violations).toEqual([])
        expect(depth).toMatchObject({ waiting: 0, inFlight: 0 })
        for (const key of keys) {
          const newest = newestOf(known, key)
          if (newest === undefined) continue
          const row = there.source.rows.get(key)
          const isDead = dead.some((each) => each.key === key && each.version >= newest.version)
          if (isDead) continue
          // A caller that left may have put a newer one.
          expect(row?.version).toBeGreaterThanOrEqual(newest.version)
          if (row?.version === newest.version) expect(row.value).toEqual(newest.value)
          // The nodes and the source agree in the end.
          for (const { prices } of nodes) {
            expect(Option.some(yield* prices.get(key))).toEqual(row?.value)
          }
        }
      }).pipe(Random.withSeed(seed)),
  )

  it.effect.each(seeds.slice(0, 5))(
    "without pauses the source gets the versions of a key in order, also without a guard (seed %d)",
    (seed) =>
      Effect.gen(function* () {
        const { there } = yield* history({ guards: false, pauses: false })
        for (const key of keys) {
          const versions = there.source.log
            .filter((each) => each.key === key)
            .map(({ version }) => version)
          expect(versions).toEqual(versions.toSorted((one, other) => one - other))
        }
      }).pipe(Random.withSeed(seed)),
  )
})

describe("a flusher that is paused past its lock", () => {
  const paused = (guards: boolean) =>
    Effect.gen(function* () {
      const there = yield* world
      there.source.guards = guards
      const resume = yield* Deferred.make<void>()
      const a = yield* node(forgetful(there))
      yield* a.writes.put("milk", 1)
      there.source.before = () => Deferred.await(resume)
      yield* TestClock.adjust("500 millis")
      there.source.before = () => Effect.void
      const b = yield* node(there)
      yield* b.writes.put("milk", 2)
      yield* TestClock.adjust("3 seconds")
      expect(there.source.rows.get("milk")?.value).toEqual(Option.some(2))
      yield* Deferred.succeed(resume, undefined)
      yield* TestClock.adjust("1 second")
      expect(there.source.log.map(({ value }) => Option.getOrNull(value))).toEqual([2, 1])
      return {
        source: there.source.rows.get("milk")?.value,
        cache: [yield* a.prices.get("milk"), yield* b.prices.get("milk")],
      }
    })

  it.effect("brings nothing back where the source refuses lower versions", () =>
    Effect.gen(function* () {
      expect(yield* paused(true)).toEqual({ source: Option.some(2), cache: [2, 2] })
    }),
  )

  it.effect("wins with the old value where the source takes what comes", () =>
    Effect.gen(function* () {
      const { cache, source } = yield* paused(false)
      expect(source).toEqual(Option.some(1))
      // The cache says what the source says, right or wrong.
      expect(cache).toEqual([1, 1])
    }),
  )
})

describe("law 28", () => {
  it.effect("a key that always fails delays no other beyond its own attempt", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      there.source.before = (keys) =>
        keys.includes("bad")
          ? Effect.andThen(Effect.sleep("20 millis"), Effect.fail(new Down({ what: "bad" })))
          : Effect.void
      const arrived = new Map<string, number>()
      for (let i = 0; i < 50; i += 1) {
        yield* a.writes.put("bad", i)
        yield* a.writes.put(`k${i}`, i)
        arrived.set(`k${i}`, yield* Clock.currentTimeMillis)
        yield* TestClock.adjust("50 millis")
      }
      yield* TestClock.adjust("1 second")
      const lags = [...arrived].map(([key, at]) => there.source.rows.get(key)!.at - at)
      expect(lags).toHaveLength(50)
      // Half of maxLag until the flush begins, and an attempt of its batch and one of its own.
      expect(Math.max(...lags)).toBeLessThanOrEqual(500 + 2 * 20)
    }),
  )

  it.effect("a put that does not fit waits and is never dropped", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      const go = yield* Deferred.make<void>()
      there.source.before = () => Deferred.await(go)
      const puts = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 1_500 }, (_, i) => i),
          (i) => a.writes.put(`k${i}`, i),
          { concurrency: "unbounded", discard: true },
        ),
        { startImmediately: true },
      )
      const held = Effect.map(a.writes.depth, (depth) => depth.waiting + depth.inFlight)
      for (let i = 0; i < 100 && (yield* held) < 1_000; i += 1) yield* TestClock.adjust("10 millis")
      yield* TestClock.adjust("5 seconds")
      expect(yield* held).toBe(1_000)
      expect(puts.pollUnsafe()).toBeUndefined()
      yield* Deferred.succeed(go, undefined)
      for (let i = 0; i < 400 && puts.pollUnsafe() === undefined; i += 1) {
        expect(yield* held).toBeLessThanOrEqual(1_000)
        yield* TestClock.adjust("10 millis")
      }
      yield* Fiber.join(puts)
      yield* a.writes.flush
      expect(there.source.rows.size).toBe(1_500)
    }),
  )
})

describe("what users of others ran into", () => {
  it.effect("two batches of puts and removals are written in order", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      there.source.before = () => Effect.sleep("700 millis")
      yield* a.writes.put("milk", 1)
      yield* TestClock.adjust("500 millis")
      yield* a.writes.remove("milk")
      yield* TestClock.adjust("600 millis")
      yield* a.writes.put("milk", 3)
      yield* TestClock.adjust("5 seconds")
      const values = there.source.log.map(({ value }) => Option.getOrNull(value))
      expect(values).toEqual([1, 3])
      expect(there.source.rows.get("milk")?.value).toEqual(Option.some(3))
    }),
  )

  it.effect("a hot key does not make the queue grow", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      for (let i = 1; i <= 1_000; i += 1) yield* a.writes.put("hot", i)
      expect(yield* a.writes.depth).toMatchObject({ waiting: 1, inFlight: 0 })
      yield* a.writes.flush
      expect(there.source.log).toHaveLength(1)
      expect(there.source.rows.get("hot")?.value).toEqual(Option.some(1_000))
    }),
  )

  it.effect("a failed batch that is tried again does not bring the old value", () =>
    Effect.gen(function* () {
      const there = yield* world
      there.source.guards = false
      const a = yield* node(there)
      let calls = 0
      there.source.before = () =>
        Effect.suspend(() => {
          calls += 1
          return calls <= 2 ? Effect.fail(new Down({ what: "down" })) : Effect.void
        })
      yield* a.writes.put("milk", 1)
      yield* TestClock.adjust("510 millis")
      yield* a.writes.put("milk", 2)
      yield* TestClock.adjust("5 seconds")
      expect(there.source.log.map(({ value }) => Option.getOrNull(value))).toEqual([2])
    }),
  )

  it.effect("a newer write does not go with the acknowledgement of the older one", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      const b = yield* node(there, "offers only")
      there.source.after = () => Effect.sleep("100 millis")
      yield* a.writes.put("milk", 1)
      yield* TestClock.adjust("550 millis")
      expect(there.source.rows.get("milk")?.value).toEqual(Option.some(1))
      yield* b.writes.put("milk", 2)
      yield* TestClock.adjust("100 millis")
      expect(yield* a.writes.depth).toMatchObject({ waiting: 1, inFlight: 0 })
      expect(yield* a.prices.get("milk")).toBe(2)
      yield* TestClock.adjust("1 second")
      expect(there.source.rows.get("milk")?.value).toEqual(Option.some(2))
    }),
  )

  it.effect("one bad entry does not block a flush of all", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      there.source.before = (keys) =>
        keys.includes("bad") ? Effect.fail(new Down({ what: "bad" })) : Effect.void
      for (const key of ["bad", "a", "b", "c"]) yield* a.writes.put(key, 1)
      const flush = yield* Effect.forkChild(a.writes.flush, { startImmediately: true })
      yield* TestClock.adjust("1 millis")
      expect([...there.source.rows.keys()].toSorted()).toEqual(["a", "b", "c"])
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(flush)).toEqual({ written: 3, dead: 1 })
    }),
  )

  it.effect("a value evicted before it was written is neither lost nor older", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      there.source.rows.set("milk", {
        key: "milk",
        value: Option.some(1),
        version: 1,
        at: 0,
      })
      yield* a.writes.put("milk", 2)
      yield* a.prices.resizeMemory({ maxEntries: 1 })
      yield* a.writes.put("bread", 3)
      yield* a.prices.clear({ keepStale: false })
      expect(yield* a.prices.get("milk")).toBe(2)
      yield* TestClock.adjust("1 second")
      expect(there.source.rows.get("milk")?.value).toEqual(Option.some(2))
    }),
  )

  it.effect(
    "is flushed at shutdown, and what a process without a chance left, the next one writes",
    () =>
      Effect.gen(function* () {
        const there = yield* world
        const scope = yield* Scope.make()
        const a = yield* Scope.provide(node(there), scope)
        yield* a.writes.put("milk", 1)
        yield* Scope.close(scope, Exit.void)
        expect(there.source.rows.get("milk")?.value).toEqual(Option.some(1))
        // This one never closes: as if it was killed.
        const killed = yield* node(there, "offers only")
        yield* killed.writes.put("bread", 2)
        yield* node(there)
        yield* TestClock.adjust("1 second")
        expect(there.source.rows.get("bread")?.value).toEqual(Option.some(2))
      }),
  )

  it.effect(
    "the same value may be put again and again: nothing is remembered after it was written",
    () =>
      Effect.gen(function* () {
        const there = yield* world
        const a = yield* node(there)
        for (let i = 0; i < 3; i += 1) {
          yield* a.writes.put("milk", 1)
          yield* a.writes.flush
        }
        expect(there.source.log).toHaveLength(3)
        // Nor after a dead letter.
        there.source.before = () => Effect.fail(new Down({ what: "down" }))
        yield* a.writes.put("milk", 1)
        yield* TestClock.adjust("5 seconds")
        there.source.before = () => Effect.void
        yield* a.writes.put("milk", 1)
        yield* a.writes.flush
        expect(there.source.log).toHaveLength(4)
        expect(yield* a.writes.depth).toMatchObject({ waiting: 0, inFlight: 0, dead: 0 })
      }),
  )

  it.effect(
    "a lookup that began before the flush and ends after it does not bring the old value",
    () =>
      Effect.gen(function* () {
        const there = yield* world
        const a = yield* node(there)
        const seen = yield* eventsOf(a.prices)
        there.source.rows.set("milk", { key: "milk", value: Option.some(1), version: 1, at: 0 })
        const go = yield* Deferred.make<void>()
        yield* a.writes.put("milk", 2)
        yield* a.prices.clear({ keepStale: false })
        // This node does not see the outbox: it reads the old row.
        there.source.reading = Deferred.await(go)
        const slow = yield* Effect.forkChild(a.blind.get("milk"), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        there.source.reading = Effect.void
        expect(there.source.rows.get("milk")?.value).toEqual(Option.some(2))
        yield* Deferred.succeed(go, undefined)
        expect(yield* Fiber.join(slow)).toBe(1)
        yield* TestClock.adjust("1 second")
        expect(yield* a.prices.get("milk")).toBe(2)
        expect(yield* a.blind.get("milk")).toBe(2)
        expect(seen.some(({ _tag }) => _tag === "WritesFlushed")).toBe(true)
      }),
  )
})
