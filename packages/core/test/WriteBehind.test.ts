/** Write-behind: puts, flushes, failures and closing, one node and several, in virtual time. */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import {
  AfterCommit,
  InvalidOptions,
  Larder,
  MemoryTier,
  Outbox,
  OutboxStore,
  Policy,
  TierStack,
  Upstream,
  WriteBehind,
} from "../src/index.ts"
import {
  Down,
  eventsOf,
  Gone,
  node,
  PriceOutbox,
  Prices,
  Source,
  world,
  writeMany,
  Writes,
} from "./support/behindWorld.ts"
import { counters, gauges } from "./support/scraped.ts"

const some = Option.some

const outboxGauges = Effect.map(gauges, (all) =>
  Object.fromEntries([...all].filter(([name]) => name.startsWith("larder_outbox"))),
)
const down = (what: string) => Effect.fail(new Down({ what }))

const logged = (
  run: (lines: ReadonlyArray<string>) => Effect.Effect<void, unknown, Scope.Scope>,
) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => {
    lines.push(String(Array.isArray(message) ? message[0] : message))
  })
  return Effect.scoped(run(lines)).pipe(Effect.provide(Logger.layer([logger])))
}

/** Writes behind over memory alone, with a `writeMany` of the test. */
const behindMemory = (
  write: (
    batch: ReadonlyArray<Outbox.OutboxWrite<string, number>>,
  ) => Effect.Effect<ReadonlyMap<string, string> | void, string>,
  options: {
    readonly retry?: Schedule.Schedule<unknown>
    readonly whenFull?: "wait" | "fail"
  } = {},
) =>
  Effect.gen(function* () {
    class Own extends WriteBehind.Service<Own>()("test/Own", {
      larder: Prices,
      outbox: PriceOutbox,
      maxLag: "1 second",
      maxAttempts: 2,
      retry: Schedule.spaced("100 millis"),
      writeMany: write,
      ...options,
    }) {}
    const there = yield* world
    const services = Layer.mergeAll(
      Layer.succeed(Source, there.source),
      Layer.succeed(OutboxStore.OutboxStore, there.store),
      TierStack.layer(MemoryTier.layer()),
    )
    const layer = Own.layer.pipe(
      Layer.provideMerge(Prices.layer),
      Layer.provideMerge(PriceOutbox.layer),
      Layer.provide(services),
    )
    const built = yield* Layer.build(Layer.fresh(layer))
    return {
      store: there.store,
      writes: Context.get(built, Own),
      outbox: Context.get(built, PriceOutbox),
      prices: Context.get(built, Prices),
    }
  })

describe("a put", () => {
  it.effect("is read at once on every node, and written once at half of maxLag", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      const b = yield* node(there)
      yield* a.writes.put("milk", 1)
      const { version } = yield* a.writes.put("milk", 2)
      expect(yield* a.prices.get("milk")).toBe(2)
      expect(yield* b.prices.get("milk")).toBe(2)
      yield* TestClock.adjust("499 millis")
      expect(there.source.log).toEqual([])
      yield* TestClock.adjust("1 millis")
      expect(there.source.log).toEqual([{ key: "milk", value: some(2), version, at: 500 }])
      expect(yield* a.writes.depth).toEqual({ waiting: 0, inFlight: 0, dead: 0, oldestMillis: 0 })
      // The flush has stored it anew: nobody looks it up.
      expect(yield* a.prices.get("milk")).toBe(2)
      expect(yield* b.prices.get("milk")).toBe(2)
      expect(there.source.lookups).toBe(0)
    }),
  )

  it.effect("is read while it waits, however it left the cache", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there, "offers only")
      const b = yield* node(there, "offers only")
      there.source.rows.set("milk", { key: "milk", value: some(1), version: 1, at: 0 })
      yield* a.writes.put("milk", 2)
      for (const leave of [a.prices.remove("milk"), a.prices.expire("milk"), a.prices.clear()]) {
        yield* leave
        expect(yield* b.prices.get("milk")).toBe(2)
        expect(yield* a.prices.get("milk")).toBe(2)
      }
      expect(yield* a.prices.refresh("milk")).toBe(2)
      yield* TestClock.adjust("2 hours")
      expect(yield* b.prices.get("milk")).toBe(2)
      expect(there.source.lookups).toBe(0)
    }),
  )

  it.effect("of the past does not replace a newer one, whichever is offered first", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      const b = yield* node(there)
      const { version } = yield* a.writes.put("milk", 1)
      yield* b.writes.put("milk", 2)
      yield* a.outbox.offer({ key: "milk", value: some(1), version })
      yield* b.writes.flush
      expect(there.source.rows.get("milk")?.value).toEqual(some(2))
    }),
  )

  it.effect("a full batch is written at once", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      for (let i = 0; i < 10; i += 1) yield* a.writes.put(`k${i}`, i)
      yield* TestClock.adjust(0)
      expect(there.source.batches).toHaveLength(1)
      expect(there.source.batches[0]).toHaveLength(10)
    }),
  )

  it.effect("an idle flusher has no timer", () =>
    Effect.gen(function* () {
      const there = yield* world
      let claims = 0
      const store: typeof there.store = {
        ...there.store,
        open: (options) =>
          Effect.map(there.store.open(options), (opened) => ({
            ...opened,
            claim: (request) => {
              claims += 1
              return opened.claim(request)
            },
          })),
      }
      const a = yield* node({ ...there, store })
      yield* TestClock.adjust("1 day")
      expect(claims).toBe(1)
      yield* a.writes.put("milk", 1)
      yield* TestClock.adjust("1 day")
      expect(there.source.log).toHaveLength(1)
      expect(claims).toBeLessThan(6)
    }),
  )

  it.effect("is newer than those of an earlier process, also without an arbiter", () =>
    Effect.gen(function* () {
      const there = yield* world
      const process = Effect.gen(function* () {
        const layer = Writes.layerOfferOnly.pipe(
          Layer.provide(Prices.layer),
          Layer.provide(PriceOutbox.layer),
          Layer.provide([
            Layer.succeed(Source, there.source),
            Layer.succeed(OutboxStore.OutboxStore, there.store),
            TierStack.layer(MemoryTier.layer()),
          ]),
        )
        return Context.get(yield* Layer.build(Layer.fresh(layer)), Writes)
      })
      const first = yield* process
      for (let i = 1; i <= 5; i += 1) yield* first.put("milk", i)
      yield* TestClock.adjust("1 millis")
      const second = yield* process
      yield* second.put("milk", 6)
      const flusher = yield* node(there)
      yield* flusher.writes.flush
      expect(there.source.rows.get("milk")?.value).toEqual(some(6))
    }),
  )

  it.effect("does not belong to a transaction of its caller", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there, "offers only")
      there.source.rows.set("milk", { key: "milk", value: some(1), version: 1, at: 0 })
      expect(yield* a.prices.get("milk")).toBe(1)
      // The transaction rolls back: nothing that was put off until its commit happens.
      const rolledBack = () => Effect.void
      yield* Effect.provideService(a.writes.put("milk", 2), AfterCommit.AfterCommit, rolledBack)
      expect(yield* a.prices.get("milk")).toBe(2)
      yield* Effect.provideService(a.writes.remove("milk"), AfterCommit.AfterCommit, rolledBack)
      expect(yield* a.prices.has("milk")).toBe(false)
    }),
  )

  it.effect("leaves no old value fresh where its caller was interrupted", () =>
    Effect.gen(function* () {
      const there = yield* world
      const offered = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const store: typeof there.store = {
        ...there.store,
        open: (options) =>
          Effect.map(there.store.open(options), (opened) => ({
            ...opened,
            offer: (offers) =>
              Effect.gen(function* () {
                const answers = yield* opened.offer(offers)
                yield* Deferred.succeed(offered, undefined)
                yield* Deferred.await(go)
                return answers
              }),
          })),
      }
      const a = yield* node({ ...there, store })
      there.source.rows.set("milk", { key: "milk", value: some(1), version: 1, at: 0 })
      expect(yield* a.prices.get("milk")).toBe(1)
      const put = yield* Effect.forkChild(a.writes.put("milk", 2), { startImmediately: true })
      yield* Deferred.await(offered)
      yield* Fiber.interrupt(put)
      // Nobody told the caller, but the outbox has it: the old value must not stay fresh.
      expect(yield* a.prices.get("milk")).toBe(2)
      yield* Deferred.succeed(go, undefined)
    }),
  )
})

describe("a removal", () => {
  it.effect("is ordered among the puts of its key", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      yield* a.writes.put("milk", 1)
      yield* a.writes.remove("milk")
      yield* a.writes.remove("bread")
      yield* a.writes.put("bread", 2)
      yield* a.writes.flush
      expect(there.source.rows.get("milk")?.value).toEqual(Option.none())
      expect(there.source.rows.get("bread")?.value).toEqual(some(2))
      expect(there.source.log).toHaveLength(2)
    }),
  )

  it.effect("makes the next read flush, and gives what the source says", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      there.source.rows.set("milk", { key: "milk", value: some(1), version: 1, at: 0 })
      expect(yield* a.prices.get("milk")).toBe(1)
      yield* a.writes.remove("milk")
      const read = yield* Effect.forkChild(Effect.flip(a.prices.get("milk")), {
        startImmediately: true,
      })
      yield* TestClock.adjust("20 millis")
      expect(yield* Fiber.join(read)).toEqual(new Gone({ key: "milk" }))
    }),
  )
})

describe("a flush", () => {
  it.effect("one bad write delays no other, and is dead after its last attempt", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      const events = yield* eventsOf(a.prices)
      there.source.before = (keys) => (keys.includes("bad") ? down("too long") : Effect.void)
      yield* a.writes.put("bad", 1)
      yield* a.writes.put("good", 2)
      const flush = yield* Effect.forkChild(a.writes.flush, { startImmediately: true })
      yield* TestClock.adjust("1 millis")
      expect(there.source.rows.get("good")?.value).toEqual(some(2))
      expect(there.source.batches).toEqual([["bad", "good"], ["bad"], ["good"]])
      yield* TestClock.adjust("100 millis")
      yield* TestClock.adjust("200 millis")
      expect(yield* a.prices.get("bad")).toBe(1)
      yield* TestClock.adjust("400 millis")
      yield* TestClock.adjust("250 millis")
      expect(yield* Fiber.join(flush)).toEqual({ written: 1, dead: 1 })
      const attempts = there.source.batches.filter((keys) => keys.length === 1 && keys[0] === "bad")
      expect(attempts).toHaveLength(4)
      // The source will never have it.
      expect(yield* Effect.flip(a.prices.get("bad"))).toEqual(new Gone({ key: "bad" }))
      const [letter] = yield* Stream.runCollect(a.outbox.dead)
      expect(letter).toMatchObject({ key: "bad", value: some(1), attempts: 4 })
      const dead = events.filter(({ _tag }) => _tag === "WriteDead")
      expect(dead).toMatchObject([{ key: "bad", attempts: 4, version: letter?.version }])
    }),
  )

  it.effect("a dead letter is written once it is revived, or replaced by a newer write", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      there.source.before = () => down("down")
      yield* a.writes.put("milk", 1)
      yield* a.writes.put("bread", 1)
      yield* TestClock.adjust("10 seconds")
      expect(yield* a.writes.depth).toMatchObject({ waiting: 0, inFlight: 0, dead: 2 })
      there.source.before = () => Effect.void
      yield* a.outbox.revive("milk")
      yield* a.writes.put("bread", 2)
      expect(yield* a.prices.get("milk")).toBe(1)
      yield* TestClock.adjust("1 second")
      expect(there.source.rows.get("milk")?.value).toEqual(some(1))
      expect(there.source.rows.get("bread")?.value).toEqual(some(2))
      expect(yield* a.writes.depth).toMatchObject({ waiting: 0, inFlight: 0, dead: 0 })
    }),
  )

  it.effect("keys that failed alone are in the answer; a defect is a failure as well", () =>
    Effect.gen(function* () {
      const there = yield* world
      class Own extends WriteBehind.Service<Own>()("test/Own", {
        larder: Prices,
        outbox: PriceOutbox,
        maxLag: "1 second",
        maxAttempts: 1,
        writeMany: (batch) =>
          batch.length > 1
            ? Effect.succeed(new Map(batch.slice(0, 1).map(({ key }) => [key, "refused"])))
            : Effect.die(new Error("a defect")),
      }) {}
      const services = Layer.mergeAll(
        Layer.succeed(Source, there.source),
        Layer.succeed(OutboxStore.OutboxStore, there.store),
        TierStack.layer(MemoryTier.layer()),
      )
      const layer = Own.layer.pipe(
        Layer.provideMerge(Prices.layer),
        Layer.provideMerge(PriceOutbox.layer),
        Layer.provide(services),
      )
      yield* Effect.gen(function* () {
        const writes = yield* Own
        yield* writes.put("a", 1)
        yield* TestClock.adjust("1 millis")
        yield* writes.put("b", 1)
        expect(yield* writes.flush).toEqual({ written: 1, dead: 1 })
        yield* writes.put("c", 1)
        expect(yield* writes.flush).toEqual({ written: 0, dead: 1 })
        const outbox = yield* PriceOutbox
        const dead = yield* Stream.runCollect(outbox.dead)
        expect(dead.map(({ key, why }) => [key, why])).toEqual([
          ["a", "refused"],
          ["c", "a defect"],
        ])
      }).pipe(Effect.provide(layer))
    }),
  )

  const returned: ReadonlyArray<readonly [string, unknown]> = [
    ["an array", [undefined]],
    ["an object", { a: "refused" }],
    ["a number", 5],
    ["a string", "secret"],
    ["null", null],
  ]
  it.effect.each(returned)(
    "a writeMany that returns %s fails its attempt, and says what to return",
    ([kind, answer]) =>
      Effect.gen(function* () {
        let calls = 0
        const { outbox, writes } = yield* behindMemory((batch) => {
          calls += batch.length
          return Effect.succeed(answer as never)
        })
        yield* writes.put("a", 1)
        const flush = yield* Effect.forkChild(writes.flush, { startImmediately: true })
        yield* TestClock.adjust("10 seconds")
        expect(yield* Fiber.join(flush)).toEqual({ written: 0, dead: 1 })
        expect(calls).toBe(2)
        const [letter] = yield* Stream.runCollect(outbox.dead)
        expect(letter?.why).toContain(`writeMany returned ${kind}, `)
        expect(letter?.why).toMatch(/return nothing \(Effect\.asVoid\), or a Map/)
      }),
  )

  it.effect("a writeMany that empties its batch, or changes its writes, disturbs no flush", () =>
    Effect.gen(function* () {
      const { writes } = yield* behindMemory((batch) =>
        Effect.sync(() => {
          for (const write of batch) (write as { key: string }).key = "other"
          ;(batch as unknown as Array<unknown>).length = 0
        }),
      )
      yield* writes.put("a", 1)
      yield* writes.put("b", 1)
      expect(yield* writes.flush).toEqual({ written: 2, dead: 0 })
    }),
  )

  it.effect("a retry schedule that fails on an error does not keep the write claimed", () =>
    Effect.gen(function* () {
      const { writes } = yield* behindMemory(() => Effect.fail("down"), {
        retry: Schedule.spaced("100 millis").pipe(
          Schedule.while(() => {
            throw new Error("a defect of the schedule")
          }),
        ),
      })
      yield* writes.put("a", 1)
      const flush = yield* Effect.forkChild(writes.flush, { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(flush)).toEqual({ written: 0, dead: 1 })
    }),
  )

  it.effect(
    "what cannot be decoded dies as any write: event, line without key or value, expired",
    () =>
      logged((lines) =>
        Effect.gen(function* () {
          const there = yield* world
          const a = yield* node(there)
          const events = yield* eventsOf(a.prices)
          yield* a.prices.set("customer-4711", 1)
          const options = { outbox: "test/PriceOutbox", maxPending: 10, merges: false }
          const store = yield* there.store.open(options)
          const payload = "S3CR3T{"
          yield* store.offer([{ key: '["customer-4711"]', version: 1, payload, merged: [] }])
          yield* TestClock.adjust("1 second")
          expect(yield* a.writes.depth).toMatchObject({ waiting: 0, inFlight: 0, dead: 1 })
          expect(yield* Effect.flip(a.prices.get("customer-4711"))).toBeInstanceOf(Gone)
          expect(events.filter(({ _tag }) => _tag === "WriteDead")).toMatchObject([
            { key: "customer-4711", attempts: 1 },
          ])
          expect(lines.join()).toMatch(
            /is a dead letter after 1 attempt: its value cannot be decoded/,
          )
          expect(lines.join()).not.toMatch(/S3CR3T|4711/)
        }),
      ),
  )

  it.effect("many dead letters are few lines, one line each", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const { writes } = yield* behindMemory(() => Effect.fail("down"))
        for (let i = 0; i < 50; i += 1) yield* writes.put(`k${i}`, i)
        yield* TestClock.adjust("500 millis")
        yield* TestClock.adjust("100 millis")
        expect((yield* writes.depth).dead).toBe(50)
        const dead = lines.filter((line) => line.includes("is a dead letter"))
        expect(dead.length).toBeLessThanOrEqual(6)
        expect(dead.length).toBeGreaterThan(0)
        expect(lines.join("")).not.toContain("\n")
      }),
    ),
  )

  it.effect("a put that waits for dead letters says once what to do", () =>
    logged((lines) =>
      Effect.gen(function* () {
        class Small extends Outbox.Service<Small>()("test/Small", {
          key: Schema.String,
          value: Schema.Finite,
          maxPending: 1,
        }) {}
        class Own extends WriteBehind.Service<Own>()("test/Own", {
          larder: Prices,
          outbox: Small,
          maxLag: "1 second",
          maxAttempts: 1,
          writeMany: () => Effect.fail("down"),
        }) {}
        const there = yield* world
        const layer = Own.layer.pipe(
          Layer.provide(Prices.layer),
          Layer.provideMerge(Small.layer),
          Layer.provide(PriceOutbox.layer),
          Layer.provide([
            Layer.succeed(Source, there.source),
            Layer.succeed(OutboxStore.OutboxStore, there.store),
            TierStack.layer(MemoryTier.layer()),
          ]),
        )
        const built = yield* Layer.build(Layer.fresh(layer))
        const writes = Context.get(built, Own)
        yield* writes.put("a", 1)
        yield* TestClock.adjust("1 second")
        const put = yield* Effect.forkChild(writes.put("b", 1), { startImmediately: true })
        yield* TestClock.adjust("1 minute")
        const full = lines.filter((line) => line.includes("full of dead letters (1)"))
        expect(full).toHaveLength(1)
        expect(full[0]).toMatch(/revive or discard them .* or raise maxPending/)
        yield* Context.get(built, Small).discard("a")
        yield* TestClock.adjust("2 seconds")
        expect(yield* Fiber.join(put)).toMatchObject({ version: expect.any(Number) })
      }),
    ),
  )

  it.effect("a write that interrupts itself is a failure, and the flusher goes on", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      let calls = 0
      there.source.before = () => {
        calls += 1
        return calls === 1 ? Effect.interrupt : Effect.void
      }
      yield* a.writes.put("milk", 1)
      yield* TestClock.adjust("1 second")
      yield* a.writes.put("bread", 1)
      yield* TestClock.adjust("1 second")
      expect([...there.source.rows.keys()]).toEqual(["milk", "bread"])
    }),
  )

  it.effect("an outbox that fails for a while delays the flush, and loses nothing", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const there = yield* world
        let isAway = false
        const away = new OutboxStore.OutboxStoreError({
          store: "memory",
          operation: "claim",
          cause: new Error("away"),
        })
        const store: typeof there.store = {
          ...there.store,
          open: (options) =>
            Effect.map(there.store.open(options), (opened) => ({
              ...opened,
              claim: (request) => (isAway ? Effect.fail(away) : opened.claim(request)),
              done: (claims) => (isAway ? Effect.fail(away) : opened.done(claims)),
            })),
        }
        const a = yield* node({ ...there, store })
        yield* a.writes.put("milk", 1)
        there.source.after = () =>
          Effect.sync(() => {
            isAway = true
          })
        yield* TestClock.adjust("2 seconds")
        expect(lines[0]).toBe("test/Writes: the outbox did not answer, trying again")
        there.source.after = () => Effect.void
        isAway = false
        yield* TestClock.adjust("10 seconds")
        // Written twice: at least once.
        expect(there.source.log).toHaveLength(2)
        expect(yield* a.writes.depth).toMatchObject({ waiting: 0, inFlight: 0, dead: 0 })
      }),
    ),
  )

  it.effect("a write that hangs is given up, and tried again", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      const events = yield* eventsOf(a.prices)
      let calls = 0
      there.source.before = () => {
        calls += 1
        return calls === 1 ? Effect.uninterruptible(Effect.never) : Effect.void
      }
      yield* a.writes.put("milk", 1)
      // The lock is renewed meanwhile: nobody else takes it.
      const b = yield* node(there)
      yield* TestClock.adjust("30 seconds")
      expect(calls).toBe(1)
      expect(events.filter(({ _tag }) => _tag === "WriteLagging")).toHaveLength(1)
      yield* TestClock.adjust("2 seconds")
      expect(there.source.rows.get("milk")?.value).toEqual(some(1))
      expect(yield* b.prices.get("milk")).toBe(1)
    }),
  )

  it.effect("tells once that writes lag, with their age, and again after they did not", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      const events = yield* eventsOf(a.prices)
      const lagging = () => events.filter(({ _tag }) => _tag === "WriteLagging")
      there.source.before = () => down("down")
      yield* a.writes.put("milk", 1)
      yield* TestClock.adjust("1 second")
      expect(lagging()).toEqual([])
      yield* TestClock.adjust("10 millis")
      expect(lagging()).toMatchObject([{ oldestMillis: 1_001, inFlight: 1, waiting: 0 }])
      there.source.before = () => Effect.void
      yield* TestClock.adjust("2 seconds")
      expect(there.source.rows.size).toBe(1)
      there.source.before = () => down("down")
      yield* a.writes.put("milk", 2)
      yield* TestClock.adjust("1100 millis")
      there.source.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      expect(lagging()).toHaveLength(2)
    }),
  )

  it.effect("that comes late leaves what another outbox has put since", () =>
    Effect.gen(function* () {
      const there = yield* world
      const { store } = yield* world
      const a = yield* node(there)
      // Each has an outbox in its own memory.
      const b = yield* node({ ...there, store })
      yield* a.writes.put("milk", 1)
      yield* b.writes.put("milk", 2)
      yield* b.writes.flush
      yield* a.writes.flush
      expect(there.source.rows.get("milk")?.value).toEqual(some(2))
      expect(yield* a.prices.get("milk")).toBe(2)
      expect(yield* b.prices.get("milk")).toBe(2)
    }),
  )

  it.effect("is taken over by another node when its own is stopped", () =>
    Effect.gen(function* () {
      const there = yield* world
      const scope = yield* Scope.make()
      const a = yield* Scope.provide(node(there), scope)
      yield* a.writes.put("milk", 1)
      there.source.before = () => Effect.never
      yield* TestClock.adjust("500 millis")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), {
        startImmediately: true,
      })
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      there.source.before = () => Effect.void
      // It does not wait for the end of the lock, which was renewed until now.
      const b = yield* node(there)
      yield* TestClock.adjust("1 millis")
      expect(there.source.rows.get("milk")?.value).toEqual(some(1))
      expect(yield* b.prices.get("milk")).toBe(1)
    }),
  )
})

describe("an outbox that is full", () => {
  const full = (whenFull: "wait" | "fail") => {
    class Small extends Outbox.Service<Small>()("test/Small", {
      key: Schema.String,
      value: Schema.Finite,
      maxPending: 2,
    }) {}
    class Larders extends Larder.Service<Larders>()("test/SmallPrices", {
      upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(0) }).pipe(
        Outbox.overlay(Small),
      ),
      policy: Policy.make({ freshFor: "1 hour" }),
    }) {}
    class Behind extends WriteBehind.Service<Behind>()("test/SmallWrites", {
      larder: Larders,
      outbox: Small,
      maxLag: "1 second",
      whenFull,
      writeMany,
    }) {}
    const layer = Behind.layer.pipe(
      Layer.provideMerge(Larders.layer),
      Layer.provideMerge(Small.layer),
      Layer.provide([OutboxStore.layerMemory, TierStack.layer(MemoryTier.layer())]),
    )
    return { Behind, Larders, layer }
  }

  it.effect("fails the put, and the cache keeps what it had", () =>
    Effect.gen(function* () {
      const { source } = yield* world
      const { Behind, Larders, layer } = full("fail")
      yield* Effect.gen(function* () {
        const { put } = yield* Behind
        expect(yield* Larders.get("c")).toBe(0)
        yield* put("a", 1)
        yield* put("b", 1)
        expect(yield* Effect.flip(put("c", 1))).toMatchObject({ _tag: "OutboxFull", limit: 2 })
        expect(yield* Larders.get("c")).toBe(0)
        yield* put("a", 2)
      }).pipe(Effect.provide(layer), Effect.provideService(Source, source))
    }),
  )

  it.effect("lets the put wait for room, and reads of its key go on", () =>
    Effect.gen(function* () {
      const { source } = yield* world
      const { Behind, Larders, layer } = full("wait")
      yield* Effect.gen(function* () {
        const { put } = yield* Behind
        yield* put("a", 1)
        yield* put("b", 1)
        const third = yield* Effect.forkChild(put("c", 1), { startImmediately: true })
        yield* TestClock.adjust("400 millis")
        expect(third.pollUnsafe()).toBeUndefined()
        expect(yield* Larders.get("c")).toBe(0)
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(third)
        expect(yield* Larders.get("c")).toBe(1)
        yield* TestClock.adjust("500 millis")
        expect(source.rows.get("c")?.value).toEqual(some(1))
      }).pipe(Effect.provide(layer), Effect.provideService(Source, source))
    }),
  )
})

describe("merging", () => {
  class Counts extends Outbox.Service<Counts>()("test/CountOutbox", {
    key: Schema.String,
    value: Schema.Finite,
    merge: (older, newer) => older + newer,
  }) {}
  class Totals extends Larder.Service<Totals>()("test/Totals", {
    value: Schema.Finite,
    upstream: Upstream.make({
      lookup: (key: string) =>
        Effect.map(Source, ({ rows }) =>
          Option.getOrElse(rows.get(key)?.value ?? some(0), () => 0),
        ),
    }).pipe(Outbox.overlay(Counts)),
    policy: Policy.make({ freshFor: "1 hour" }),
  }) {}
  class Adding extends WriteBehind.Service<Adding>()("test/Adding", {
    larder: Totals,
    outbox: Counts,
    maxLag: "1 second",
    writeMany: (batch) =>
      Effect.gen(function* () {
        const source = yield* Source
        yield* source.before(batch.map(({ key }) => key))
        for (const { key, value, version } of batch) {
          const row = source.rows.get(key)
          // The same version again is the same write again.
          if ((row?.version ?? 0) >= version) continue
          const sum =
            Option.getOrElse(row?.value ?? some(0), () => 0) + Option.getOrElse(value, () => 0)
          source.rows.set(key, { key, value: some(sum), version, at: 0 })
        }
        yield* source.after(batch.map(({ key }) => key))
      }),
  }) {}

  it.effect("counts everything once, though writes fail after they were made", () =>
    Effect.gen(function* () {
      const { source, store } = yield* world
      let calls = 0
      source.after = () => {
        calls += 1
        return calls % 2 === 1 ? down("the answer was lost") : Effect.void
      }
      const layer = Adding.layer.pipe(
        Layer.provideMerge(Totals.layer),
        Layer.provideMerge(Counts.layer),
        Layer.provide([
          Layer.succeed(OutboxStore.OutboxStore, store),
          TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared),
        ]),
      )
      yield* Effect.gen(function* () {
        const writes = yield* Adding
        for (let i = 1; i <= 100; i += 1) {
          yield* writes.put("n", 1)
          if (i % 7 === 0) expect(yield* Totals.get("n")).toBe(i)
          if (i % 10 === 0) yield* TestClock.adjust("300 millis")
        }
        yield* TestClock.adjust("5 seconds")
        expect(source.rows.get("n")?.value).toEqual(some(100))
        expect(yield* Totals.get("n")).toBe(100)
        expect(yield* writes.depth).toMatchObject({ waiting: 0, inFlight: 0, dead: 0 })
      }).pipe(Effect.provide(layer), Effect.provideService(Source, source))
    }),
  )
})

describe("metrics", () => {
  it.effect("say what waits, how old it is, and how attempts end", () =>
    Effect.gen(function* () {
      const there = yield* world
      const a = yield* node(there)
      // A second flusher sees the same writes: they are not counted twice.
      yield* node(there)
      yield* node(there, "offers only")
      there.source.before = (keys) => (keys.includes("bad") ? down("bad") : Effect.void)
      yield* a.writes.put("bad", 1)
      yield* a.writes.put("good", 1)
      yield* TestClock.adjust("550 millis")
      expect(yield* outboxGauges).toEqual({
        larder_outbox_oldest_seconds: 0.55,
        "larder_outbox_writes dead": 0,
        "larder_outbox_writes in_flight": 1,
        "larder_outbox_writes waiting": 0,
      })
      yield* TestClock.adjust("5 seconds")
      yield* a.writes.put("later", 1)
      yield* TestClock.adjust("5 seconds")
      expect(yield* outboxGauges).toEqual({
        larder_outbox_oldest_seconds: 0,
        "larder_outbox_writes dead": 1,
        "larder_outbox_writes in_flight": 0,
        "larder_outbox_writes waiting": 0,
      })
      const flushed = [...(yield* counters)].filter(([name]) => name.startsWith("larder_outbox"))
      expect(Object.fromEntries(flushed)).toEqual({
        "larder_outbox_flushed_total dead": 1,
        "larder_outbox_flushed_total failed": 4,
        "larder_outbox_flushed_total written": 2,
      })
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())),
  )
})

describe("closing", () => {
  it.effect("flushes what waits", () =>
    Effect.gen(function* () {
      const there = yield* world
      yield* Effect.scoped(
        Effect.gen(function* () {
          const a = yield* node(there)
          yield* a.writes.put("milk", 1)
        }),
      )
      expect(there.source.rows.get("milk")?.value).toEqual(some(1))
    }),
  )

  it.effect("says how many writes are lost with an outbox in memory, within closeTimeout", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const there = yield* world
        there.source.before = () => Effect.uninterruptible(Effect.never)
        const scope = yield* Scope.make()
        const a = yield* Scope.provide(node(there), scope)
        yield* a.writes.put("milk", 1)
        yield* a.writes.put("bread", 1)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), {
          startImmediately: true,
        })
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(closing)
        expect(lines.filter((line) => line.startsWith("test/Writes: closed"))).toEqual([
          "test/Writes: closed with 2 writes that the source does not have; they are lost with the process, since its outbox is in memory",
        ])
        const exit = yield* Effect.exit(a.writes.put("milk", 2))
        expect(Exit.isFailure(exit) && exit.cause.reasons[0]).toMatchObject({
          defect: { _tag: "LarderClosed" },
        })
      }),
    ),
  )

  it.effect("says how many writes stay for the next process", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const there = yield* world
        const store = { ...there.store, durability: "machine" } as const
        there.source.before = () => Effect.never
        const scope = yield* Scope.make()
        const a = yield* Scope.provide(node({ ...there, store }), scope)
        yield* a.writes.put("milk", 1)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), {
          startImmediately: true,
        })
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(closing)
        expect(lines).toContain(
          "test/Writes: closed with 1 write that the source does not have yet; they stay in the outbox for the next process",
        )
      }),
    ),
  )
})

describe("options", () => {
  const valid = {
    larder: Prices,
    outbox: PriceOutbox,
    maxLag: "1 second",
    writeMany: () => Effect.void,
  }
  it.each([
    [{ larder: undefined }, "larder"],
    [{ outbox: "outbox" }, "outbox"],
    [{ writeMany: 1 }, "writeMany"],
    [{ maxLag: undefined }, "maxLag"],
    [{ maxLag: 0 }, "maxLag"],
    [{ maxLag: Number.NaN }, "maxLag"],
    [{ batch: 0 }, "batch"],
    [{ batch: 1.5 }, "batch"],
    [{ retry: "1 second" }, "retry"],
    [{ maxAttempts: 0 }, "maxAttempts"],
    [{ whenFull: "drop" }, "whenFull"],
    [{ timeout: "0 seconds" }, "timeout"],
    [{ lock: Infinity }, "lock"],
    [{ closeTimeout: -1 }, "closeTimeout"],
    [{ maxlag: "1 second" }, "maxlag"],
  ])("dies with InvalidOptions for %o", async (options, field) => {
    const tag = WriteBehind.Service<Prices>()("test/Bad", { ...valid, ...options } as never)
    for (const layer of [tag.layer, tag.layerOfferOnly]) {
      const exit = await Effect.runPromiseExit(
        Effect.scoped(
          Layer.buildWithScope(layer as unknown as Layer.Layer<never>, Scope.makeUnsafe()),
        ),
      )
      const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
      expect(reason).toMatchObject({ defect: expect.any(InvalidOptions) })
      expect(reason).toMatchObject({ defect: { module: "WriteBehind", field } })
    }
  })

  it("the default schedule bears an outage of ten minutes", async () => {
    const { retryDelay } = await import("../src/internal/behind/retryDelay.ts")
    const retry = Schedule.min([Schedule.exponential(100), Schedule.spaced(30_000)])
    let millis = 0
    for (let attempt = 1; attempt < 30; attempt += 1) {
      millis += (await Effect.runPromise(retryDelay(retry, attempt, "down"))) ?? 0
    }
    expect(millis).toBeGreaterThan(600_000)
    expect(await Effect.runPromise(retryDelay(Schedule.recurs(2), 3, "down"))).toBeUndefined()
    expect(Context.isKey(Prices)).toBe(true)
  })
})
