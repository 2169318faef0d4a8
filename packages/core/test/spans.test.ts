/** Spans: none on a `get`, one on each lookup, and slow steps as events of the caller's span. */
import { assert, describe, it } from "@effect/vitest"
import {
  KeyDisplay,
  Larder,
  MemoryTier,
  Policy,
  type Tier,
  TierStack,
  Upstream,
} from "@larder/core"
import { Data, type Duration, Effect, Fiber, Layer, Schema, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyShared } from "./support/faultyTier.ts"

class NoProduct extends Data.TaggedError("NoProduct")<{ readonly id: string }> {}

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

const answers: Readonly<Record<string, Effect.Effect<number, NoProduct | string>>> = {
  works: Effect.succeed(1),
  fails: Effect.fail(new NoProduct({ id: "fails" })),
  plain: Effect.fail("no class"),
  dies: Effect.die(new TypeError("broken")),
  hangs: Effect.never,
}

const make = (name = "traced") =>
  Larder.make({
    name,
    value: Schema.Finite,
    upstream: Upstream.make({ lookup: (key: string) => answers[key] ?? Effect.succeed(2) }),
    policy: Policy.make({
      freshFor: "1 minute",
      staleWhileRevalidate: "1 hour",
      hardTimeout: "5 seconds",
    }),
  })

const memory = TierStack.layer(MemoryTier.layer())

const shown = ({ attributes, name }: Tracer.NativeSpan) => {
  const { "larder.key": _, ...rest } = Object.fromEntries(attributes)
  return [name, rest]
}

const fork = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.forkChild(Effect.exit(effect), { startImmediately: true })

describe("the span of a lookup", () => {
  const ended = (
    key: string,
    outcome: string,
    error: string | undefined,
    after = Effect.void as Effect.Effect<void>,
  ) =>
    it.effect(`says how it ended: ${key}, ${outcome}`, () =>
      Effect.gen(function* () {
        const { spans, tracer } = tracing()
        const larder = yield* Effect.withTracer(make(), tracer)
        const call = yield* fork(larder.get(key))
        yield* after
        if (outcome === "interrupted") yield* Fiber.interrupt(call)
        else yield* Fiber.await(call)
        assert.deepStrictEqual(spans.map(shown), [
          [
            "larder.lookup",
            {
              "larder.name": "traced",
              "larder.background": false,
              "larder.outcome": outcome,
              ...(error === undefined ? {} : { "error.type": error }),
            },
          ],
        ])
        assert.strictEqual(spans[0]?.status._tag, "Ended")
      }).pipe(Effect.scoped, Effect.provide(memory)),
    )

  ended("works", "succeeded", undefined)
  ended("fails", "failed", "NoProduct")
  ended("plain", "failed", "_OTHER")
  ended("dies", "defect", "TypeError")
  ended("hangs", "timed_out", "LookupTimeout", TestClock.adjust("5 seconds"))
  ended("hangs", "interrupted", undefined, TestClock.adjust("1 second"))

  it.effect("says that a guard refused it", () =>
    Effect.gen(function* () {
      const { spans, tracer } = tracing()
      const larder = yield* Effect.withTracer(
        Larder.make({
          name: "traced",
          upstream: Upstream.make({ lookup: (_: string) => Effect.never }).pipe(
            Upstream.withConcurrency({ foreground: 1, queue: 0 }),
          ),
          policy: Policy.make({ freshFor: "1 minute" }),
        }).pipe(Effect.provideService(KeyDisplay.KeyDisplay, "shown")),
        tracer,
      )
      yield* fork(larder.get("busy"))
      yield* Effect.flip(larder.get("k"))
      const span = spans.find(({ attributes }) => attributes.get("larder.key") === "k")
      assert.strictEqual(span?.attributes.get("larder.outcome"), "shed")
      assert.strictEqual(span?.attributes.get("error.type"), "Shed")
    }).pipe(Effect.scoped, Effect.provide(memory)),
  )

  it.effect("says that nobody waits for it, and a hit has none", () =>
    Effect.gen(function* () {
      const { spans, tracer } = tracing()
      const larder = yield* Effect.withTracer(make(), tracer)
      yield* larder.get("k")
      yield* larder.get("k")
      assert.strictEqual(spans.length, 1)
      yield* TestClock.adjust("2 minutes")
      yield* larder.get("k")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(
        spans.map(({ attributes }) => attributes.get("larder.background")),
        [false, true],
      )
    }).pipe(Effect.scoped, Effect.provide(memory)),
  )
})

describe("events of the caller's span", () => {
  const shared = (faulty: Faults) =>
    TierStack.layer(MemoryTier.layer(), Layer.fresh(faultyShared(faulty)) as Layer.Layer<Tier.Tier>)
  const eventsOf = (spans: ReadonlyArray<Tracer.NativeSpan>) =>
    spans
      .filter(({ name }) => name === "caller")
      .flatMap(({ events }) => events.map(([name, , attributes]) => [name, attributes]))

  it.effect("tell of slow reads and requests for leases, and of no fast ones", () =>
    Effect.gen(function* () {
      const { spans, tracer } = tracing()
      const faulty = new Faults()
      const larder = yield* make().pipe(Effect.provide(shared(faulty)))
      const traced = (key: string) =>
        fork(Effect.withTracer(Effect.withSpan(larder.get(key), "caller"), tracer))
      yield* Fiber.await(yield* traced("fast"))
      assert.deepStrictEqual(eventsOf(spans), [])
      faulty.turn("slow", "all")
      const call = yield* traced("slow")
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(call)
      const told = (operation: string) => [
        "larder.tier",
        {
          "larder.name": "traced",
          "larder.tier": "shared",
          "larder.operation": operation,
          "larder.millis": 50,
        },
      ]
      assert.deepStrictEqual(eventsOf(spans), [told("read"), told("lease")])
    }).pipe(Effect.scoped),
  )

  /** A caller whose span stays open for a while after its call. */
  const calling = (
    tracer: Tracer.Tracer,
    call: Effect.Effect<unknown, unknown>,
    afterwards: Duration.Input,
  ) =>
    Effect.gen(function* () {
      const caller = Effect.andThen(call, Effect.sleep(afterwards))
      const fiber = yield* fork(Effect.withTracer(Effect.withSpan(caller, "caller"), tracer))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.await(fiber)
    })
  const slowWrite = [
    "larder.tier",
    {
      "larder.name": "traced",
      "larder.tier": "shared",
      "larder.operation": "write",
      "larder.millis": 50,
    },
  ]

  it.effect("tell of the slow write of a looked-up value, after the answer, while it is open", () =>
    Effect.gen(function* () {
      const faulty = new Faults()
      const larder = yield* make().pipe(Effect.provide(shared(faulty)))
      faulty.turn("slow", "writes")
      const open = tracing()
      yield* calling(open.tracer, larder.get("open"), "1 second")
      assert.deepStrictEqual(eventsOf(open.spans), [slowWrite])
      const ended = tracing()
      yield* calling(ended.tracer, larder.get("ended"), 0)
      assert.deepStrictEqual(eventsOf(ended.spans), [])
      const many = tracing()
      yield* calling(many.tracer, larder.getMany(["one", "two"]), "1 second")
      assert.deepStrictEqual(eventsOf(many.spans), [slowWrite, slowWrite])
    }).pipe(Effect.scoped),
  )

  it.effect("tell of the slow writes of a change, which its caller waits for", () =>
    Effect.gen(function* () {
      const faulty = new Faults()
      const larder = yield* make().pipe(Effect.provide(shared(faulty)))
      yield* larder.get("k")
      faulty.turn("slow", "writes")
      for (const change of [larder.set("k", 3), larder.expire("k"), larder.remove("k")]) {
        const { spans, tracer } = tracing()
        yield* calling(tracer, change, 0)
        assert.deepStrictEqual(eventsOf(spans), [slowWrite])
      }
      const { spans, tracer } = tracing()
      yield* calling(tracer, larder.invalidateTags("all"), 0)
      const [[name, attributes] = []] = eventsOf(spans)
      assert.strictEqual(name, "larder.tier")
      assert.deepInclude(attributes as object, { "larder.operation": "mark" })
    }).pipe(Effect.scoped),
  )

  it.effect("tell of the slow write to a tier that is no arbiter", () =>
    Effect.gen(function* () {
      const faulty = new Faults()
      const larder = yield* make().pipe(
        Effect.provide(
          TierStack.layer(
            MemoryTier.layer(),
            fileLayer(faulty),
            Layer.fresh(MemoryTier.layerShared),
          ),
        ),
      )
      faulty.turn("slow", "writes")
      const { spans, tracer } = tracing()
      yield* calling(tracer, larder.get("k"), "1 second")
      const events = spans.flatMap((span) => span.events)
      assert.deepStrictEqual(
        events.map(([, , attributes]) => attributes?.["larder.operation"]),
        ["write"],
      )
      assert.notStrictEqual(events[0]?.[2]?.["larder.tier"], "shared")
    }).pipe(Effect.scoped),
  )

  it.effect("tell of the wait for another node's lookup", () =>
    Effect.gen(function* () {
      const { spans, tracer } = tracing()
      const stack = yield* Layer.build(shared(new Faults()))
      const [one, other] = [
        yield* make().pipe(Effect.provide(stack)),
        yield* make().pipe(Effect.provide(stack)),
      ]
      const first = yield* fork(one.get("hangs"))
      const second = yield* fork(
        Effect.withTracer(Effect.withSpan(other.get("hangs"), "caller"), tracer),
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.await(first)
      yield* Fiber.await(second)
      const waits = eventsOf(spans).filter(([name]) => name === "larder.lease_wait")
      assert.strictEqual(waits.length, 1)
    }).pipe(Effect.scoped),
  )
})
