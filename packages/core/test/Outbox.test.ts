/** A typed outbox, and lookups that see what waits in it. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { InvalidOptions, Outbox, OutboxStore, Upstream } from "../src/index.ts"

class Prices extends Outbox.Service<Prices>()("test/Prices", {
  key: Schema.Union([Schema.String, Schema.Finite]),
  value: Schema.Finite,
  maxPending: 3,
}) {}

class Counts extends Outbox.Service<Counts>()("test/Counts", {
  key: Schema.String,
  value: Schema.Finite,
  merge: (older, newer) => older + newer,
}) {}

const layer = Layer.mergeAll(Prices.layer, Counts.layer).pipe(
  Layer.provideMerge(OutboxStore.layerMemory),
)

const some = <A>(key: string, value: A, version: number) => ({
  key,
  value: Option.some(value),
  version,
})
const now = { max: 100, lockMillis: 1_000, minCount: 1, minAgeMillis: 0 }

/** The memory store, with some members of each outbox replaced. */
const storeWith = (
  change: (store: OutboxStore.Store) => Partial<OutboxStore.Store>,
): Layer.Layer<OutboxStore.OutboxStore> =>
  Layer.effect(
    OutboxStore.OutboxStore,
    Effect.gen(function* () {
      const real = yield* OutboxStore.OutboxStore
      return OutboxStore.OutboxStore.of({
        ...real,
        open: (options) =>
          Effect.map(real.open(options), (store) => ({ ...store, ...change(store) })),
      })
    }),
  ).pipe(Layer.provide(OutboxStore.layerMemory))

describe("an outbox", () => {
  it.effect("tells apart keys of different JSON, and gives back the keys it was asked for", () =>
    Effect.gen(function* () {
      const outbox = yield* Prices
      yield* outbox.offer({ key: 1, value: Option.some(10), version: 1 })
      yield* outbox.offer({ key: "1", value: Option.none(), version: 2 })
      const found = yield* outbox.newest(["1", 1, "2"])
      expect([...found.keys()]).toEqual(["1", 1])
      expect(found.get(1)?.value).toEqual(Option.some(10))
      expect(found.get("1")?.value).toEqual(Option.none())
    }).pipe(Effect.provide(layer)),
  )

  it.effect("offers of the same moment share one commit, each with its own answer", () => {
    const groups: Array<number> = []
    const counted = storeWith((store) => ({
      offer: (offers) => {
        groups.push(offers.length)
        return store.offer(offers)
      },
    }))
    return Effect.gen(function* () {
      const outbox = yield* Prices
      const offers = ["a", "b", "a", "c", "d"].map((key, i) => outbox.offer(some(key, i, i + 1)))
      const exits = yield* Effect.all(offers.map(Effect.exit), { concurrency: "unbounded" })
      expect(groups).toEqual([4])
      expect(exits.map(Exit.isSuccess)).toEqual([true, true, true, true, false])
      const refused = Effect.flip(outbox.offer(some("d", 4, 6)))
      expect(yield* refused).toEqual(new Outbox.OutboxFull({ outbox: "test/Prices", limit: 3 }))
      expect((yield* outbox.newest(["a"])).get("a")?.value).toEqual(Option.some(2))
    }).pipe(Effect.provide(Prices.layer.pipe(Layer.provide(counted))))
  })

  it.effect("a value that cannot be encoded fails its own caller alone", () =>
    Effect.gen(function* () {
      const outbox = yield* Prices
      const [bad, good] = yield* Effect.all(
        [
          Effect.exit(outbox.offer(some("a", Number.NaN, 1))),
          Effect.exit(outbox.offer(some("b", 2, 2))),
        ],
        { concurrency: "unbounded" },
      )
      expect(Exit.isFailure(bad)).toBe(true)
      expect(Exit.isSuccess(good)).toBe(true)
    }).pipe(Effect.provide(layer)),
  )

  it.effect(
    "a value or a key that the schema refuses fails its offer, and the error names no value",
    () =>
      Effect.gen(function* () {
        const outbox = yield* Prices
        const value = yield* Effect.flip(outbox.offer(some("a", "S3CR3T" as never, 1)))
        expect(value).toMatchObject({ _tag: "InvalidWrite", outbox: "test/Prices", part: "value" })
        expect(value.message).toMatch(/expected .*; put another value, or change the value schema/)
        expect(JSON.stringify(value) + value.message).not.toContain("S3CR3T")
        const key = yield* Effect.flip(outbox.offer(some({ S3CR3T: 1 } as never, 1, 1)))
        expect(key).toMatchObject({ _tag: "InvalidWrite", part: "key" })
        expect(JSON.stringify(key) + key.message).not.toContain("S3CR3T")
      }).pipe(Effect.provide(layer)),
  )

  it.effect("a key whose write cannot be read fails alone in a bulk lookup", () =>
    Effect.gen(function* () {
      const { open } = yield* OutboxStore.OutboxStore
      const store = yield* open({ outbox: "test/Prices", maxPending: 3, merges: false })
      yield* store.offer([{ key: '["bad"]', version: 1, payload: "S3CR3T{", merged: [] }])
      const outbox = yield* Prices
      yield* outbox.offer(some("waits", 2, 2))
      const up = Upstream.make({
        lookup: (_: string | number) => Effect.succeed(1),
        lookupMany: (keys: ReadonlyArray<string | number>) =>
          Effect.succeed(new Map(keys.map((key) => [key, 1]))),
      })
      const { lookupMany } = yield* up.pipe(Outbox.overlay(Prices)).resolve
      const found = yield* lookupMany!(["bad", "waits", "other"])
      expect(found.get("bad")).toMatchObject({ _tag: "Failure" })
      expect(found.get("waits")).toMatchObject({ value: 2 })
      expect(found.get("other")).toBe(1)
      expect(JSON.stringify([...found])).not.toContain("S3CR3T")
    }).pipe(Effect.scoped, Effect.provide(layer)),
  )

  it.effect("a merge that fails, fails its own offer, and what waits stays as it was", () => {
    class Bad extends Outbox.Service<Bad>()("test/Bad", {
      key: Schema.String,
      value: Schema.Finite,
      merge: (older, newer) => {
        if (newer === 13) throw new Error("S3CR3T")
        return newer === 14 ? (undefined as never) : older + newer
      },
    }) {}
    return Effect.gen(function* () {
      const outbox = yield* Bad
      yield* outbox.offer(some("a", 1, 1))
      for (const value of [13, 14]) {
        const offers = [some("a", value, 2), some("b", 1, 1 + value)]
        const [bad, good] = yield* Effect.all(
          offers.map((one) => Effect.exit(outbox.offer(one))),
          { concurrency: "unbounded" },
        )
        expect(Exit.isSuccess(good!)).toBe(true)
        const error = Exit.isFailure(bad!) ? bad.cause.reasons[0] : undefined
        expect(error).toMatchObject({ error: { _tag: "InvalidWrite", part: "merge" } })
        expect(JSON.stringify(error)).not.toContain("S3CR3T")
      }
      const group = [some("c", 1, 1), some("c", 13, 2), some("c", 5, 3)]
      const exits = yield* Effect.all(
        group.map((one) => Effect.exit(outbox.offer(one))),
        { concurrency: "unbounded" },
      )
      expect(exits.map(Exit.isSuccess)).toEqual([true, false, true])
      const found = yield* outbox.newest(["a", "c"])
      expect(found.get("a")?.value).toEqual(Option.some(1))
      expect(found.get("c")?.value).toEqual(Option.some(6))
      // A read merges into what the source has.
      yield* outbox.offer(some("d", 13, 1))
      const up = Upstream.make({ lookup: (_: string) => Effect.succeed(1) })
      const { lookup } = yield* up.pipe(Outbox.overlay(Bad)).resolve
      const failure = yield* Effect.flip(lookup("d", undefined))
      expect(failure).toMatchObject({ _tag: "OutboxFailed", cause: { _tag: "MergeFailed" } })
      expect(failure.message).toContain("merge threw Error")
    }).pipe(Effect.scoped, Effect.provide(Bad.layer.pipe(Layer.provide(OutboxStore.layerMemory))))
  })

  it.effect.each([false, true])(
    "a dead letter that cannot be decoded is listed without a value, and a newer write replaces it (merges: %s)",
    (merges) =>
      Effect.gen(function* () {
        const { open } = yield* OutboxStore.OutboxStore
        const name = merges ? "test/Counts" : "test/Prices"
        const store = yield* open({ outbox: name, maxPending: 3, merges })
        const texts = { '["bad"]': '["S3CR3T"]', '["cut"]': "S3CR3T{", '["good"]': "[1]" }
        for (const [key, payload] of Object.entries(texts)) {
          yield* store.offer([{ key, version: 1, payload, merged: [] }])
        }
        const outbox: Outbox.Outbox<string, number> = merges
          ? yield* Counts
          : ((yield* Prices) as never)
        const failure = yield* Effect.flip(outbox.newest(["cut"]))
        expect(failure.message).toContain("its value cannot be decoded: it is no JSON")
        const { writes } = yield* outbox.claim(now)
        yield* outbox.bury(writes[0]!, "down")
        const dead = yield* Stream.runCollect(outbox.dead)
        expect(dead).toMatchObject(
          [
            { key: "bad", isDecoded: false, value: Option.none(), why: /expected/ },
            { key: "cut", isDecoded: false, value: Option.none(), why: /no JSON/ },
            { key: "good", isDecoded: true, value: Option.some(1), why: "down" },
          ].map((one) => ({
            ...one,
            why: typeof one.why === "string" ? one.why : expect.stringMatching(one.why),
          })),
        )
        expect(JSON.stringify(dead)).not.toContain("S3CR3T")
        expect(yield* outbox.revive("cut")).toBe(true)
        yield* outbox.claim(now)
        yield* outbox.offer(some("cut", 2, 2))
        expect((yield* outbox.claim(now)).writes).toMatchObject([
          { key: "cut", value: Option.some(2) },
        ])
        expect(yield* outbox.discard("bad")).toBe(true)
      }).pipe(Effect.provide(layer)),
  )

  it.effect("an offer whose caller leaves before the commit is not made", () =>
    Effect.gen(function* () {
      const outbox = yield* Prices
      const fiber = yield* Effect.forkChild(outbox.offer(some("a", 1, 1)), {
        startImmediately: true,
      })
      yield* Fiber.interrupt(fiber)
      yield* Effect.yieldNow
      expect((yield* outbox.depth).waiting).toBe(0)
    }).pipe(Effect.provide(layer)),
  )

  it.effect("merges what waits, whatever the order of the offers", () =>
    Effect.gen(function* () {
      const outbox = yield* Counts
      yield* Effect.all(
        [1, 2, 3].map((n) => outbox.offer(some("n", n, n))),
        {
          concurrency: "unbounded",
        },
      )
      yield* outbox.offer(some("n", 10, 2))
      const { writes } = yield* outbox.claim(now)
      expect(writes.map(({ value, version }) => [value, version])).toEqual([[Option.some(16), 3]])
      yield* outbox.offer(some("n", 100, 4))
      const newest = (yield* outbox.newest(["n"])).get("n")
      expect(newest).toMatchObject({ value: Option.some(116), inFlight: true, isWhole: false })
    }).pipe(Effect.provide(layer)),
  )

  it.effect("a newer write contains the dead letter whose place it takes, where it merges", () =>
    Effect.gen(function* () {
      const outbox = yield* Counts
      const buryAll = Effect.gen(function* () {
        const { writes } = yield* outbox.claim(now)
        for (const each of writes) yield* outbox.bury(each, "down")
      })
      yield* outbox.offer(some("n", 1, 1))
      const { writes } = yield* outbox.claim(now)
      yield* outbox.offer(some("n", 10, 2))
      for (const each of writes) yield* outbox.bury(each, "down")
      // The second one dies as well, before anybody offers a third.
      yield* buryAll
      const dead = yield* Stream.runCollect(outbox.dead)
      expect(dead.map(({ value, why }) => [value, why])).toEqual([[Option.some(11), "down"]])
      yield* outbox.offer(some("n", 100, 3))
      const last = yield* outbox.claim(now)
      expect(last.writes.map(({ value, version }) => [value, version])).toEqual([
        [Option.some(111), 3],
      ])
    }).pipe(Effect.provide(layer)),
  )

  it.effect("lists dead letters over several pages, and revives and discards them", () =>
    Effect.gen(function* () {
      const outbox = yield* Counts
      const keys = Array.from({ length: 250 }, (_, i) => `k${String(i).padStart(3, "0")}`)
      yield* Effect.forEach(keys, (key) => outbox.offer(some(key, 1, 1)), {
        concurrency: "unbounded",
      })
      const { writes } = yield* outbox.claim({ ...now, max: 250 })
      for (const each of writes) yield* outbox.bury(each, "down")
      const dead = yield* Stream.runCollect(outbox.dead)
      expect(dead.map(({ key }) => key)).toEqual(keys)
      expect(yield* outbox.revive("k000")).toBe(true)
      expect(yield* outbox.discard("k001")).toBe(true)
      expect(yield* outbox.depth).toMatchObject({ waiting: 1, dead: 248 })
    }).pipe(Effect.provide(layer)),
  )

  it.effect(
    "a write that cannot be decoded becomes a dead letter, and the others are claimed",
    () =>
      Effect.gen(function* () {
        const { open } = yield* OutboxStore.OutboxStore
        const options = { outbox: "test/Prices", maxPending: 3, merges: false }
        const store = yield* open(options)
        yield* store.offer([{ key: '["old"]', version: 1, payload: '["text"]', merged: [] }])
        const outbox = yield* Prices
        yield* outbox.offer(some("new", 2, 2))
        const { writes } = yield* outbox.claim(now)
        expect(writes.map(({ key }) => key)).toEqual(["new"])
        expect(yield* outbox.depth).toMatchObject({ inFlight: 1, dead: 1 })
      }).pipe(Effect.provide(layer)),
  )

  it.effect(
    "an outbox that cannot be opened fails its layer, one that is away fails its calls",
    () => {
      const cause = new OutboxStore.OutboxStoreError({
        store: "memory",
        operation: "offer",
        cause: new Error("away"),
      })
      const closed = Layer.succeed(OutboxStore.OutboxStore, {
        name: "memory",
        durability: "process",
        hears: "all",
        open: () => Effect.fail(cause),
      })
      const away = storeWith(() => ({
        offer: () => Effect.fail(cause),
        rows: () => Effect.fail(cause),
      }))
      const expected = new Outbox.OutboxFailed({ outbox: "test/Prices", cause })
      const used = Prices.use((outbox) => outbox.offer(some("a", 1, 1)))
      const read = Prices.use((outbox) => outbox.newest(["a"]))
      const over = (store: Layer.Layer<OutboxStore.OutboxStore>) =>
        Prices.layer.pipe(Layer.provide(store))
      return Effect.gen(function* () {
        expect(yield* Effect.flip(Effect.provide(used, over(closed)))).toEqual(expected)
        expect(yield* Effect.flip(Effect.provide(used, over(away)))).toEqual(expected)
        expect(yield* Effect.flip(Effect.provide(read, over(away)))).toEqual(expected)
      })
    },
  )

  it.each([
    [{ maxPending: 0 }, "maxPending"],
    [{ maxPending: 1.5 }, "maxPending"],
    [{ merge: "add" }, "merge"],
    [{ key: "string" }, "key"],
    [{ value: undefined }, "value"],
    [{ maxpending: 5 }, "maxpending"],
  ])("dies with InvalidOptions for %o", async (options, field) => {
    const given = { key: Schema.String, value: Schema.Finite, ...options }
    const tag = Outbox.Service<Prices>()("test/Bad", given as never)
    const exit = await Effect.runPromiseExit(
      Effect.scoped(Layer.build(tag.layer.pipe(Layer.provide(OutboxStore.layerMemory)) as never)),
    )
    expect(Exit.isFailure(exit)).toBe(true)
    const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
    expect(reason).toMatchObject({ defect: expect.any(InvalidOptions), _tag: "Die" })
    expect(reason).toMatchObject({ defect: { module: "Outbox", field } })
  })
})

describe("the overlay", () => {
  const lookups: Array<string> = []
  const source = new Map<string, number>()
  const upstream = Upstream.make({
    lookup: (key: string) =>
      Effect.suspend(() => {
        lookups.push(key)
        const value = source.get(key)
        return value === undefined ? Effect.fail("not found" as const) : Effect.succeed(value)
      }),
    lookupMany: (keys) =>
      Effect.sync(() => {
        lookups.push(keys.join("+"))
        return new Map(keys.map((key) => [key, source.get(key) ?? 0]))
      }),
  })
  const begin = Effect.sync(() => {
    lookups.length = 0
    source.clear()
    source.set("a", 1).set("b", 2)
  })

  class Prices extends Outbox.Service<Prices>()("test/Overlaid", {
    key: Schema.String,
    value: Schema.Finite,
  }) {}
  const layer = Layer.mergeAll(Prices.layer, Counts.layer).pipe(
    Layer.provide(OutboxStore.layerMemory),
  )

  it.effect("gives what waits and what is in flight, and asks the source for the rest", () =>
    Effect.gen(function* () {
      yield* begin
      const { lookup, lookupMany } = yield* upstream.pipe(Outbox.overlay(Prices)).resolve
      const outbox = yield* Prices
      yield* outbox.offer(some("a", 10, 1))
      expect(yield* lookup("a", undefined)).toBe(10)
      const { writes } = yield* outbox.claim(now)
      expect(yield* lookup("a", undefined)).toBe(10)
      yield* outbox.offer(some("a", 11, 2))
      expect(yield* lookup("a", undefined)).toBe(11)
      expect(yield* lookup("b", undefined)).toBe(2)
      const many = yield* lookupMany!(["b", "a", "c"])
      expect(Object.fromEntries(many)).toEqual({ a: Exit.succeed(11), b: 2, c: 0 })
      expect(lookups).toEqual(["b", "b+c"])
      yield* outbox.done(writes)
      yield* outbox.done((yield* outbox.claim(now)).writes)
      expect(yield* lookup("a", undefined)).toBe(1)
    }).pipe(Effect.provide(layer)),
  )

  it.effect("a lookup of a key whose removal waits, waits for it and asks the source", () =>
    Effect.gen(function* () {
      yield* begin
      const { lookup } = yield* upstream.pipe(Outbox.overlay(Prices)).resolve
      const outbox = yield* Prices
      const urged = yield* Deferred.make<void>()
      yield* outbox.listen((waiting) => {
        if (waiting === Infinity) Deferred.doneUnsafe(urged, Exit.void)
      })
      yield* outbox.offer({ key: "a", value: Option.none(), version: 1 })
      const fiber = yield* Effect.forkChild(Effect.flip(lookup("a", undefined)), {
        startImmediately: true,
      })
      yield* Deferred.await(urged)
      yield* TestClock.adjust("10 seconds")
      expect(lookups).toEqual([])
      source.delete("a")
      yield* outbox.done((yield* outbox.claim(now)).writes)
      yield* TestClock.adjust("250 millis")
      expect(yield* Fiber.join(fiber)).toBe("not found")
      expect(lookups).toEqual(["a"])
    }).pipe(Effect.provide(layer)),
  )

  it.effect("a removal that waits has the answer that was chosen for it", () =>
    Effect.gen(function* () {
      yield* begin
      const whenRemoved = (key: string) => Effect.fail(`${key} is gone` as const)
      const chosen = upstream.pipe(Outbox.overlay(Prices, { whenRemoved }))
      const { lookup, lookupMany } = yield* chosen.resolve
      const outbox = yield* Prices
      yield* outbox.offer({ key: "a", value: Option.none(), version: 1 })
      expect(yield* Effect.flip(lookup("a", undefined))).toBe("a is gone")
      const many = yield* lookupMany!(["a", "b"])
      expect(many.get("a")).toEqual(Exit.fail("a is gone"))
      expect(many.get("b")).toBe(2)
    }).pipe(Effect.provide(layer)),
  )

  it.effect("where the outbox merges, what waits is merged into what the source has", () =>
    Effect.gen(function* () {
      yield* begin
      const { lookup } = yield* upstream.pipe(Outbox.overlay(Counts)).resolve
      const outbox = yield* Counts
      yield* outbox.offer(some("a", 10, 1))
      expect(yield* lookup("a", undefined)).toBe(11)
      const { writes } = yield* outbox.claim(now)
      // In flight: the source may have it already, so that nobody can say.
      const fiber = yield* Effect.forkChild(lookup("a", undefined), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      expect(fiber.pollUnsafe()).toBeUndefined()
      source.set("a", 11)
      yield* outbox.done(writes)
      yield* TestClock.adjust("250 millis")
      expect(yield* Fiber.join(fiber)).toBe(11)
    }).pipe(Effect.provide(layer)),
  )

  it.effect("without an answer of the outbox the source is not believed", () =>
    Effect.gen(function* () {
      yield* begin
      const cause = new OutboxStore.OutboxStoreError({
        store: "memory",
        operation: "rows",
        cause: new Error("away"),
      })
      const away = storeWith(() => ({ rows: () => Effect.fail(cause) }))
      const found = Effect.gen(function* () {
        const { lookup } = yield* upstream.pipe(Outbox.overlay(Prices)).resolve
        return yield* lookup("a", undefined)
      }).pipe(Effect.provide(Prices.layer.pipe(Layer.provide(away))))
      expect(yield* Effect.flip(found)).toMatchObject({ _tag: "OutboxFailed" })
      expect(lookups).toEqual([])
    }),
  )

  it.effect("a lookup after the outbox has closed is a defect, no interruption", () =>
    Effect.gen(function* () {
      yield* begin
      const { lookup } = yield* upstream
        .pipe(Outbox.overlay(Prices))
        .resolve.pipe(Effect.provide(layer))
      const exit = yield* Effect.exit(lookup("a", undefined))
      expect(Exit.hasDies(exit)).toBe(true)
      expect(lookups).toEqual([])
    }),
  )

  it("refuses options it does not know", () => {
    const overlay = (options: unknown) => () => Outbox.overlay(Prices, options as never)
    expect(overlay({ whenRemoved: 1 })).toThrow(InvalidOptions)
    expect(overlay({ removed: () => Effect.void })).toThrow(InvalidOptions)
  })
})
