/** The option `audit`: fresh hits are compared with upstream, so that lost invalidations are found. */
import { assert, describe, it } from "@effect/vitest"
import { Larder, type LarderEvent, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Context, Effect, Exit, Fiber, PubSub, Random, Schema, Scope } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyShared } from "./support/faultyTier.ts"
import { Outside } from "./support/outside.ts"

interface Price {
  readonly cents: number
  readonly revision: number
}

type Options = Partial<Larder.BaseOptions<Price, string, unknown, never>>
type Guard = (
  upstream: Upstream.Upstream<string, Price, string>,
) => Upstream.Upstream<string, Price, unknown>

/** A source whose values change behind the larder's back. */
class Source {
  price: Price = { cents: 1, revision: 1 }
  isDown = false
  millis = 0
  lookups = 0
  /** What each lookup saw as its demand. */
  readonly demands: Array<Upstream.Demand> = []
  answersNotModified = false

  readonly upstream = Upstream.make({
    lookup: (_: string) =>
      Effect.flatMap(Upstream.Demand, ({ background, stale }) =>
        Effect.suspend((): Effect.Effect<Price | Upstream.NotModified, string> => {
          this.lookups += 1
          this.demands.push({ background, stale })
          const { price } = this
          if (this.isDown) return Effect.delay(Effect.fail("down"), this.millis)
          const found = this.answersNotModified ? Upstream.notModified : { ...price }
          return Effect.delay(Effect.succeed(found), this.millis)
        }),
      ),
  })
}

const isAudited = (event: LarderEvent.LarderEvent): event is LarderEvent.Audited =>
  event._tag === "Audited"

const audit = { share: 1, perSecond: 1_000 }

/** A larder that audits every hit, with `milk` looked up. */
const opened = (own: Options = {}, guard: Guard = (upstream) => upstream, source = new Source()) =>
  Effect.gen(function* () {
    const larder = yield* Larder.make({
      name: "prices",
      value: Schema.Struct({ cents: Schema.Finite, revision: Schema.Finite }),
      upstream: guard(source.upstream),
      policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 hour" }),
      audit,
      ...own,
    })
    const events = yield* larder.subscribe
    yield* larder.get("milk")
    /** A hit, and its audit. */
    const hit = Effect.gen(function* () {
      yield* TestClock.adjust("1 second")
      yield* larder.get("milk")
      yield* Effect.yieldNow
      yield* Effect.yieldNow
    })
    const results = Effect.map(PubSub.takeAll(events), (all) =>
      all.filter(isAudited).map(({ result }) => result),
    )
    return { events, hit, larder, results, source }
  })

const test = (
  title: string,
  body: Effect.Effect<void, unknown, Scope.Scope | TierStack.TierStack>,
) =>
  it.effect(title, () =>
    body.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer()))),
  )

describe("an audited hit", () => {
  test(
    "is the same as long as upstream has an equal value, and the value stays",
    Effect.gen(function* () {
      const { hit, larder, results, source } = yield* opened()
      yield* hit
      yield* hit
      assert.deepStrictEqual(yield* results, ["same", "same"])
      assert.strictEqual(source.lookups, 3)
      const { audits, lookups, lookupsSucceeded } = yield* larder.stats
      assert.deepStrictEqual(audits, { same: 2, differs: 0, failed: 0, skipped: 0 })
      // Audits are in no count of lookups.
      assert.deepStrictEqual({ lookups, lookupsSucceeded }, { lookups: 1, lookupsSucceeded: 1 })
    }),
  )

  for (const [where, stack] of [
    ["memory", () => TierStack.layer(MemoryTier.layer())],
    ["memory and shared", () => TierStack.layer(MemoryTier.layer(), faultyShared(new Faults()))],
  ] as const) {
    it.effect(
      `differs where a writer forgot to invalidate, and is looked up again (${where})`,
      () =>
        Effect.gen(function* () {
          const { events, hit, larder, source } = yield* opened()
          source.price = { cents: 2, revision: 2 }
          yield* hit
          yield* TestClock.adjust(1)
          assert.deepStrictEqual(yield* larder.get("milk"), source.price)
          const audited = (yield* PubSub.takeAll(events)).find(isAudited)
          assert.deepInclude(audited, {
            larder: "prices",
            key: "milk",
            result: "differs",
            age: 1_000,
          })
          // The audit, and the refresh, which counts.
          assert.strictEqual(source.lookups, 3)
          const { audits, lookups } = yield* larder.stats
          assert.deepInclude(audits, { differs: 1 })
          assert.strictEqual(lookups, 2)
        }).pipe(Effect.scoped, Effect.provide(stack())),
    )
  }

  test(
    "comes after its caller has the answer, in the background, and never waits",
    Effect.gen(function* () {
      const { hit, larder, results, source } = yield* opened()
      source.millis = 500
      yield* TestClock.adjust("1 second")
      yield* larder.get("milk")
      assert.strictEqual(source.lookups, 1)
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      assert.deepStrictEqual(source.demands.at(-1), { background: true, stale: true })
      yield* TestClock.adjust(500)
      yield* hit
      assert.include(yield* results, "same")
    }),
  )

  test(
    "is the same where upstream answers that nothing was modified",
    Effect.gen(function* () {
      const { hit, results, source } = yield* opened()
      source.answersNotModified = true
      yield* hit
      assert.deepStrictEqual(yield* results, ["same"])
    }),
  )

  test(
    "has failed where the lookup did, or timed out; the value stays",
    Effect.gen(function* () {
      const { hit, larder, results, source } = yield* opened({
        policy: Policy.make({ freshFor: "1 hour", hardTimeout: 200 }),
      })
      source.isDown = true
      yield* hit
      assert.deepStrictEqual(yield* results, ["failed"])
      source.millis = 1_000
      yield* hit
      yield* TestClock.adjust(200)
      assert.include(yield* results, "failed")
      assert.deepStrictEqual(yield* larder.get("milk"), { cents: 1, revision: 1 })
      assert.strictEqual((yield* larder.stats).lookupsFailed, 0)
    }),
  )

  test(
    "says nothing where the key was changed, or its freshness ended, meanwhile",
    Effect.gen(function* () {
      const { hit, larder, results, source } = yield* opened()
      source.millis = 100
      for (const change of [
        larder.set("milk", { cents: 5, revision: 5 }),
        larder.invalidateTags("all"),
        larder.clear(),
      ]) {
        yield* hit
        source.price = { cents: 5, revision: 5 }
        yield* change
        yield* TestClock.adjust(100)
        const fiber = yield* Effect.forkChild(larder.get("milk"), { startImmediately: true })
        yield* TestClock.adjust(100)
        yield* Fiber.join(fiber)
      }
      const all = yield* results
      assert.deepStrictEqual(all.slice(0, 1), ["skipped"])
      assert.notInclude(all, "differs")
    }),
  )
})

describe("values are compared", () => {
  const revision = ({ revision: own }: Price) => own

  test(
    "by `revision`, where there is one: a lower one says nothing",
    Effect.gen(function* () {
      const { hit, results, source } = yield* opened({
        revision,
        audit: { ...audit, equal: () => assert.fail("asked") },
      })
      // Another value of the same revision.
      source.price = { cents: 9, revision: 1 }
      yield* hit
      source.price = { cents: 1, revision: 0 }
      yield* hit
      source.price = { cents: 1, revision: 2 }
      yield* hit
      assert.deepStrictEqual(yield* results, ["same", "skipped", "differs"])
    }),
  )

  test(
    "else by `equal`",
    Effect.gen(function* () {
      const { hit, results, source } = yield* opened({
        audit: { ...audit, equal: (known, found) => known.cents === found.cents },
      })
      source.price = { cents: 1, revision: 7 }
      yield* hit
      source.price = { cents: 2, revision: 7 }
      yield* hit
      assert.deepStrictEqual(yield* results, ["same", "differs"])
    }),
  )

  test(
    "and a function that throws is a failed audit, which nobody sees",
    Effect.gen(function* () {
      const { hit, larder, results } = yield* opened({
        audit: {
          ...audit,
          equal: () => {
            throw new Error("broken")
          },
        },
      })
      yield* hit
      assert.deepStrictEqual(yield* results, ["failed"])
      assert.deepStrictEqual(yield* larder.get("milk"), { cents: 1, revision: 1 })
    }),
  )
})

describe("upstream is spared", () => {
  test(
    "by the share: none of the hits without the option, few by default",
    Effect.gen(function* () {
      const none = yield* opened({ audit: undefined })
      for (let i = 0; i < 20; i += 1) yield* none.hit
      assert.strictEqual(none.source.lookups, 1)
      const hits = 5_000
      const some = yield* opened({ name: "some", audit: { share: 0.02, perSecond: Infinity } })
      for (let i = 0; i < hits; i += 1) {
        yield* some.larder.get("milk")
        if (i % 100 === 0) yield* TestClock.adjust(1)
      }
      const audits = some.source.lookups - 1
      assert.isAbove(audits, hits * 0.02 * 0.6)
      assert.isBelow(audits, hits * 0.02 * 1.4)
      const few = yield* opened({ name: "few", audit: {} })
      for (let i = 0; i < 500; i += 1) yield* few.hit
      assert.isBelow(few.source.lookups, 10)
    }),
  )

  test(
    "by `perSecond`",
    Effect.gen(function* () {
      const { larder, source } = yield* opened({ audit: { share: 1, perSecond: 2 } })
      for (let i = 0; i < 1_000; i += 1) {
        yield* larder.get("milk")
        yield* TestClock.adjust(10)
      }
      // 10 seconds.
      assert.isAtLeast(source.lookups, 20)
      assert.isAtMost(source.lookups, 22)
    }),
  )

  test(
    "where its circuit is not closed",
    Effect.gen(function* () {
      const guard: Guard = (upstream) =>
        upstream.pipe(
          Upstream.withCircuitBreaker({
            tripPolicy: CircuitBreaker.consecutive(1),
            openDuration: "1 minute",
          }),
        )
      const { hit, larder, results, source } = yield* opened({}, guard)
      source.isDown = true
      yield* Effect.exit(larder.get("tea"))
      const { lookups } = source
      yield* hit
      yield* TestClock.adjust("2 minutes")
      // Half open: the probe is for a caller.
      yield* hit
      assert.strictEqual(source.lookups, lookups)
      assert.deepStrictEqual(yield* results, ["skipped", "skipped"])
    }),
  )

  test(
    "where no background permit is free: an audit waits for none",
    Effect.gen(function* () {
      for (const concurrency of [
        { foreground: 4, background: 1 },
        { foreground: 4, background: 1, queue: 10 },
      ]) {
        const guard: Guard = (upstream) => upstream.pipe(Upstream.withConcurrency(concurrency))
        const { hit, larder, results, source } = yield* opened({}, guard)
        source.millis = 2_500
        yield* hit
        // The first audit has the permit.
        yield* hit
        assert.deepStrictEqual(yield* results, ["skipped"])
        const fiber = yield* Effect.forkChild(Effect.exit(larder.get("tea")), {
          startImmediately: true,
        })
        yield* TestClock.adjust(2_500)
        assert.isTrue(Exit.isSuccess(yield* Fiber.join(fiber)))
        assert.deepStrictEqual(yield* results, ["same"])
      }
    }),
  )

  test(
    "while the key is looked up anyway",
    Effect.gen(function* () {
      const { hit, larder, results, source } = yield* opened()
      source.millis = 3_000
      yield* Effect.forkChild(larder.refresh("milk"), { startImmediately: true })
      yield* hit
      assert.strictEqual(source.lookups, 2)
      assert.deepStrictEqual(yield* results, ["skipped"])
    }),
  )
})

test(
  "law 8: the lookup has the services of the larder, not those of a caller",
  Effect.gen(function* () {
    class User extends Context.Service<User, string>()("User") {}
    const users: Array<string> = []
    const larder = yield* Larder.make({
      name: "users",
      upstream: Upstream.make({
        lookup: (_: string) =>
          Effect.map(User, (user) => {
            users.push(user)
            return 1
          }),
      }),
      policy: Policy.make({ freshFor: "1 hour" }),
      audit,
    }).pipe(Effect.provideService(User, "larder"))
    const asked = Effect.provideService(larder.get("milk"), User, "caller")
    yield* asked
    yield* asked
    yield* TestClock.adjust(1)
    assert.deepStrictEqual(users, ["larder", "larder"])
  }),
)

test(
  "law 21: sampling draws nothing of the larder's Random",
  Effect.gen(function* () {
    const random = yield* Random.Random
    let draws = 0
    const counting: Random.Random = {
      nextIntUnsafe: () => (draws += 1) && random.nextIntUnsafe(),
      nextDoubleUnsafe: () => (draws += 1) && random.nextDoubleUnsafe(),
    }
    const { hit } = yield* Effect.provideService(
      opened({ audit: { share: 0.5, perSecond: 10 } }),
      Random.Random,
      counting,
    )
    draws = 0
    for (let i = 0; i < 20; i += 1) yield* hit
    assert.strictEqual(draws, 0)
  }),
)

test(
  "law 22: closing the larder ends an audit, and nothing is told of it",
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const { hit, larder, source } = yield* Scope.provide(opened(), scope)
    source.millis = 10_000
    yield* hit
    assert.strictEqual(source.lookups, 2)
    yield* Scope.close(scope, Exit.void)
    yield* TestClock.adjust("1 minute")
    assert.deepInclude(yield* larder.stats, {
      audits: { same: 0, differs: 0, failed: 0, skipped: 0 },
    })
  }),
)

test(
  "the span of an audit says so, and shows its key as KeyDisplay says",
  Effect.gen(function* () {
    const outside = new Outside()
    yield* outside.around(
      Effect.scoped(
        Effect.gen(function* () {
          const { hit } = yield* opened()
          yield* hit
        }),
      ),
    )
    const [, span] = outside.spans
    assert.strictEqual(span?.name, "larder.lookup")
    assert.isTrue(span?.attributes.get("larder.audit"))
    assert.match(String(span?.attributes.get("larder.key")), /^[0-9a-f]{12}$/)
  }),
)

test(
  "the span of an audit that fails has the type of the error",
  Effect.gen(function* () {
    const outside = new Outside()
    yield* outside.around(
      Effect.scoped(
        Effect.gen(function* () {
          const { hit, source } = yield* opened()
          source.isDown = true
          yield* hit
        }),
      ),
    )
    assert.strictEqual(outside.spans[1]?.attributes.get("error.type"), "_OTHER")
  }),
)
