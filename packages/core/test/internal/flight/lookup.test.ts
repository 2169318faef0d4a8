/** One lookup: its single end, its events, its context, and its cleanup. */
import { describe, expect, it } from "@effect/vitest"
import { KeyDisplay, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import {
  Cause,
  Clock,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  PubSub,
  Schema,
  Scope,
  Tracer,
} from "effect"
import { TestClock } from "effect/testing"
import { wallClock } from "../../support/wallClock.ts"
import { countedClock } from "../../support/countedClock.ts"

const start = 1_790_000_000_000

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

type Lookups = Parameters<typeof Upstream.make<string, number, string, never>>[0]

const make = (lookups: Lookups, policy: Partial<Policy.Options> = {}) =>
  Larder.make({
    name: "lookups",
    value: Schema.Finite,
    upstream: Upstream.make(lookups),
    policy: Policy.make({
      freshFor: "10 seconds",
      staleIfError: "1 hour",
      hardTimeout: "2 seconds",
      ...policy,
    }),
  })

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () =>
    TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared)),
}

const on = (
  title: string,
  body: Effect.Effect<void, unknown, TierStack.TierStack | Scope.Scope>,
) => {
  for (const [name, stack] of Object.entries(stacks)) {
    it.effect(`${title} (${name})`, () =>
      Effect.andThen(
        TestClock.setTime(start),
        Effect.provide(Effect.scoped(body), stack(), { local: true }),
      ),
    )
  }
}

describe("a lookup is told of once, as it ended", () => {
  const ends: Readonly<
    Record<string, { readonly lookup: Effect.Effect<number, string>; readonly events: unknown }>
  > = {
    succeeds: {
      lookup: Effect.delay(Effect.succeed(1), 500),
      events: [{ _tag: "LookupSucceeded", millis: 500, notModified: false }],
    },
    fails: {
      lookup: Effect.delay(Effect.fail("down"), 500),
      events: [{ _tag: "LookupFailed", millis: 500, defect: false }],
    },
    dies: {
      lookup: Effect.delay(Effect.die("a bug"), 500),
      events: [{ _tag: "LookupFailed", millis: 500, defect: true }],
    },
    hangs: { lookup: Effect.never, events: [{ _tag: "LookupTimedOut", millis: 2_000 }] },
    "ends too late": {
      lookup: Effect.uninterruptible(Effect.delay(Effect.succeed(1), 3_000)),
      events: [{ _tag: "LookupTimedOut", millis: 2_000 }],
    },
    "ends at once": {
      lookup: Effect.succeed(1),
      events: [{ _tag: "LookupSucceeded", millis: 0, notModified: false }],
    },
    "fails without a reason": {
      lookup: Effect.failCause(Cause.empty),
      events: [{ _tag: "LookupFailed", millis: 0, defect: false }],
    },
  }
  for (const [how, { events, lookup }] of Object.entries(ends)) {
    for (const bulk of [false, true]) {
      on(
        `${how}${bulk ? ", in bulk" : ""}`,
        Effect.gen(function* () {
          const larder = yield* make({
            lookup: () => lookup,
            lookupMany: bulk
              ? (keys) => Effect.map(lookup, (value) => new Map(keys.map((key) => [key, value])))
              : undefined,
          })
          const subscription = yield* larder.subscribe
          const call: Effect.Effect<unknown> = bulk
            ? larder.getMany(["k"])
            : Effect.exit(larder.get("k"))
          const caller = yield* fork(call)
          yield* TestClock.adjust("1 minute")
          yield* Fiber.join(caller)
          const told = (yield* PubSub.takeAll(subscription)).filter(
            ({ _tag }) => _tag.startsWith("Lookup") && _tag !== "LookupStarted",
          )
          expect(told).toMatchObject(events as Array<object>)
          expect(told.length).toBe(1)
          const stats = yield* larder.stats
          const counted = [stats.lookupsSucceeded, stats.lookupsFailed, stats.lookupsTimedOut]
          expect(stats.lookups).toBe(1)
          expect(counted.reduce((one, other) => one + other)).toBe(1)
          expect(counted[2]).toBe(told[0]?._tag === "LookupTimedOut" ? 1 : 0)
        }),
      )
    }
  }

  on(
    "and one that its caller left is no failure",
    Effect.gen(function* () {
      const larder = yield* make({ lookup: () => Effect.never })
      const subscription = yield* larder.subscribe
      const caller = yield* fork(larder.get("k"))
      yield* TestClock.adjust(100)
      yield* Fiber.interrupt(caller)
      yield* TestClock.adjust("1 minute")
      const told = yield* PubSub.takeAll(subscription)
      expect(told.filter(({ _tag }) => /^Lookup(?!Started)/.test(_tag))).toEqual([])
      const { lookupsFailed, lookupsTimedOut } = yield* larder.stats
      expect([lookupsFailed, lookupsTimedOut]).toEqual([0, 0])
    }),
  )
})

describe("law 17: a lookup that is over leaves no deadline", () => {
  const lookups = {
    "at once": Effect.succeed(1),
    "after a while": Effect.delay(Effect.succeed(1), 100),
    "by its caller": Effect.never,
  }
  for (const [how, lookup] of Object.entries(lookups)) {
    on(
      how,
      Effect.gen(function* () {
        const { clock, sleeps } = yield* countedClock
        const larder = yield* Effect.provideService(
          make({ lookup: () => lookup }, { hardTimeout: "1 minute" }),
          Clock.Clock,
          clock,
        )
        const caller = yield* fork(larder.get("k"))
        yield* TestClock.adjust(200)
        yield* Fiber.interrupt(caller)
        // A larder's timers linger for a second, in case that another deadline comes.
        yield* TestClock.adjust(1_100)
        expect(sleeps.running).toBe(0)
      }),
    )
  }
})

on(
  "law 22: a lookup whose first step closes the larder is interrupted, and leaves nothing behind",
  Effect.gen(function* () {
    const { clock, sleeps } = yield* countedClock
    const scope = yield* Scope.make()
    let left = 0
    const hanging = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (left += 1)))
    const larder = yield* make({
      lookup: () =>
        Effect.andThen(
          Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true }),
          hanging,
        ),
    }).pipe(Scope.provide(scope), Effect.provideService(Clock.Clock, clock))
    const caller = yield* fork(Effect.exit(larder.get("k")))
    yield* TestClock.adjust(0)
    const exit = yield* Fiber.join(caller)
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ _tag: "LarderClosed" })
    expect(left).toBe(1)
    expect(sleeps.running).toBe(0)
  }),
)

describe("law 8: the span of a lookup", () => {
  const tracing = () => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      },
    })
    return { spans, tracer }
  }
  const parent = Effect.map(Effect.serviceOption(Tracer.ParentSpan), Option.getOrUndefined)

  on(
    "is not there where nobody traces",
    Effect.gen(function* () {
      const seen: Array<Tracer.AnySpan | undefined> = []
      const larder = yield* make({
        lookup: () => Effect.map(parent, (span) => seen.push(span)),
      })
      yield* larder.get("k")
      expect(seen).toEqual([undefined])
    }),
  )

  on(
    "is made by the tracer of the larder, below the span of its caller",
    Effect.gen(function* () {
      const { spans, tracer } = tracing()
      const seen: Array<Tracer.AnySpan | undefined> = []
      const larder = yield* Effect.withTracer(
        make({ lookup: () => Effect.map(parent, (span) => seen.push(span)) }),
        tracer,
      )
      yield* larder.get("k")
      expect(spans.map(({ name }) => name)).toEqual(["larder.lookup"])
      expect(spans[0]!.attributes.get("larder.key")).toBe(KeyDisplay.show("hashed", "k"))
      expect(spans[0]!.attributes.get("larder.name")).toBe("lookups")
      expect(seen).toEqual([spans[0]])
    }),
  )

  on(
    "is there where the caller alone is traced",
    Effect.gen(function* () {
      const seen: Array<Tracer.AnySpan | undefined> = []
      const larder = yield* make({
        lookup: () => Effect.map(parent, (span) => seen.push(span)),
      })
      yield* Effect.withSpan(larder.get("k"), "caller")
      const [span] = seen
      expect(span?._tag === "Span" && span.name).toBe("larder.lookup")
      const above = span?._tag === "Span" ? Option.getOrUndefined(span.parent as never) : undefined
      expect(above).toMatchObject({ name: "caller" })
    }),
  )
})

it.effect(
  "law 21: a lookup is shown the times of what it may renew as they are in the time of day",
  () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const wall = yield* wallClock
      const shown: Array<number | undefined> = []
      const larder = yield* Effect.provideService(
        make({
          lookup: (_, previous) =>
            Effect.sync(() => {
              shown.push(previous?.storedAt)
              return 1
            }),
        }),
        Clock.Clock,
        wall.clock,
      )
      yield* larder.get("k")
      wall.step(-3_600_000)
      yield* larder.refresh("k")
      expect(shown).toEqual([undefined, start - 3_600_000])
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer()))),
)

describe("a bulk lookup", () => {
  const outcomes: Readonly<Record<string, Lookups["lookupMany"]>> = {
    fails: () => Effect.delay(Effect.fail("down"), 100),
    hangs: () => Effect.never,
    "fails for each key": (keys) =>
      Effect.delay(Effect.succeed(new Map(keys.map((key) => [key, Exit.fail("down")]))), 100),
  }
  for (const [how, lookupMany] of Object.entries(outcomes)) {
    on(
      `that ${how} is the answer for each of its keys, also of callers that joined`,
      Effect.gen(function* () {
        let alone = 0
        const larder = yield* make({
          lookup: () => Effect.sync(() => (alone += 1)),
          lookupMany,
        })
        const many = yield* fork(larder.getMany(["a", "b"]))
        const joined = yield* fork(Effect.exit(larder.get("b")))
        yield* TestClock.adjust("5 seconds")
        const exits = yield* Fiber.join(many)
        const error = (key: string) =>
          how === "hangs"
            ? expect.objectContaining({ _tag: "LookupTimeout", key, millis: 2_000 })
            : "down"
        const found = (exit: Exit.Exit<number, unknown> | undefined) =>
          exit !== undefined && Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        for (const key of ["a", "b"] as const) expect(found(exits.get(key))).toEqual(error(key))
        expect(found(yield* Fiber.join(joined))).toEqual(error("b"))
        expect(alone).toBe(0)
      }),
    )
  }
})
