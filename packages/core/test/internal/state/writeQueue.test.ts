/** The queue of background writes: which value is written and when, which one gets a place, and what happens to the others. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { type Queued, WriteQueue } from "../../../src/internal/state/writeQueue.ts"
import { policy } from "../../support/engine.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const queuedOf = (value: number): Queued => ({
  key: "k",
  entry: {
    value,
    storedAt: 0,
    freshUntil: 1,
    revalidateUntil: 1,
    staleUntil: 1,
    loadMillis: 0,
    version: value,
    asOf: 0,
    tags: [],
  },
  policy,
  weight: 1,
  isPlaced: true,
  gapsBefore: 0,
  madeAt: 0,
})

type Outcome = "done" | "again"

/** A queue whose tiers do with a value what `tiers.write` says, and at once; keys and values that were tried are noted. */
const opened = Effect.gen(function* () {
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const fibers: Array<Fiber.Fiber<unknown>> = []
  const queue = new WriteQueue((effect) => {
    const fiber = runFork(effect)
    fibers.push(fiber)
    return fiber
  }, Effect.sleep)
  const tried: Array<string> = []
  const over = new Set<number>()
  const tiers = {
    write: (_k: string, _value: number): Effect.Effect<Outcome> => Effect.succeed("done"),
  }
  const writer = {
    write: (k: string, { entry }: Queued) =>
      Effect.suspend(() => {
        tried.push(`${k}=${entry.value}`)
        return tiers.write(k, entry.version)
      }),
    isOver: ({ entry }: Queued) => over.has(entry.version),
  }
  return {
    queue,
    tiers,
    over,
    put: (k: string, value: number) => queue.put(k, queuedOf(value), writer),
    /** The writes that were tried since the last call. */
    tried: () => tried.splice(0),
    valueOf: (k: string) => queue.newest(k)?.entry.value,
    /** Fibers that a larder would wait for when it closes. */
    running: () => fibers.filter((fiber) => fiber.pollUnsafe() === undefined).length,
  }
})

const away = (): Effect.Effect<Outcome> => Effect.succeed("again")
const slow = (): Effect.Effect<Outcome> => Effect.delay(Effect.succeed("done"), 50)
const range = (count: number, letter = "k") => Array.from({ length: count }, (_, i) => letter + i)

const closed = Effect.die("closed")

describe("what is written", () => {
  it.effect("a value goes at once, and is not known any more when it is written", () =>
    Effect.gen(function* () {
      const { put, queue, tried, valueOf } = yield* opened
      put("k", 1)
      expect(tried()).toEqual(["k=1"])
      expect([queue.size, queue.count, valueOf("k")]).toEqual([0, 1, undefined])
    }),
  )

  it.effect("16 at once, then as many as have ended, in the order they came", () =>
    Effect.gen(function* () {
      const { put, queue, tiers, tried } = yield* opened
      tiers.write = slow
      for (const k of range(40)) put(k, 1)
      expect(tried()).toEqual(range(16).map((k) => `${k}=1`))
      yield* TestClock.adjust(50)
      expect(tried()).toEqual(
        range(32)
          .slice(16)
          .map((k) => `${k}=1`),
      )
      yield* TestClock.adjust(50)
      expect(tried()).toHaveLength(8)
      yield* TestClock.adjust(50)
      expect([queue.size, tried()]).toEqual([0, []])
    }),
  )

  it.effect("one after the other, not one within another, where writes end at once", () =>
    Effect.gen(function* () {
      const { put, queue, tiers, tried } = yield* opened
      tiers.write = away
      // More than fit on the stack.
      for (const k of range(20_000)) put(k, 1)
      tried()
      tiers.write = () => Effect.succeed("done")
      yield* TestClock.adjust(100)
      expect([queue.size, tried().length]).toEqual([0, 20_000])
    }),
  )

  it.effect("of values that come while one is being written the last one comes next", () =>
    Effect.gen(function* () {
      const { put, queue, tiers, tried, valueOf } = yield* opened
      tiers.write = slow
      for (const value of [1, 2, 3]) put("k", value)
      expect([queue.size, queue.count, valueOf("k")]).toEqual([1, 3, 3])
      yield* TestClock.adjust(50)
      expect([tried(), valueOf("k")]).toEqual([["k=1", "k=3"], 3])
      yield* TestClock.adjust(50)
      expect([tried(), queue.size]).toEqual([[], 0])
    }),
  )

  it.effect("of values that come before the first is begun the last one is written alone", () =>
    Effect.gen(function* () {
      const { put, tiers, tried } = yield* opened
      tiers.write = slow
      for (const k of range(16)) put(k, 1)
      for (const value of [1, 2, 3]) put("waits", value)
      yield* TestClock.adjust(50)
      expect(tried().filter((each) => each.startsWith("waits"))).toEqual(["waits=3"])
      yield* TestClock.adjust(500)
      expect(tried()).toEqual([])
    }),
  )

  it.effect("a write that fails makes room for one that waits", () =>
    Effect.gen(function* () {
      const { put, tiers, tried } = yield* opened
      tiers.write = () => Effect.delay(away(), 50)
      for (const k of range(17)) put(k, 1)
      tried()
      yield* TestClock.adjust(50)
      expect(tried()).toEqual(["k16=1"])
    }),
  )

  it.effect("a write that fails with a defect is tried again", () =>
    Effect.gen(function* () {
      const { put, queue, tiers, tried } = yield* opened
      tiers.write = () => Effect.die("broken")
      put("k", 1)
      tiers.write = () => Effect.succeed("done")
      yield* TestClock.adjust(100)
      expect([tried(), queue.size]).toEqual([["k=1", "k=1"], 0])
    }),
  )
})

describe("what could not be written", () => {
  /** When something was tried, in ms. */
  const times = (tried: () => ReadonlyArray<string>, millis: number) =>
    Effect.gen(function* () {
      const found: Array<number> = []
      for (let at = 10; at <= millis; at += 10) {
        yield* TestClock.adjust(10)
        if (tried().length > 0) found.push(at)
      }
      return found
    })

  it.effect("is tried again after 100 ms, each time twice as long, and a second at most", () =>
    Effect.gen(function* () {
      const { put, tiers, tried } = yield* opened
      tiers.write = away
      put("k", 1)
      tried()
      expect(yield* times(tried, 4_600)).toEqual([100, 300, 700, 1_500, 2_500, 3_500, 4_500])
    }),
  )

  it.effect("rests as briefly as at first once something has been written", () =>
    Effect.gen(function* () {
      const { put, tiers, tried } = yield* opened
      tiers.write = (k) => Effect.succeed(k === "lost" ? "again" : "done")
      put("lost", 1)
      yield* TestClock.adjust(700)
      tried()
      put("k", 1)
      expect(tried()).toEqual(["k=1", "lost=1"])
      // The rest that had begun before goes on.
      expect(yield* times(tried, 1_200)).toEqual([800, 900, 1_100])
    }),
  )

  it.effect("is tried at once, all of it, when something else was written", () =>
    Effect.gen(function* () {
      const { put, queue, running, tiers, tried } = yield* opened
      tiers.write = away
      for (const k of range(999)) put(k, 1)
      yield* TestClock.adjust(50)
      tried()
      tiers.write = () => Effect.succeed("done")
      put("another", 1)
      expect([tried(), queue.size]).toEqual([["another=1", ...range(999).map((k) => `${k}=1`)], 0])
      yield* TestClock.adjust(50)
      expect(running()).toBe(0)
    }),
  )

  it.effect("rests a whole time of its own after one that was written", () =>
    Effect.gen(function* () {
      const { put, tiers, tried } = yield* opened
      tiers.write = slow
      put("k", 1)
      put("k", 2)
      yield* TestClock.adjust(110)
      tiers.write = away
      put("lost", 1)
      tried()
      expect(yield* times(tried, 120)).toEqual([100])
    }),
  )

  it.effect("leaves nothing that rests once it is written", () =>
    Effect.gen(function* () {
      const { put, running, tiers } = yield* opened
      tiers.write = away
      put("k", 1)
      expect(running()).toBe(1)
      tiers.write = () => Effect.succeed("done")
      yield* TestClock.adjust(100)
      expect(running()).toBe(0)
    }),
  )

  it.effect(
    "is tried in its turn though those before it were withdrawn while they were tried",
    () =>
      Effect.gen(function* () {
        const { put, queue, tiers, tried } = yield* opened
        tiers.write = away
        for (const k of range(17)) put(k, 1)
        tiers.write = () => Effect.delay(away(), 50)
        yield* TestClock.adjust(100)
        for (const k of range(16)) queue.withdraw(k)
        tried()
        yield* TestClock.adjust("2 seconds")
        expect(tried()).toContain("k16=1")
      }),
  )

  it.effect("is tried 16 at a time, to see whether the tiers are back, in turn", () =>
    Effect.gen(function* () {
      const { put, tiers, tried } = yield* opened
      tiers.write = away
      for (const k of range(20)) put(k, 1)
      tried()
      yield* TestClock.adjust(100)
      expect(tried()).toEqual(range(16).map((k) => `${k}=1`))
      yield* TestClock.adjust(200)
      expect(tried().slice(0, 5)).toEqual(["k16=1", "k17=1", "k18=1", "k19=1", "k0=1"])
    }),
  )

  it.effect("is given to its writer when it is over, however many rest", () =>
    Effect.gen(function* () {
      const { over, put, tiers, tried } = yield* opened
      tiers.write = away
      for (const k of range(20)) put(k, 1)
      put("over", 2)
      over.add(2)
      tried()
      yield* TestClock.adjust(100)
      expect(tried()).toEqual([...range(16).map((k) => `${k}=1`), "over=2"])
    }),
  )

  it.effect("is replaced by a value that comes meanwhile, which rests as long", () =>
    Effect.gen(function* () {
      const { put, tiers, tried, valueOf } = yield* opened
      tiers.write = away
      put("k", 1)
      tried()
      put("k", 2)
      expect([tried(), valueOf("k")]).toEqual([[], 2])
      yield* TestClock.adjust(100)
      expect(tried()).toEqual(["k=2"])
    }),
  )

  it.effect("is given up for a value that came while it was tried", () =>
    Effect.gen(function* () {
      const { put, queue, tiers, tried } = yield* opened
      tiers.write = () => Effect.delay(away(), 50)
      put("k", 1)
      put("k", 2)
      tiers.write = slow
      yield* TestClock.adjust(150)
      expect(tried()).toEqual(["k=1", "k=2"])
      yield* TestClock.adjust(50)
      expect([tried(), queue.size]).toEqual([[], 0])
    }),
  )
})

describe("what is withdrawn", () => {
  it.effect("is not written where it waits or rests", () =>
    Effect.gen(function* () {
      const { put, queue, tiers, tried } = yield* opened
      tiers.write = away
      put("rests", 1)
      tiers.write = slow
      for (const k of range(16)) put(k, 1)
      put("waits", 1)
      tried()
      for (const k of ["rests", "waits", "unknown"]) queue.withdraw(k)
      expect(queue.size).toBe(16)
      yield* TestClock.adjust("2 seconds")
      expect([tried(), queue.size]).toEqual([[], 0])
    }),
  )

  it.effect("is known no more while it is being written, and not tried again", () =>
    Effect.gen(function* () {
      const { put, queue, tiers, tried, valueOf } = yield* opened
      tiers.write = () => Effect.delay(away(), 50)
      put("k", 1)
      put("k", 2)
      queue.withdraw("k")
      expect([queue.size, valueOf("k")]).toEqual([1, undefined])
      yield* TestClock.adjust(50)
      expect(queue.size).toBe(0)
      yield* TestClock.adjust("2 seconds")
      expect(tried()).toEqual(["k=1"])
    }),
  )

  it.effect("makes way for a value that comes later", () =>
    Effect.gen(function* () {
      for (const outcome of ["done", "again"] as const) {
        const { put, queue, tiers, tried, valueOf } = yield* opened
        tiers.write = () => Effect.delay(Effect.succeed(outcome), 50)
        put("k", 1)
        queue.withdraw("k")
        put("k", 2)
        expect(valueOf("k")).toBe(2)
        tiers.write = () => Effect.succeed("done")
        yield* TestClock.adjust(150)
        expect([tried(), queue.size]).toEqual([["k=1", "k=2"], 0])
      }
    }),
  )
})

describe("a change that is settled once what was queued is", () => {
  const isSettled = (fiber: Fiber.Fiber<unknown, unknown>) =>
    Effect.as(Effect.yieldNow, 0).pipe(Effect.map(() => fiber.pollUnsafe() !== undefined))

  it.effect("waits for all values of its key, and for no other", () =>
    Effect.gen(function* () {
      const { put, queue, tiers } = yield* opened
      tiers.write = (k) => (k === "k" ? slow() : Effect.never)
      put("other", 1)
      put("k", 1)
      put("k", 2)
      const settled = yield* fork(queue.settled("k"))
      yield* TestClock.adjust(99)
      expect(yield* isSettled(settled)).toBe(false)
      yield* TestClock.adjust(1)
      expect(yield* isSettled(settled)).toBe(true)
      expect((yield* fork(queue.settled("k"))).pollUnsafe()).toEqual(Exit.void)
    }),
  )

  it.effect("waits for a value that has to wait until others are written", () =>
    Effect.gen(function* () {
      const { put, queue, tiers } = yield* opened
      tiers.write = slow
      put("k", 1)
      put("k", 2)
      tiers.write = () => Effect.never
      for (const k of range(40)) put(k, 1)
      yield* TestClock.adjust(50)
      expect((yield* fork(queue.settled("k"))).pollUnsafe()).toBe(undefined)
    }),
  )

  it.effect("does not wait for what rests", () =>
    Effect.gen(function* () {
      const { put, queue, tiers } = yield* opened
      tiers.write = () => Effect.delay(away(), 50)
      put("k", 1)
      const settled = yield* fork(queue.settled("k"))
      yield* TestClock.adjust(50)
      expect(yield* isSettled(settled)).toBe(true)
      expect((yield* fork(queue.settled("k"))).pollUnsafe()).toEqual(Exit.void)
    }),
  )

  it.effect("does not wait for a queue that has stopped", () =>
    Effect.gen(function* () {
      const { put, queue, tiers } = yield* opened
      tiers.write = () => Effect.never
      put("k", 1)
      const settled = yield* fork(queue.settled("k"))
      expect(yield* isSettled(settled)).toBe(false)
      queue.stop()
      expect(yield* isSettled(settled)).toBe(true)
      expect((yield* fork(queue.settled("k"))).pollUnsafe()).toEqual(Exit.void)
    }),
  )
})

describe("of the values queued up to a place", () => {
  it.effect("is told whether all are written, on their way, or one rests", () =>
    Effect.gen(function* () {
      const { put, queue, tiers } = yield* opened
      expect(queue.stateUpTo(queue.count)).toBe("written")
      tiers.write = slow
      put("k", 1)
      const place = queue.count
      tiers.write = away
      put("rests", 1)
      expect([place - 1, place, place + 1].map((at) => queue.stateUpTo(at))).toEqual([
        "written",
        "pending",
        "resting",
      ])
      tiers.write = () => Effect.succeed("done")
      yield* TestClock.adjust(50)
      expect(queue.stateUpTo(queue.count)).toBe("written")
    }),
  )

  it.effect("what has rested and waits for its turn is on its way", () =>
    Effect.gen(function* () {
      const { put, queue, tiers } = yield* opened
      tiers.write = away
      for (const k of range(40)) put(k, 1)
      expect(queue.stateUpTo(queue.count)).toBe("resting")
      tiers.write = (k) => (k === "another" ? Effect.succeed("done") : Effect.never)
      put("another", 1)
      expect(queue.stateUpTo(queue.count)).toBe("pending")
    }),
  )

  it.effect("a later value of a key counts at its own place once the first is written", () =>
    Effect.gen(function* () {
      const { put, queue, tiers } = yield* opened
      tiers.write = slow
      put("k", 1)
      put("other", 1)
      put("k", 2)
      put("k", 3)
      expect([0, 1, 2].map((at) => queue.stateUpTo(at))).toEqual(["written", "pending", "pending"])
      yield* TestClock.adjust(50)
      expect([1, 2, 3].map((at) => queue.stateUpTo(at))).toEqual(["written", "written", "pending"])
    }),
  )

  it.effect("a value that replaces one which was not written keeps the place of that", () =>
    Effect.gen(function* () {
      const { put, queue, tiers } = yield* opened
      tiers.write = () => Effect.delay(away(), 50)
      put("k", 1)
      put("k", 2)
      yield* TestClock.adjust(50)
      expect(queue.stateUpTo(1)).toBe("resting")
    }),
  )

  it.effect("none is written any more by a queue that has stopped", () =>
    Effect.gen(function* () {
      const { put, queue, tiers } = yield* opened
      tiers.write = () => Effect.never
      put("k", 1)
      expect(queue.stateUpTo(1)).toBe("pending")
      queue.stop()
      expect([queue.stateUpTo(0), queue.stateUpTo(1)]).toEqual(["written", "resting"])
    }),
  )
})

describe("a caller that wants in", () => {
  /** A queue that is full of keys whose writes hang, but for `k0`, which ends after 50 ms. */
  const full = Effect.gen(function* () {
    const tools = yield* opened
    tools.tiers.write = (k) => (k === "k0" ? slow() : Effect.never)
    for (const k of range(1_000)) tools.put(k, 1)
    const entered: Array<string> = []
    const admit = (k: string) =>
      fork(
        tools.queue.admit(
          k,
          () => {
            entered.push(k)
            tools.put(k, 2)
            return k
          },
          closed,
        ),
      )
    return { ...tools, admit, entered }
  })

  it.effect("waits while 1,000 other keys are on their way, and enters when one has gone", () =>
    Effect.gen(function* () {
      const { admit, entered, queue } = yield* full
      const [one, other] = [yield* admit("one"), yield* admit("other")]
      yield* TestClock.adjust(49)
      expect(entered).toEqual([])
      yield* TestClock.adjust(1)
      expect(entered).toEqual(["one"])
      expect(one.pollUnsafe()).toEqual(Exit.succeed("one"))
      expect([other.pollUnsafe(), queue.size]).toEqual([undefined, 1_000])
    }),
  )

  it.effect("does not wait with a key that is on its way", () =>
    Effect.gen(function* () {
      const { admit, queue } = yield* full
      yield* admit("waits")
      expect((yield* admit("k999")).pollUnsafe()).toEqual(Exit.succeed("k999"))
      expect(queue.size).toBe(1_000)
    }),
  )

  it.effect("takes no room when it has left", () =>
    Effect.gen(function* () {
      const { admit, entered } = yield* full
      const leaving = yield* admit("leaving")
      yield* admit("stays")
      yield* Fiber.interrupt(leaving)
      yield* TestClock.adjust(50)
      expect(entered).toEqual(["stays"])
    }),
  )

  it.effect("enters with all that wait for its key, in the room of one", () =>
    Effect.gen(function* () {
      const { admit, entered } = yield* full
      for (const k of ["same", "same", "other"]) yield* admit(k)
      yield* TestClock.adjust(50)
      expect(entered).toEqual(["same", "same"])
    }),
  )

  it.effect("fails where what it does on entering fails", () =>
    Effect.gen(function* () {
      const { queue } = yield* opened
      const enter = () => {
        throw new Error("no")
      }
      const exit = yield* Effect.exit(queue.admit("k", enter, closed))
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain("no")
    }),
  )

  it.effect("is refused by a queue that closes, also where it waits already", () =>
    Effect.gen(function* () {
      const { admit, entered, queue } = yield* full
      const waiting = yield* admit("waits")
      queue.close()
      expect(waiting.pollUnsafe()).toEqual(Exit.die("closed"))
      expect((yield* admit("k999")).pollUnsafe()).toEqual(Exit.die("closed"))
      yield* TestClock.adjust(50)
      expect(entered).toEqual([])
    }),
  )
})

describe("at the end", () => {
  it.effect("what rests is tried at once, then every 100 ms", () =>
    Effect.gen(function* () {
      const { put, queue, tiers, tried } = yield* opened
      tiers.write = away
      put("k", 1)
      yield* TestClock.adjust(700)
      tried()
      queue.close()
      expect(tried()).toEqual(["k=1"])
      const found: Array<number> = []
      for (let at = 50; at <= 1_000; at += 50) {
        yield* TestClock.adjust(50)
        if (tried().length > 0) found.push(at)
      }
      expect(found).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000])
    }),
  )

  it.effect("what waits is written while it closes", () =>
    Effect.gen(function* () {
      const { put, queue, tiers, tried } = yield* opened
      tiers.write = slow
      for (const k of range(20)) put(k, 1)
      queue.close()
      yield* TestClock.adjust(100)
      expect([tried().length, queue.size]).toEqual([20, 0])
    }),
  )

  it.effect("nothing more is tried once it has stopped", () =>
    Effect.gen(function* () {
      const { put, queue, running, tiers, tried } = yield* opened
      tiers.write = away
      put("rests", 1)
      tiers.write = (k) => (k === "fails" ? Effect.delay(away(), 50) : slow())
      for (const k of range(15)) put(k, 1)
      put("fails", 1)
      put("k0", 2)
      put("waits", 1)
      tried()
      queue.stop()
      put("late", 1)
      yield* TestClock.adjust("2 seconds")
      expect([tried(), running()]).toEqual([[], 0])
    }),
  )

  it.effect("no rest goes on once it has stopped, nor begins", () =>
    Effect.gen(function* () {
      const { put, queue, running, tiers } = yield* opened
      tiers.write = away
      put("rests", 1)
      tiers.write = () => Effect.delay(away(), 50)
      put("fails", 1)
      queue.stop()
      yield* TestClock.adjust(50)
      expect(running()).toBe(0)
    }),
  )

  it.effect("who watches is told of each write that ends, and of the stop", () =>
    Effect.gen(function* () {
      const { put, queue, tiers } = yield* opened
      let told = 0
      const forget = queue.watch(() => (told += 1))
      put("k", 1)
      expect(told).toBe(1)
      tiers.write = away
      put("k", 2)
      expect(told).toBe(2)
      queue.stop()
      expect(told).toBe(3)
      forget()
      queue.stop()
      expect(told).toBe(3)
    }),
  )
})

it.effect("who waits until a key is settled leaves nothing behind, answered or not", () =>
  Effect.gen(function* () {
    const { put, queue, tiers } = yield* opened
    let watching = 0
    const watch = queue.watch.bind(queue)
    queue.watch = (watcher) => {
      const forget = watch(watcher)
      watching += 1
      return () => {
        watching -= 1
        forget()
      }
    }
    tiers.write = slow
    put("k", 1)
    const answered = yield* fork(queue.settled("k"))
    const leaving = yield* fork(queue.settled("k"))
    expect(watching).toBe(2)
    yield* Fiber.interrupt(leaving)
    expect(watching).toBe(1)
    yield* TestClock.adjust(50)
    yield* Fiber.join(answered)
    expect(watching).toBe(0)
  }),
)

describe("messages about queued keys", () => {
  it.effect("the newest version counts, in whatever order messages arrive", () =>
    Effect.gen(function* () {
      const { put, queue, tiers } = yield* opened
      tiers.write = away
      queue.hear("k", { version: 9, isRemoval: false })
      put("k", 1)
      expect(queue.heard("k")).toBeUndefined()
      queue.hear("k", { version: 5, isRemoval: true })
      queue.hear("k", { version: 4, isRemoval: false })
      expect(queue.heard("k")).toEqual({ version: 5, isRemoval: true })
      queue.stop()
    }),
  )

  it.effect("a value that is set after a message is not touched by it", () =>
    Effect.gen(function* () {
      const { put, queue, tiers } = yield* opened
      tiers.write = away
      put("k", 1)
      queue.hear("k", { version: 5, isRemoval: false })
      put("k", 2)
      expect(queue.heard("k")).toBeUndefined()
      queue.stop()
    }),
  )
})
