/** Version-checked reads: memory's value is served only after the arbiter has confirmed its version. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer } from "./support/faultyTier.ts"
import * as scripted from "./support/scriptedTier.ts"

type Node = Larder.Larder<string, number, string>

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const settled = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

const atOnce = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* fork(effect)
    yield* settled
    expect(fiber.pollUnsafe()).not.toBe(undefined)
    return yield* Fiber.join(fiber)
  })

interface Given {
  readonly policy?: Policy.Policy | Policy.AdaptivePolicy<number, string>
  readonly withFile?: boolean
  readonly memory?: MemoryTier.Options
}

interface World {
  readonly script: scripted.Script
  readonly node: (given?: Given) => Effect.Effect<Node, never, Scope.Scope>
  asked: number
  answer: Effect.Effect<number, string>
}

const plain = Policy.make({ freshFor: "1 hour", staleIfError: "1 hour" })

const world = Effect.gen(function* () {
  const script = new scripted.Script()
  const tier = Layer.succeedContext(yield* Layer.build(scripted.layer(script, "shared", "batches")))
  const self: World = {
    script,
    asked: 0,
    answer: Effect.succeed(1),
    node: ({ memory, policy = plain, withFile = false } = {}) =>
      Larder.make({
        name: "checked",
        value: Schema.Finite,
        upstream: Upstream.make({
          lookup: (_: string) =>
            Effect.suspend(() => {
              self.asked += 1
              return self.answer
            }),
        }),
        tags: () => ["t"],
        policy,
      }).pipe(
        Effect.provide(
          withFile
            ? TierStack.layer(MemoryTier.layer(memory), fileLayer(new Faults()), tier)
            : TierStack.layer(MemoryTier.layer(memory), tier),
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

const check = { check: true } as const

/** Calls whose reads are checked, and the node's policy for them. */
const ways: Readonly<
  Record<string, readonly [Given["policy"], (node: Node) => Effect.Effect<unknown, unknown>]>
> = {
  "get with check": [plain, (node) => node.get("k", check)],
  "getWithMeta with check": [
    plain,
    (node) => Effect.map(node.getWithMeta("k", check), ({ value }) => value),
  ],
  "get with a checked policy": [Policy.checked(plain), (node) => node.get("k")],
  "getMany with a checked policy": [
    Policy.checked(plain),
    (node) =>
      Effect.flatMap(node.getMany(["k"]), (all): Effect.Effect<unknown, unknown> => all.get("k")!),
  ],
  "get with a policy that is checked for the value": [
    Policy.adaptive(plain, () => Policy.checked(plain)),
    (node) => node.get("k"),
  ],
}

for (const [name, [policy, read]] of Object.entries(ways)) {
  const given = { policy: policy ?? plain }
  describe(name, () => {
    test("confirms the version of memory's value: one small request, every time", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node(given)
        yield* atOnce(a.get("k"))
        for (let i = 0; i < 3; i++) {
          world.script.trips()
          expect(yield* atOnce(read(a))).toBe(1)
          expect(world.script.trips()).toEqual(["versions", "marks"])
        }
        expect(world.asked).toBe(1)
      }))

    test("never returns what another node has replaced, its message lost", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node(given)
        const b = yield* world.node(given)
        yield* atOnce(a.get("k"))
        world.script.isLosing = true
        for (let i = 2; i < 5; i++) {
          yield* b.set("k", i)
          expect(yield* atOnce(read(a))).toBe(i)
        }
        yield* b.remove("k")
        world.answer = Effect.succeed(9)
        expect(yield* atOnce(read(a))).toBe(9)
      }))

    test("never returns as fresh what another node has invalidated, its message lost", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node(given)
        const b = yield* world.node(given)
        yield* atOnce(a.get("k"))
        world.script.isLosing = true
        yield* b.invalidateTags(["t"])
        world.answer = Effect.succeed(2)
        expect(yield* atOnce(read(a))).toBe(2)
        yield* b.clear()
        world.answer = Effect.succeed(3)
        expect(yield* atOnce(read(a))).toBe(3)
      }))

    test("waits for an answer from after its call: not for one that is on its way", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node(given)
        const b = yield* world.node(given)
        yield* atOnce(a.get("k"))
        world.script.isLosing = true
        world.script.instead.versions =
          (versions) =>
          (...args) =>
            Effect.tap(versions(...args), Effect.sleep(50))
        const first = yield* fork(read(a))
        yield* settled
        yield* b.set("k", 2)
        const second = yield* fork(read(a))
        yield* TestClock.adjust(200)
        expect(yield* Fiber.join(first)).toBe(1)
        expect(yield* Fiber.join(second)).toBe(2)
      }))

    test("does not take the result of a lookup that began before its call", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node(given)
        const b = yield* world.node(given)
        world.script.isLosing = true
        world.answer = Effect.delay(Effect.succeed(1), 100)
        const first = yield* fork(a.get("k"))
        yield* TestClock.adjust(50)
        yield* b.set("k", 2)
        const second = yield* fork(read(a))
        yield* TestClock.adjust(500)
        yield* Fiber.join(first)
        if (name !== "get with a policy that is checked for the value")
          expect(yield* Fiber.join(second)).toBe(2)
        expect(world.asked).toBe(1)
      }))

    test("callers of one turn share the request, and a cold key one lookup", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node(given)
        world.answer = Effect.delay(Effect.succeed(1), 100)
        const all = Effect.all(
          Array.from({ length: 50 }, () => read(a)),
          { concurrency: "unbounded" },
        )
        const cold = yield* fork(all)
        yield* TestClock.adjust(500)
        expect(new Set(yield* Fiber.join(cold))).toEqual(new Set([1]))
        expect(world.asked).toBe(1)
        world.script.trips()
        yield* atOnce(all)
        expect(world.script.trips().filter((trip) => trip === "versions").length).toBe(1)
      }))

    test("while the arbiter does not answer, looks the key up; its failure leaves error grace", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node(given)
        yield* atOnce(a.get("k"))
        world.script.instead.versions = () => () => Effect.never
        world.script.instead.read = () => () => Effect.never
        world.script.instead.acquire = () => () => Effect.never
        world.answer = Effect.fail("down")
        const caller = yield* fork(read(a))
        yield* TestClock.adjust("1 second")
        expect(yield* Fiber.join(caller)).toBe(1)
        expect((yield* a.stats).staleServed).toBe(1)
        expect(world.asked).toBe(2)
      }))

    test("a file in front of the arbiter answers no check", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node({ ...given, withFile: true, memory: { maxEntries: 1 } })
        const b = yield* world.node(given)
        yield* atOnce(a.get("k"))
        yield* atOnce(a.get("another"))
        world.script.isLosing = true
        yield* b.set("k", 2)
        if (name !== "get with a policy that is checked for the value")
          expect(yield* atOnce(read(a))).toBe(2)
      }))

    test("without versions, reads the entry", (world) =>
      Effect.gen(function* () {
        world.script.isWithoutVersions = true
        const a = yield* world.node(given)
        const b = yield* world.node(given)
        yield* atOnce(a.get("k"))
        world.script.isLosing = true
        yield* b.set("k", 2)
        expect(yield* atOnce(read(a))).toBe(2)
      }))

    test("without versions, callers of one turn share a few reads", (world) =>
      Effect.gen(function* () {
        world.script.isWithoutVersions = true
        const a = yield* world.node(given)
        yield* atOnce(a.get("k"))
        world.script.instead.read = scripted.slowly(5)
        world.script.trips()
        const all = Effect.all(
          Array.from({ length: 20 }, () => read(a)),
          { concurrency: "unbounded" },
        )
        const fiber = yield* fork(all)
        yield* TestClock.adjust(500)
        yield* Fiber.join(fiber)
        const reads = world.script.trips().filter((trip) => trip === "read").length
        expect(reads).toBeLessThanOrEqual(2)
      }))

    test("is a plain read without an arbiter", () =>
      Effect.gen(function* () {
        let asked = 0
        const larder = yield* Larder.make({
          name: "alone",
          value: Schema.Finite,
          upstream: Upstream.make({
            lookup: (_: string) => Effect.sync(() => (asked += 1)),
          }),
          policy: given.policy,
        }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer())))
        yield* larder.get("k")
        expect(yield* read(larder)).toBe(1)
      }))
  })
}

test("law 8: a caller that leaves disturbs no other", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* a.get("k")
    world.script.instead.versions =
      (versions) =>
      (...args) =>
        Effect.tap(versions(...args), Effect.sleep(50))
    const one = yield* fork(a.get("k", check))
    const two = yield* fork(a.get("k", check))
    yield* TestClock.adjust(10)
    yield* Fiber.interrupt(one)
    yield* TestClock.adjust(40)
    expect(yield* Fiber.join(two)).toBe(1)
  }))

test("a plain get is not held up by a check", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* a.get("k")
    world.script.instead.versions = () => () => Effect.never
    yield* fork(a.get("k", check))
    yield* settled
    expect(yield* a.get("k")).toBe(1)
  }))

test("a checked read never gets an older value than the flight that settles", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* a.get("k")
    world.script.instead.commitAll = scripted.slowly(50)
    world.script.instead.commit = scripted.slowly(50)
    world.answer = Effect.succeed(2)
    expect(yield* atOnce(a.refresh("k"))).toBe(2)
    const read = yield* fork(a.get("k", check))
    yield* TestClock.adjust(100)
    expect(yield* Fiber.join(read)).toBe(2)
    expect(world.asked).toBe(2)
  }))

test("beside a refresh, a value that a mark covers is no answer, its message lost", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    const b = yield* world.node()
    yield* atOnce(b.get("k"))
    world.answer = Effect.delay(Effect.succeed(1), 30)
    yield* fork(a.refresh("k"))
    yield* settled
    world.script.isLosing = true
    yield* b.invalidateTags(["t"])
    world.answer = Effect.delay(Effect.succeed(2), 60)
    // Joins the first refresh, which began before the change, and then the second one.
    const read = yield* fork(a.get("k", check))
    yield* settled
    yield* fork(a.refresh("k"))
    yield* TestClock.adjust(500)
    expect(yield* Fiber.join(read)).toBe(2)
  }))

test("with every, a caller beside a refresh gets the arbiter's value at once", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node({ policy: Policy.checked(plain, { every: 100 }) })
    const b = yield* world.node()
    yield* atOnce(a.get("l"))
    yield* atOnce(b.get("k"))
    yield* TestClock.adjust(1_000)
    world.answer = Effect.never
    yield* fork(a.refresh("k"))
    yield* TestClock.adjust(10)
    expect(yield* atOnce(a.get("k"))).toBe(1)
  }))

test("a commit confirms a value as of its request, not as of its answer", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    const b = yield* world.node()
    world.script.instead.commit =
      (commit) =>
      (...args) =>
        Effect.tap(commit(...args), Effect.sleep(50))
    expect(yield* atOnce(a.get("k"))).toBe(1)
    world.script.isLosing = true
    yield* TestClock.adjust(10)
    yield* b.set("k", 2)
    yield* TestClock.adjust(10)
    const read = yield* fork(a.get("k", check))
    yield* TestClock.adjust(500)
    expect(yield* Fiber.join(read)).toBe(2)
  }))

test("a check that is under way is good, whatever checks begin meanwhile", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* atOnce(a.getMany(["k", "l"]))
    world.script.instead.versions = scripted.slowly(20)
    world.script.instead.marks = scripted.slowly(20)
    world.script.trips()
    const one = yield* fork(a.get("k", check))
    yield* TestClock.adjust(10)
    const two = yield* fork(a.get("l", check))
    yield* TestClock.adjust(100)
    expect([yield* Fiber.join(one), yield* Fiber.join(two)]).toEqual([1, 1])
    expect(world.script.trips()).not.toContain("read")
  }))

test("with every, a confirmation counts for that long, and reads meanwhile are plain hits", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node({ policy: Policy.checked(plain, { every: "1 second" }) })
    const b = yield* world.node()
    yield* atOnce(a.get("k"))
    world.script.isLosing = true
    yield* TestClock.adjust("5 seconds")
    yield* atOnce(a.get("k"))
    yield* b.set("k", 2)
    world.script.trips()
    yield* TestClock.adjust(999)
    expect(yield* a.get("k")).toBe(1)
    expect(world.script.trips()).toEqual([])
    yield* TestClock.adjust(2)
    expect(yield* atOnce(a.get("k"))).toBe(2)
  }))

test("with every, a value counts as confirmed as of the request of its set", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node({ policy: Policy.checked(plain, { every: "1 second" }) })
    yield* atOnce(a.get("k"))
    world.script.instead.write =
      (write) =>
      (...args) =>
        Effect.tap(write(...args), Effect.sleep(50))
    const set = yield* fork(a.set("k", 2))
    yield* TestClock.adjust(50)
    yield* Fiber.join(set)
    yield* TestClock.adjust(949)
    expect(yield* a.get("k")).toBe(2)
    yield* TestClock.adjust(2)
    world.script.trips()
    yield* atOnce(a.get("k"))
    expect(world.script.trips()).toContain("versions")
  }))

test("with every, a value that the arbiter does not have counts as confirmed at no time", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node({ policy: Policy.checked(plain, { every: "1 second" }) })
    world.script.instead.read = () => () => Effect.never
    world.script.instead.marks = () => () => Effect.never
    const cold = yield* fork(a.get("k"))
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(cold)
    world.script.instead = {}
    world.script.trips()
    yield* atOnce(a.get("k"))
    expect(world.script.trips()).not.toEqual([])
  }))

test("`read` of a checked policy asks the arbiter", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node({ policy: Policy.checked(plain) })
    const b = yield* world.node()
    yield* atOnce(a.get("k"))
    world.script.isLosing = true
    yield* b.set("k", 2)
    expect((yield* atOnce(a.read("k"))).entry?.value).toBe(2)
  }))

test("a value that this node has set in the background, and another one has overtaken, is no answer", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node({
      policy: Policy.make({ ...plain, tierWrites: "background" }),
    })
    const b = yield* world.node()
    yield* a.get("k")
    world.script.instead.write = scripted.slowly(60)
    yield* a.set("k", 2)
    delete world.script.instead.write
    yield* TestClock.adjust(10)
    yield* b.set("k", 3)
    world.script.isLosing = true
    const read = yield* fork(a.get("k", check))
    yield* TestClock.adjust(500)
    expect(yield* Fiber.join(read)).toBe(3)
  }))

describe("Policy.checked", () => {
  it("takes a policy first or last", () => {
    expect(Policy.checked(plain, { every: 5 }).checkEvery).toBe(5)
    expect(Policy.checked({ every: "1 second" })(plain).checkEvery).toBe(1_000)
    expect(Policy.checked()(plain).checkEvery).toBe(0)
    expect(Policy.checked(plain)).toMatchObject({ freshFor: plain.freshFor, checkEvery: 0 })
    expect(plain.checkEvery).toBe(Infinity)
  })

  for (const every of [-1, Number.NaN, "soon"]) {
    it(`refuses ${every}`, () => {
      const invalid = expect.objectContaining({ _tag: "InvalidPolicy", field: "every" })
      // @ts-expect-error: "soon" is no duration
      expect(() => Policy.checked(plain, { every })).toThrow(invalid)
    })
  }

  it("a policy made by hand may not have another kind of checkEvery", () => {
    const made = Policy.makeResult({ freshFor: 1, checkEvery: -1 })
    expect(made).toMatchObject({ failure: { field: "checkEvery" } })
  })
})

test("every caller of a changing key gets an end, however often it is asked for", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node({ policy: Policy.checked(plain) })
    yield* atOnce(a.get("k"))
    world.script.instead.versions = scripted.slowly(10)
    const callers = []
    for (let i = 0; i < 300; i++) {
      callers.push(yield* fork(Effect.exit(a.get("k"))))
      yield* TestClock.adjust(1)
      // The request that was under way, and the next one.
      if (i >= 21) expect(callers[i - 21]!.pollUnsafe()).not.toBe(undefined)
    }
    yield* TestClock.adjust(30)
    const ends = callers.map((caller) => caller.pollUnsafe())
    expect(ends.filter((end) => end === undefined).length).toBe(0)
    expect(ends.every((end) => end !== undefined && Exit.isSuccess(end))).toBe(true)
  }))
