/**
 * Version-checked reads under random sequences: once a change on one node is settled, no checked read
 * that begins later returns an older value, on any node, whether or not messages arrive.
 *
 * A failure names its seed and path; `LARDER_SEED=<seed>:<path>` runs it again, `LARDER_RUNS=<n>` sets
 * how many sequences there are.
 */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, type Fiber, Layer, Schema, Semaphore } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { Faults, fileLayer } from "./support/faultyTier.ts"
import * as scripted from "./support/scriptedTier.ts"

const operations = ["read", "versions", "marks", "acquire", "commit", "write"] as const

const node = fc.nat(2)
const often = <A>(weight: number, arbitrary: fc.Arbitrary<A>) => ({ weight, arbitrary })
const tagged = <const T extends string>(_tag: T) => fc.constant(_tag)

const step = fc.oneof(
  often(6, fc.record({ _tag: tagged("check"), node, many: fc.boolean() })),
  often(3, fc.record({ _tag: tagged("get"), node })),
  often(1, fc.record({ _tag: tagged("refresh"), node })),
  often(1, fc.record({ _tag: tagged("maxAge"), node })),
  often(3, fc.record({ _tag: tagged("set"), node })),
  often(1, fc.record({ _tag: tagged("remove"), node })),
  often(1, fc.record({ _tag: tagged("expire"), node })),
  often(1, fc.record({ _tag: tagged("invalidate"), node, keepStale: fc.boolean() })),
  often(1, fc.record({ _tag: tagged("gap"), isOver: fc.boolean() })),
  often(2, fc.record({ _tag: tagged("messages"), isLosing: fc.boolean() })),
  often(
    3,
    fc.record({
      _tag: tagged("slow"),
      operation: fc.constantFrom(...operations),
      before: fc.constantFrom(0, 0, 5, 20),
      after: fc.constantFrom(0, 0, 5, 20),
    }),
  ),
  often(2, fc.record({ _tag: tagged("lookups"), millis: fc.constantFrom(0, 5, 30) })),
  often(8, fc.record({ _tag: tagged("time"), millis: fc.constantFrom(0, 1, 3, 10, 25, 60) })),
)

type Step = typeof step extends fc.Arbitrary<infer A> ? A : never

const policy = Policy.make({ freshFor: 200, staleWhileRevalidate: 100, staleIfError: 1_000 })

/** Plays the steps; returns the checked reads that got something older than was settled before them. */
const violations = (steps: ReadonlyArray<Step>, way: "option" | "policy", withFile: boolean) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const script = new scripted.Script()
    const shared = Layer.succeedContext(
      yield* Layer.build(scripted.layer(script, "shared", "batches")),
    )
    let source = 1
    let floor = 1
    let lookupMillis = 0
    const make = (i: number) =>
      Larder.make({
        name: "checked",
        value: Schema.Finite,
        upstream: Upstream.make({
          lookup: (_: string) =>
            Effect.suspend(() => Effect.delay(Effect.succeed(source), lookupMillis)),
        }),
        tags: () => ["t"],
        policy: way === "policy" ? Policy.checked(policy) : policy,
      }).pipe(
        Effect.provide(
          withFile && i === 0
            ? TierStack.layer(MemoryTier.layer(), fileLayer(new Faults()), shared)
            : TierStack.layer(MemoryTier.layer(), shared),
        ),
      )
    const nodes = yield* Effect.forEach([0, 1, 2], make)
    const bad: Array<readonly [got: number, settled: number]> = []
    const running: Array<Fiber.Fiber<unknown, unknown>> = []
    const run = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.map(Effect.forkChild(effect, { startImmediately: true }), (fiber) => {
        running.push(fiber)
      })
    // One change after the other: the arbiter may order changes that overlap either way.
    const oneByOne = Semaphore.makeUnsafe(1)
    /** Upstream has the change first, as where an application writes there and then to the cache. */
    const changing = (change: (value: number) => Effect.Effect<Larder.Ack, unknown>) =>
      oneByOne.withPermits(1)(
        Effect.suspend(() => {
          source += 1
          const value = source
          return Effect.map(change(value), ({ settled }) => {
            if (settled) floor = value
          })
        }),
      )
    const played = (one: Step): Effect.Effect<void> => {
      const larder = nodes["node" in one ? one.node : 0]!
      switch (one._tag) {
        case "check": {
          const settled = floor
          const asked: Effect.Effect<number, unknown> =
            way === "policy" && one.many
              ? Effect.flatMap(larder.getMany(["k"]), (all): Effect.Effect<number, unknown> =>
                  all.get("k")!,
                )
              : larder.get("k", { check: true })
          const told = Effect.map(asked, (got) => {
            if (got < settled) bad.push([got, settled])
          })
          return run(told)
        }
        case "get":
          return run(larder.get("k"))
        case "refresh":
          return run(larder.refresh("k"))
        case "maxAge":
          return run(larder.get("k", { maxAge: 0 }))
        case "set":
          return run(changing((value) => larder.set("k", value)))
        case "remove":
          return run(changing(() => larder.remove("k")))
        case "expire":
          return run(changing(() => larder.expire("k")))
        case "invalidate":
          return run(changing(() => larder.invalidateTags(["t"], { keepStale: one.keepStale })))
        case "gap":
          return Effect.sync(() =>
            script.say({
              _tag: "Gap",
              reason: "disconnected",
              part: undefined,
              isOver: one.isOver,
            }),
          )
        case "messages":
          return Effect.sync(() => {
            script.isLosing = one.isLosing
          })
        case "slow":
          return Effect.sync(() => {
            const slow =
              (real: (...args: ReadonlyArray<never>) => Effect.Effect<unknown, never>) =>
              (...args: ReadonlyArray<never>) =>
                Effect.tap(Effect.delay(real(...args), one.before), Effect.sleep(one.after))
            Object.assign(script.instead, { [one.operation]: slow })
          })
        case "lookups":
          return Effect.sync(() => {
            lookupMillis = one.millis
          })
        case "time":
          return TestClock.adjust(one.millis)
      }
    }
    for (const one of steps) {
      yield* played(one)
      yield* Effect.yieldNow
    }
    for (let i = 0; i < 40; i++) yield* TestClock.adjust(100)
    const ends = running.map((fiber) => fiber.pollUnsafe())
    expect(ends.filter((end) => end === undefined).length).toBe(0)
    const failed = ends.filter((end) => end !== undefined && Exit.isFailure(end))
    expect(failed).toEqual([])
    return bad
  })

const [seed, path] = (process.env.LARDER_SEED ?? "").split(/:(.*)/)
const numRuns = Number(process.env.LARDER_RUNS ?? 250)
const given = {
  numRuns,
  ...(seed === undefined || seed === "" ? {} : { seed: Number(seed) }),
  ...(path === undefined || path === "" ? {} : { path }),
}

for (const way of ["option", "policy"] as const) {
  for (const withFile of [false, true]) {
    const stack = withFile ? "memory, a file and shared" : "memory and shared"
    it(
      `laws 11, 19: no checked read (${way}) returns what is older than a settled change, over ${stack}`,
      () =>
        fc.assert(
          fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
            const played = Effect.scoped(violations(steps, way, withFile))
            const bad = await Effect.runPromise(Effect.provide(played, TestClock.layer()))
            expect(bad).toEqual([])
          }),
          given,
        ),
      Math.max(60_000, numRuns * 100),
    )
  }
}
