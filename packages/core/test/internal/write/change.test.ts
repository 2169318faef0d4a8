/** Changes of keys and tags: their effect on running lookups, memory, tiers and the caller. */
import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { WriteQueue } from "../../../src/internal/state/writeQueue.ts"
import * as scripted from "../../support/scriptedTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

type Options = Omit<Partial<Larder.BaseOptions<number, string, string, never>>, "policy"> & {
  readonly policy?: Partial<Policy.Options>
}

const world = Effect.gen(function* () {
  yield* TestClock.setTime(1_790_000_000_000)
  const file = new scripted.Script()
  const shared = new scripted.Script()
  const layers = {
    file: Layer.succeedContext(yield* Layer.build(scripted.layer(file, "file"))),
    shared: Layer.succeedContext(yield* Layer.build(scripted.layer(shared))),
  }
  const source = { asked: 0, answer: Effect.succeed(1) as Effect.Effect<number, string> }
  /** Nodes over the same tiers. */
  const node = (
    stack: "memory" | "file" | "shared" | "file and shared",
    { policy = {}, ...options }: Options = {},
  ) => {
    const memory = MemoryTier.layer()
    const stacks: Record<typeof stack, Layer.Layer<TierStack.TierStack>> = {
      memory: TierStack.layer(memory),
      file: TierStack.layer(memory, layers.file),
      shared: TierStack.layer(memory, layers.shared),
      "file and shared": TierStack.layer(memory, layers.file, layers.shared),
    }
    return Larder.make({
      name: "changing",
      value: Schema.Finite,
      upstream: Upstream.make({
        lookup: (_: string) =>
          Effect.suspend(() => {
            source.asked += 1
            return source.answer
          }),
      }),
      policy: Policy.make({ freshFor: "10 seconds", staleIfError: "1 hour", ...policy }),
      ...options,
    }).pipe(Effect.provide(stacks[stack]))
  }
  return { file, shared, node, source }
})

type World = Effect.Success<typeof world>

const test = (title: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () => Effect.scoped(Effect.flatMap(world, body)))

const broken = () => () => Effect.die("broken")

const revision = Math.floor

describe("a value that is set", () => {
  test("took no time to look up, unless one that it replaces did", ({ node, source }) =>
    Effect.gen(function* () {
      const larder = yield* node("memory")
      yield* larder.set("k", 7)
      expect((yield* larder.getWithMeta("k")).entry.loadMillis).toBe(0)
      source.answer = Effect.delay(Effect.succeed(1), 20)
      const getting = yield* fork(larder.get("l"))
      yield* TestClock.adjust(20)
      yield* Fiber.join(getting)
      yield* larder.set("l", 7)
      expect((yield* larder.getWithMeta("l")).entry.loadMillis).toBe(20)
    }))

  test("has the etag that is made of it, where there is one", ({ node }) =>
    Effect.gen(function* () {
      const larder = yield* node("memory", {
        etag: (value) => (value === 0 ? undefined : `v${value}`),
      })
      yield* larder.set("k", 7)
      expect((yield* larder.getWithMeta("k")).entry.etag).toBe("v7")
      yield* larder.set("k", 0)
      expect("etag" in (yield* larder.getWithMeta("k")).entry).toBe(false)
    }))

  for (const stack of ["memory", "shared"] as const) {
    for (const tierWrites of ["awaited", "background"] as const) {
      for (const compares of [false, true]) {
        const how = `${stack}, ${tierWrites}${compares ? ", compared" : ""}`
        test(`law 4: without any life takes away what was there: ${how}`, ({ node, shared }) =>
          Effect.gen(function* () {
            const larder = yield* node(stack, compares ? { revision } : {})
            yield* larder.set("k", 7)
            const ack = yield* larder.set("k", 8, {
              policy: Policy.make({ freshFor: 0, tierWrites }),
            })
            expect(ack.settled).toBe(true)
            expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Missing" })
            if (stack === "shared") {
              expect(shared.of("write").at(-1)?.args[1]._tag).toBe("Remove")
            }
          }))
      }
    }
  }

  test("law 13: without any life is refused as well where a newer one is known", ({ node }) =>
    Effect.gen(function* () {
      const a = yield* node("shared", { revision })
      const b = yield* node("shared", { revision })
      yield* a.set("k", 8)
      const ack = yield* b.set("k", 7, { policy: Policy.make({ freshFor: 0 }) })
      expect(ack.refused).toBe(true)
      expect(yield* b.get("k")).toBe(8)
    }))

  test("in the background is settled at once where nothing is behind memory", ({ node }) =>
    Effect.gen(function* () {
      const larder = yield* node("memory", { policy: { tierWrites: "background" } })
      expect(yield* larder.set("k", 7)).toMatchObject({ settled: true, pending: [] })
    }))
})

describe("law 7: a lookup that runs when its key is set", () => {
  test("is not joined any more while the arbiter is told", ({ node, shared, source }) =>
    Effect.gen(function* () {
      const larder = yield* node("shared")
      source.answer = Effect.never
      yield* fork(larder.get("k"))
      expect(source.asked).toBe(1)
      shared.instead.write = scripted.slowly(50)
      const setting = yield* fork(larder.set("k", 7))
      source.answer = Effect.succeed(2)
      expect(yield* larder.get("k")).toBe(2)
      yield* TestClock.adjust(50)
      yield* Fiber.join(setting)
      expect(yield* larder.get("k")).toBe(7)
    }))

  test("is joined while the arbiter may still refuse the value", ({ node, shared, source }) =>
    Effect.gen(function* () {
      const larder = yield* node("shared", { revision })
      source.answer = Effect.delay(Effect.succeed(9), 30)
      const first = yield* fork(larder.get("k"))
      shared.instead.acquire = (acquire) => (key, request) =>
        request.force ? Effect.delay(acquire(key, request), 50) : acquire(key, request)
      shared.instead.write = scripted.slowly(50)
      yield* fork(larder.set("k", 7))
      const second = yield* fork(larder.get("k"))
      yield* TestClock.adjust(30)
      expect([yield* Fiber.join(first), yield* Fiber.join(second)]).toEqual([9, 9])
      expect(source.asked).toBe(1)
      yield* TestClock.adjust(200)
    }))

  test("makes no set wait while its value is stored, also of one that is compared", (world) =>
    Effect.gen(function* () {
      const { node, shared } = world
      const larder = yield* node("shared", { revision })
      shared.instead.commit = scripted.slowly(50)
      yield* larder.get("k")
      delete shared.instead.commit
      shared.trips()
      const setting = yield* fork(larder.set("k", 7))
      expect(shared.trips().length).toBeGreaterThan(0)
      yield* TestClock.adjust(100)
      expect((yield* Fiber.join(setting)).settled).toBe(true)
      expect(yield* larder.get("k")).toBe(7)
    }))

  test("leaves no failure behind that holds back lookups after it", ({ node, source }) =>
    Effect.gen(function* () {
      for (const stack of ["memory", "file", "shared"] as const) {
        const larder = yield* node(stack, { name: stack, revision, failureFor: () => "1 minute" })
        source.answer = Effect.fail("down")
        yield* Effect.exit(larder.get("k"))
        yield* larder.set("k", 7, { policy: Policy.make({ freshFor: "1 second" }) })
        source.answer = Effect.succeed(9)
        yield* TestClock.adjust("2 seconds")
        expect(yield* larder.get("k")).toBe(9)
      }
    }))

  test("is not stored after it, whatever it brings", ({ node, source }) =>
    Effect.gen(function* () {
      const larder = yield* node("memory", { revision })
      source.answer = Effect.delay(Effect.succeed(9), 30)
      const first = yield* fork(larder.get("k"))
      yield* larder.set("k", 7)
      yield* TestClock.adjust(30)
      expect(yield* Fiber.join(first)).toBe(9)
      expect(yield* larder.get("k")).toBe(7)
    }))
})

describe("law 11: a lookup that begins while its key is changed", () => {
  test("is not kept where it may have missed the change", ({ file, node, source }) =>
    Effect.gen(function* () {
      const larder = yield* node("file")
      file.instead.drop = scripted.slowly(50)
      const removing = yield* fork(larder.remove("k"))
      source.answer = Effect.delay(Effect.succeed(1), 80)
      const getting = yield* fork(larder.get("k"))
      yield* TestClock.adjust(50)
      yield* Fiber.join(removing)
      yield* TestClock.adjust(50)
      expect(yield* Fiber.join(getting)).toBe(1)
      source.answer = Effect.succeed(2)
      expect(yield* larder.get("k")).toBe(2)
    }))
})

describe("law 7: a value that is on its way to the arbiter when its key is removed", () => {
  test("is waited for by nobody, and given to nobody who comes later", ({ node, shared, source }) =>
    Effect.gen(function* () {
      const larder = yield* node("shared")
      shared.instead.commit = scripted.slowly(50)
      expect(yield* larder.get("k")).toBe(1)
      shared.instead.write = scripted.slowly(50)
      const removing = yield* fork(larder.remove("k"))
      expect(shared.of("write").length).toBe(1)
      source.answer = Effect.succeed(2)
      const getting = yield* fork(larder.get("k"))
      yield* TestClock.adjust(200)
      yield* Fiber.join(removing)
      expect(yield* Fiber.join(getting)).toBe(2)
    }))
})

describe("law 7: a value that is on its way to a file when its key is expired", () => {
  test("whoever comes later joins no lookup that began before the change is made", ({
    file,
    node,
    shared,
    source,
  }) =>
    Effect.gen(function* () {
      const larder = yield* node("file and shared")
      shared.instead.commit = scripted.slowly(50)
      file.instead.put = scripted.slowly(50)
      expect(yield* larder.get("k")).toBe(1)
      const expiring = yield* fork(larder.expire("k"))
      yield* TestClock.adjust(50)
      // The arbiter has the value, the file has not.
      source.answer = Effect.delay(Effect.succeed(2), 200)
      yield* fork(larder.refresh("k"))
      shared.instead.write = scripted.slowly(50)
      yield* TestClock.adjust(60)
      expect([expiring.pollUnsafe(), source.asked]).toEqual([undefined, 2])
      yield* fork(larder.get("k", { maxAge: 0 }))
      yield* TestClock.adjust("1 second")
      expect(source.asked).toBe(3)
    }))
})

describe("a change of a key whose value is still queued", () => {
  test("does not wait for it, and it is not written any more", ({ node, shared }) =>
    Effect.gen(function* () {
      const larder = yield* node("shared", { policy: { tierWrites: "background" } })
      yield* larder.get("warm")
      shared.instead.write = (write) => (key, change, known) =>
        change._tag === "Set"
          ? Effect.delay(write(key, change, known), 50)
          : write(key, change, known)
      for (let i = 0; i < 16; i += 1) yield* larder.set(`k${i}`, i)
      yield* larder.set("k", 7)
      const removing = yield* fork(larder.remove("k"))
      yield* TestClock.adjust(200)
      expect((yield* Fiber.join(removing)).settled).toBe(true)
      const written = shared.of("write").filter(({ args }) => args[0] === "k")
      expect(written.map(({ args }) => args[1]._tag)).toEqual(["Remove"])
    }))
})

describe("law 15: an acknowledgement", () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  /** Values in the background that take longer, all of them, than a change waits for them. */
  const manyQueued = ({ node, shared }: World) =>
    Effect.gen(function* () {
      const larder = yield* node("shared", { policy: { tierWrites: "background" } })
      yield* larder.get("warm")
      shared.instead.write = scripted.slowly(90)
      for (let i = 0; i < 40; i += 1) yield* larder.set(`k${i}`, i)
      return larder
    })

  test("is not settled while earlier values are not written in time", (world) =>
    Effect.gen(function* () {
      const larder = yield* manyQueued(world)
      const removing = yield* fork(larder.remove("other"))
      yield* TestClock.adjust(189)
      const early = removing.pollUnsafe()
      yield* TestClock.adjust(1)
      const inTime = removing.pollUnsafe()
      yield* TestClock.adjust("1 second")
      expect(early).toBe(undefined)
      expect(inTime).toMatchObject({ value: { settled: false, pending: ["shared"] } })
    }))

  test("leaves nothing behind that looks at later writes", (world) =>
    Effect.gen(function* () {
      const larder = yield* manyQueued(world)
      const removing = yield* fork(larder.remove("other"))
      yield* TestClock.adjust(200)
      yield* Fiber.join(removing)
      const looks = vi.spyOn(WriteQueue.prototype, "stateUpTo")
      yield* TestClock.adjust("1 second")
      expect((yield* larder.stats).queuedWrites).toBe(0)
      expect(looks).not.toHaveBeenCalled()
    }))

  test("of tags that the arbiter has not heard of says so", ({ node, shared }) =>
    Effect.gen(function* () {
      const larder = yield* node("shared")
      shared.instead.mark = broken
      const ack = yield* larder.invalidateTags(["t"])
      delete shared.instead.mark
      expect(ack).toMatchObject({ settled: false, pending: ["shared"] })
    }))

  for (const stack of ["memory", "shared"] as const) {
    test(`of no tags at all is settled, and has a number: ${stack}`, ({ node }) =>
      Effect.gen(function* () {
        const larder = yield* node(stack)
        const { pending, settled, version } = yield* larder.invalidateTags([])
        expect([settled, pending, typeof version]).toEqual([true, [], "number"])
      }))
  }

  test("of very many tags is that of several marks", ({ node, shared }) =>
    Effect.gen(function* () {
      const larder = yield* node("shared", { tags: (value) => [`t${value}`] })
      yield* larder.set("first", 0)
      yield* larder.set("last", 1_000)
      const ack = yield* larder.invalidateTags(Array.from({ length: 1_001 }, (_, i) => `t${i}`))
      expect(ack).toMatchObject({ settled: true, pending: [] })
      expect(shared.of("mark").map(({ args }) => args[0].length)).toEqual([1_000, 1])
      for (const key of ["first", "last"]) {
        expect((yield* larder.read(key)).freshness).toEqual({ _tag: "Stale", grace: "error" })
      }
    }))

  test("of very many tags has the number of the last of those marks", ({ node, shared }) =>
    Effect.gen(function* () {
      const larder = yield* node("shared")
      const numbers: Array<number> = []
      shared.instead.mark =
        (mark) =>
        (...args) =>
          Effect.tap(mark(...args), ({ number }) => Effect.sync(() => numbers.push(number)))
      const ack = yield* larder.invalidateTags(Array.from({ length: 2_001 }, (_, i) => `t${i}`))
      expect(numbers).toHaveLength(3)
      expect(ack.version).toBe(numbers[2])
    }))

  test("of tags has the number of their own mark, also where that of others is known first", ({
    node,
    shared,
  }) =>
    Effect.gen(function* () {
      const larder = yield* node("shared")
      shared.instead.mark =
        (mark) =>
        (...args) =>
          Effect.tap(mark(...args), Effect.sleep(50))
      const first = yield* fork(larder.invalidateTags(["a"]))
      delete shared.instead.mark
      const second = yield* larder.invalidateTags(["b"])
      yield* TestClock.adjust(50)
      expect((yield* Fiber.join(first)).version).toBeLessThan(second.version)
    }))

  test("of tags that the arbiter has not heard of waits for nothing that is queued", (world) =>
    Effect.gen(function* () {
      const larder = yield* manyQueued(world)
      world.shared.instead.mark = broken
      const marking = yield* fork(larder.invalidateTags(["t"]))
      yield* TestClock.adjust(0)
      const ack = marking.pollUnsafe()
      delete world.shared.instead.mark
      yield* TestClock.adjust("2 seconds")
      expect(ack).toMatchObject({ value: { settled: false, pending: ["shared"] } })
    }))

  test("that the arbiter took makes up for a change of the key that it missed", ({
    node,
    shared,
  }) =>
    Effect.gen(function* () {
      const larder = yield* node("shared")
      yield* larder.get("warm")
      shared.instead.write = broken
      expect((yield* larder.remove("k")).settled).toBe(false)
      let asked = 0
      // The replay, which the next change begins, fails once more; the change itself does not.
      shared.instead.write = (write) => (key, change, known) => {
        asked += 1
        return asked === 1 ? Effect.die("broken") : write(key, change, known)
      }
      expect((yield* larder.set("k", 7)).settled).toBe(true)
      yield* TestClock.adjust("5 seconds")
      expect(asked).toBe(2)
    }))

  test("that a value is refused ends the change: the next one is kept in memory", ({ node }) =>
    Effect.gen(function* () {
      const a = yield* node("shared", { revision })
      const b = yield* node("shared", { revision })
      yield* a.set("k", 8)
      expect((yield* b.set("k", 7)).refused).toBe(true)
      yield* b.set("k", 9)
      expect(yield* b.getWithMeta("k")).toMatchObject({ value: 9, tier: "memory" })
    }))
})

describe("law 22: a change that the arbiter is being told of", () => {
  test("is seen to its end, though its caller leaves", ({ node, shared }) =>
    Effect.gen(function* () {
      const larder = yield* node("shared")
      shared.instead.write = scripted.slowly(50)
      const setting = yield* fork(larder.set("k", 7))
      const leaving = yield* fork(Fiber.interrupt(setting))
      yield* TestClock.adjust(49)
      expect(leaving.pollUnsafe()).toBe(undefined)
      yield* TestClock.adjust(1)
      expect(leaving.pollUnsafe()).toEqual(Exit.void)
      expect(yield* larder.getWithMeta("k")).toMatchObject({ value: 7, tier: "memory" })
    }))

  test("is given up with its larder: the caller is told why, and no tier in front is written", ({
    file,
    node,
    shared,
  }) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const larder = yield* Scope.provide(node("file and shared", { closeTimeout: 20 }), scope)
      yield* larder.get("warm")
      yield* TestClock.adjust(1)
      shared.instead.write = () => () => Effect.never
      const changes = [larder.set("k", 7), larder.remove("l"), larder.expire("m")]
      const changing = yield* Effect.forEach(changes, (change) => fork(Effect.exit(change)))
      file.calls.length = 0
      yield* fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(20)
      for (const exit of yield* Effect.forEach(changing, Fiber.join)) {
        expect(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)).toBe(false)
        expect(Exit.isFailure(exit) && String(exit.cause)).toContain("LarderClosed")
      }
      yield* TestClock.adjust("1 second")
      expect(file.calls).toEqual([])
    }))

  test("does not begin after the larder has closed", ({ node, shared }) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const larder = yield* Scope.provide(
        node("shared", { policy: { tierWrites: "background" } }),
        scope,
      )
      yield* larder.get("warm")
      shared.instead.write = () => () => Effect.never
      yield* larder.set("k", 7)
      const expiring = yield* fork(Effect.exit(larder.expire("k")))
      yield* fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("6 seconds")
      const { length } = shared.calls
      const exit = yield* Fiber.join(expiring)
      expect(Exit.isFailure(exit) && String(exit.cause)).toContain("LarderClosed")
      yield* TestClock.adjust("6 seconds")
      expect(shared.calls.length).toBe(length)
    }))
})

describe("law 12: what is expired", () => {
  test("has the version of the change where nobody arbitrates", ({ node }) =>
    Effect.gen(function* () {
      const larder = yield* node("memory")
      yield* larder.set("other", 1)
      yield* larder.set("k", 7)
      yield* larder.set("other", 2)
      const { version } = yield* larder.expire("k")
      const { entry, freshness } = yield* larder.read("k")
      expect(freshness).toEqual({ _tag: "Stale", grace: "error" })
      expect(entry?.version).toBe(version)
    }))

  test("goes at once where its life is over", ({ node }) =>
    Effect.gen(function* () {
      const larder = yield* node("memory", { policy: { staleIfError: 0 } })
      yield* larder.set("k", 7)
      yield* TestClock.adjust("10 seconds")
      yield* larder.expire("k")
      expect((yield* larder.stats).entries).toBe(0)
    }))
})

describe("what is invalidated for all keys", () => {
  for (const stack of ["memory", "shared"] as const) {
    test(`law 12: frees memory where nothing is to be kept: ${stack}`, ({ node }) =>
      Effect.gen(function* () {
        const larder = yield* node(stack, { tags: () => ["t"] })
        yield* larder.set("k", 7)
        expect((yield* larder.clear()).settled).toBe(true)
        expect((yield* larder.stats).entries).toBe(1)
        yield* larder.invalidateTags(["other"], { keepStale: false })
        expect((yield* larder.stats).entries).toBe(1)
        expect((yield* larder.clear({ keepStale: false })).settled).toBe(true)
        expect((yield* larder.stats).entries).toBe(0)
      }))

    test(`forgets failures, which those of tags do not: ${stack}`, ({ node, source }) =>
      Effect.gen(function* () {
        const larder = yield* node(stack, { failureFor: () => "1 minute" })
        source.answer = Effect.fail("down")
        yield* Effect.exit(larder.get("k"))
        source.answer = Effect.succeed(2)
        yield* larder.invalidateTags(["t"])
        expect(yield* Effect.flip(larder.get("k"))).toBe("down")
        yield* larder.clear()
        expect(yield* larder.get("k")).toBe(2)
      }))
  }
})
