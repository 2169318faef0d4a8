/** A lookup that never reached upstream does not count for its circuit, in every order of the guards. */
import { assert, describe, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Data, Effect, Exit, Fiber, Schedule, Scope } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

class Down extends Data.TaggedError("Down") {}

type Source = Upstream.Upstream<string, string, unknown>
type Guard = (upstream: Source) => Source

const everyFailure = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isSuccess(exit) ? CircuitBreaker.success : CircuitBreaker.failure()

const breakers: Readonly<Record<string, Guard>> = {
  "by default": Upstream.withCircuitBreaker({ tripPolicy: CircuitBreaker.consecutive(2) }),
  "with a classify": (u) =>
    Upstream.withCircuitBreaker(u, {
      tripPolicy: CircuitBreaker.consecutive(2),
      classify: everyFailure,
    }),
  "with a classify that is an effect": (u) =>
    Upstream.withCircuitBreaker(u, {
      tripPolicy: CircuitBreaker.consecutive(2),
      classify: (exit) => Effect.succeed(everyFailure(exit)),
    }),
}

const line: Guard = (u) => Upstream.withConcurrency(u, 1)
const shedding: Guard = (u) => Upstream.withConcurrency(u, { foreground: 1, queue: 0 })
const retry: Guard = (u) => Upstream.withRetry(u, Schedule.recurs(1))

/** The circuit outside the line, and everything else that may lie between them. */
const between = (
  breaker: Guard,
  gate: Guard,
): Readonly<Record<string, (upstream: Source) => Source>> => ({
  alone: (u) => breaker(gate(u)),
  "a retry inside": (u) => breaker(gate(retry(u))),
  "a retry between": (u) => breaker(retry(gate(u))),
  "a retry outside": (u) => retry(breaker(gate(u))),
  "a circuit inside": (u) => breaker(gate(Upstream.withCircuitBreaker(u, { key: "inner" }))),
  "another line outside": (u) => Upstream.withConcurrency(breaker(gate(u)), 100),
})

const slow = Upstream.make({
  lookup: (key: string) => Effect.delay(Effect.succeed(key), "500 millis"),
  lookupMany: (keys) =>
    Effect.delay(Effect.succeed(new Map(keys.map((key) => [key, key]))), "500 millis"),
})

const stateOf = (resolved: { readonly breakers: ReadonlyArray<Upstream.UpstreamBreaker> }) =>
  Effect.map(resolved.breakers.at(-1)!.state, ({ _tag }) => _tag)

for (const [how, breaker] of Object.entries(breakers)) {
  describe(`a circuit ${how}`, () => {
    for (const [order, guarded] of Object.entries(between(breaker, line))) {
      it.effect(`counts no timeout of a lookup that stands in line (${order})`, () =>
        Effect.gen(function* () {
          const larder = yield* Larder.make({
            name: "patient",
            upstream: guarded(slow),
            policy: Policy.make({ freshFor: "1 hour", hardTimeout: "1200 millis" }),
          })
          const callers = yield* Effect.forEach(Array.from({ length: 30 }), (_, i) =>
            fork(
              Effect.exit<unknown, unknown, never>(
                i % 2 === 0 ? larder.get(`${i}`) : larder.getMany([`${i}`]),
              ),
            ),
          )
          yield* TestClock.adjust("10 seconds")
          yield* Fiber.joinAll(callers)
          const { breakers } = yield* larder.stats
          assert.deepStrictEqual(new Set(Object.values(breakers)), new Set(["Closed"]))
        }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer()))),
      )

      it.effect(`also of an upstream without a larder (${order})`, () =>
        Effect.gen(function* () {
          const resolved = yield* guarded(slow).resolve
          yield* fork(resolved.lookup("first", undefined))
          for (let i = 0; i < 5; i += 1) {
            const waiting = yield* fork<unknown, unknown, never>(
              i % 2 === 0 ? resolved.lookup("a", undefined) : resolved.lookupMany!(["a"]),
            )
            waiting.interruptUnsafe(undefined, Upstream.timedOut)
            yield* Fiber.await(waiting)
          }
          assert.strictEqual(yield* stateOf(resolved), "Closed")
        }),
      )
    }

    for (const [order, guarded] of Object.entries(between(breaker, shedding))) {
      it.effect(`counts no lookup that was shed (${order})`, () =>
        Effect.gen(function* () {
          const resolved = yield* guarded(slow).resolve
          yield* fork(resolved.lookup("first", undefined))
          for (let i = 0; i < 5; i += 1) yield* Effect.exit(resolved.lookup("a", undefined))
          assert.strictEqual(yield* stateOf(resolved), "Closed")
        }),
      )
    }

    it.effect("counts no lookup that another circuit refused", () =>
      Effect.gen(function* () {
        const inner = Upstream.withCircuitBreaker({
          key: "inner",
          tripPolicy: CircuitBreaker.consecutive(1),
        })
        const resolved = yield* breaker(
          inner(Upstream.make({ lookup: (_: string) => Effect.fail(new Down()) })),
        ).resolve
        for (let i = 0; i < 5; i += 1) yield* Effect.exit(resolved.lookup("a", undefined))
        assert.strictEqual(yield* stateOf(resolved), "Closed")
      }),
    )

    it.effect("counts an attempt that reached upstream, whatever became of the next", () =>
      Effect.gen(function* () {
        const lookup = (key: string) => (key === "hang" ? Effect.never : Effect.fail(new Down()))
        const spaced = Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 }))
        const resolved = yield* breaker(
          Upstream.withRetry(shedding(Upstream.make({ lookup })), spaced),
        ).resolve
        const shed = yield* fork(Effect.flip(resolved.lookup("a", undefined)))
        const late = yield* fork(resolved.lookup("b", undefined))
        yield* fork(resolved.lookup("hang", undefined))
        assert.strictEqual(yield* stateOf(resolved), "Closed")
        yield* TestClock.adjust("1 second")
        assert.include(yield* Fiber.join(shed), { _tag: "Shed" })
        late.interruptUnsafe(undefined, Upstream.timedOut)
        yield* Fiber.await(late)
        assert.strictEqual(yield* stateOf(resolved), "Open")
      }),
    )

    it.effect("counts what fails and what takes too long once it has reached upstream", () =>
      Effect.gen(function* () {
        const lookup = (key: string) => (key === "hang" ? Effect.never : Effect.fail(new Down()))
        for (const guard of [line, retry, (u: Source) => retry(line(u))]) {
          const resolved = yield* breaker(guard(Upstream.make({ lookup }))).resolve
          yield* Effect.exit(resolved.lookup("down", undefined))
          const hanging = yield* fork(resolved.lookup("hang", undefined))
          hanging.interruptUnsafe(undefined, Upstream.timedOut)
          yield* Fiber.await(hanging)
          assert.strictEqual(yield* stateOf(resolved), "Open")
        }
      }),
    )

    it.effect("a probe that does not reach upstream leaves the next one to try", () =>
      Effect.gen(function* () {
        const seen = { down: true }
        const lookup = (key: string) =>
          key === "hang" ? Effect.never : seen.down ? Effect.fail(new Down()) : Effect.succeed(key)
        // The same line before two circuits: one lookup takes its permit past the open one.
        const base = yield* line(Upstream.make({ lookup })).resolve
        const shared: Source = { ...Upstream.make({ lookup }), resolve: Effect.succeed(base) }
        const resolved = yield* breaker(shared).resolve
        for (let i = 0; i < 2; i += 1) yield* Effect.exit(resolved.lookup("a", undefined))
        assert.strictEqual(yield* stateOf(resolved), "Open")
        yield* TestClock.adjust("10 seconds")
        const holder = yield* fork(base.lookup("hang", undefined))
        const probe = yield* fork(resolved.lookup("a", undefined))
        probe.interruptUnsafe(undefined, Upstream.timedOut)
        yield* Fiber.await(probe)
        assert.include(yield* resolved.breakers[0]!.state, { _tag: "HalfOpen", probing: false })
        yield* Fiber.interrupt(holder)
        seen.down = false
        assert.strictEqual(yield* resolved.lookup("a", undefined), "a")
        assert.strictEqual(yield* stateOf(resolved), "Closed")
      }),
    )

    it.effect("lookups made side by side in one lookup do not speak for each other", () =>
      Effect.gen(function* () {
        const inner = yield* breaker(line(slow)).resolve
        const outer = yield* Upstream.make({
          lookup: (_: string) =>
            Effect.all([inner.lookup("a", undefined), inner.lookup("b", undefined)], {
              concurrency: "unbounded",
            }),
        }).resolve
        const caller = yield* fork(outer.lookup("x", undefined))
        caller.interruptUnsafe(undefined, Upstream.timedOut)
        yield* Fiber.await(caller)
        // One of the two was asking upstream, the other stood in line.
        assert.strictEqual(yield* stateOf(inner), "Closed")
      }),
    )
  })
}

describe("circuits around circuits", () => {
  const failing = Upstream.make({ lookup: (_: string) => Effect.fail(new Down()) })
  const breaker = breakers["by default"]!
  const failTwice = (resolved: Upstream.Resolved<string, string, unknown>) =>
    Effect.andThen(
      Effect.exit(resolved.lookup("a", undefined)),
      Effect.exit(resolved.lookup("a", undefined)),
    )

  it.effect("all count a lookup that reached upstream", () =>
    Effect.gen(function* () {
      const resolved = yield* breaker(Upstream.withCircuitBreaker(failing, { key: "inner" }))
        .resolve
      yield* failTwice(resolved)
      assert.strictEqual(yield* stateOf(resolved), "Open")
    }),
  )

  it.effect("one that was made in a lookup counts its own lookups", () =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const maker = yield* Upstream.withCircuitBreaker(
        Upstream.make({
          lookup: (_: string) =>
            Effect.provideService(breaker(failing).resolve, Scope.Scope, scope),
        }),
      ).resolve
      const made = yield* maker.lookup("a", undefined)
      if (Upstream.isNotModified(made)) return assert.fail("it answered with an upstream")
      yield* failTwice(made)
      assert.strictEqual(yield* stateOf(made), "Open")
    }),
  )
})

describe("an upstream that is no Upstream.make", () => {
  it.effect("has been reached when it was called", () =>
    Effect.gen(function* () {
      const fails = () => Effect.fail(new Down())
      const byHand: Source = {
        ...Upstream.make({ lookup: fails }),
        resolve: Effect.succeed({ lookup: fails, lookupMany: fails, breakers: [] }),
      }
      const breaker = breakers["by default"]!
      for (const guarded of [breaker(byHand), breaker(line(byHand)), breaker(retry(byHand))]) {
        for (const how of ["lookup", "lookupMany"] as const) {
          const resolved = yield* guarded.resolve
          for (let i = 0; i < 2; i += 1) {
            yield* Effect.exit<unknown, unknown, never>(
              how === "lookup" ? resolved.lookup("a", undefined) : resolved.lookupMany!(["a"]),
            )
          }
          assert.strictEqual(yield* stateOf(resolved), "Open")
        }
      }
    }),
  )
})
