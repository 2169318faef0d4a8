/** Neither a key nor a value leaves the process, whatever fails: not in lines, spans or metrics. */
import { assert, describe, it } from "@effect/vitest"
import {
  Backplane,
  Detectors,
  KeyDisplay,
  Larder,
  LogEvents,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { Effect, Fiber, Queue, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, type Fault, layer as faultyShared } from "./support/faultyTier.ts"
import { Outside } from "./support/outside.ts"

/** What no text may contain: each key and each value has it. */
const mark = "SECRET"
const keyOf = (name: string) => `${mark}-${name}@example.org`
const valueOf = (key: string) => `value of ${key}`

const failures = ["defect", "never", "typed", "error", "unwritable", "interrupt"] as const

class Refused extends Schema.TaggedError<Refused>()("Refused", { key: Schema.String }) {
  override get message(): string {
    return `no value for ${this.key}`
  }
}

/** What a lookup does is in its key. */
const answer = (key: string): Effect.Effect<string, Refused | string> => {
  if (key.includes("typed")) return Effect.fail(new Refused({ key }))
  if (key.includes("error")) return Effect.fail(`cannot read ${key}`)
  if (key.includes("defect")) return Effect.die(new Error(`broken at ${key}`))
  if (key.includes("never")) return Effect.never
  if (key.includes("interrupt")) return Effect.interrupt
  return Effect.succeed(key.includes("unwritable") ? valueOf(key).repeat(9) : valueOf(key))
}

const make = Larder.make({
  name: "people",
  value: Schema.String.check(Schema.isMaxLength(60)),
  upstream: Upstream.make({
    lookup: (key: string) => answer(key),
    lookupMany: (keys) =>
      Effect.forEach(keys, (key) =>
        Effect.map(Effect.exit(answer(key)), (exit) => [key, exit] as const),
      ).pipe(Effect.map((all) => new Map(all))),
  }).pipe(Upstream.withCircuitBreaker(), Upstream.withConcurrency({ foreground: 4, queue: 2 })),
  policy: Policy.make({
    freshFor: "1 second",
    staleWhileRevalidate: "2 seconds",
    staleIfError: "1 hour",
    hardTimeout: 200,
    tierTimeout: 50,
  }),
  tags: (value) => [value],
  etag: (value, key) => {
    if (key.includes("etag")) throw new Error(`no etag of ${value}`)
    return value
  },
})

const took = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.exit(effect), { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(10)
    return yield* Fiber.join(fiber)
  })

const rounds: ReadonlyArray<Fault> = [
  "none",
  "garbage",
  "fail",
  "none",
  "hang",
  "failAfter",
  "none",
]

/** Reads and changes of secret keys through all that can fail. */
const program = (outside: Outside, faults = new Faults()) =>
  Effect.gen(function* () {
    const larder = yield* make
    const names = ["ann", "bob", "etag", ...failures]
    for (const fault of rounds) {
      faults.turn(fault, "all")
      for (const name of names) {
        const key = keyOf(name)
        yield* took(larder.get(key))
        yield* took(larder.get(key))
      }
      yield* took(
        Effect.all(
          names.map((name) => larder.refresh(keyOf(name))),
          { concurrency: 9 },
        ),
      )
      yield* took(larder.getMany(names.map(keyOf)))
      yield* took(larder.set(keyOf("ann"), valueOf(keyOf("ann"))))
      yield* took(larder.set(keyOf("bob"), valueOf(keyOf("ann")).repeat(9)))
      yield* took(larder.invalidateTags([valueOf(keyOf("ann"))]))
      yield* took(larder.remove(keyOf("bob")))
      yield* took(larder.get(`${keyOf("ann")}\n`))
      yield* TestClock.adjust("4 seconds")
    }
    return yield* larder.stats
  }).pipe(
    Effect.provide([
      TierStack.layer(MemoryTier.layer({ maxEntries: 4 }), faultyShared(faults)),
      LogEvents.layer(),
    ]),
    Effect.scoped,
    outside.around,
  )

/** A backplane that takes nothing, and quotes what it was given. */
const quoting = Backplane.Backplane.of({
  name: "quoting",
  open: () =>
    Effect.map(Queue.unbounded<Backplane.Message>(), (messages) => ({
      publish: (message) =>
        Effect.fail(
          new Backplane.BackplaneError({
            backplane: "quoting",
            operation: "publish",
            cause: new Error(`cannot send ${JSON.stringify(message)}`),
          }),
        ),
      messages,
    })),
})

/** A larder whose functions, backplane and detectors all have something to say of secret keys. */
const toldOf = (outside: Outside) =>
  Effect.gen(function* () {
    const larder = yield* Larder.make({
      name: "told of",
      upstream: Upstream.make({
        lookup: (key: string) => Effect.delay(Effect.succeed(valueOf(key)), 20),
      }),
      policy: Policy.make({ freshFor: "1 second", staleIfError: "1 hour" }),
      audit: {
        share: 1,
        perSecond: 1_000,
        equal: (known) => {
          throw new Error(`cannot compare ${known}`)
        },
      },
      onStampede: ({ key }) => Effect.die(new Error(`stampede on ${key}`)),
      closeTimeout: 0,
    })
    yield* took(
      Effect.all(
        Array.from({ length: 50 }, () => larder.get(keyOf("crowd"))),
        { concurrency: "unbounded" },
      ),
    )
    yield* took(larder.get(keyOf("crowd")))
    yield* TestClock.adjust(100)
    yield* took(larder.set(keyOf("crowd"), valueOf("crowd")))
    for (let window = 0; window < 3; window += 1) {
      for (let i = 0; i < 150; i += 1) yield* took(larder.get(keyOf(`${window} ${i}`)))
      yield* TestClock.adjust("30 seconds")
    }
    return yield* larder.stats
  }).pipe(
    Effect.provide([
      TierStack.layer(MemoryTier.layer({ maxEntries: 20 })),
      LogEvents.layer(),
      Detectors.layer(),
    ]),
    Effect.provideService(Backplane.Backplane, quoting),
    Effect.scoped,
    outside.around,
  )

const leaks = ({ texts }: Outside) => texts.filter((text) => text.includes(mark))

describe("over secret keys and values, with faults of upstream and of a tier", () => {
  it.effect("nothing that leaves the process has any of them", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const outside = new Outside()
      const { failedAnswers, lookupsRefused, tierFailures, undecodable } = yield* program(outside)
      // The run had what could leak.
      assert.isAbove(failedAnswers.failed, 0)
      assert.isAbove(failedAnswers.defect, 0)
      assert.isAbove(failedAnswers.timeout, 0)
      assert.isAbove(lookupsRefused.breakerOpen, 0)
      assert.isAbove(tierFailures, 0)
      assert.isAbove(undecodable, 0)
      const messages = new Set(outside.lines.map(({ message }) => message))
      for (const message of ["breaker changed", "tiers missed", "serving stale"]) {
        assert.include([...messages], message)
      }
      assert.isTrue([...messages].some((message) => message.includes("cannot be encoded")))
      assert.isAbove(outside.spans.length, 20)
      assert.include(outside.page, "larder_answers_total")
      assert.deepStrictEqual(leaks(outside), [])
      const kinds = outside.spans.map(({ attributes }) => attributes.get("error.type"))
      for (const kind of ["Refused", "Error", "CircuitBreakerError"]) assert.include(kinds, kind)
    }),
  )

  it.effect("nor what functions, backplanes and detectors say", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const outside = new Outside()
      const { audits } = yield* toldOf(outside)
      assert.isAbove(audits.failed, 0)
      const said = outside.lines.map(({ message }) => message).join("\n")
      for (const words of [
        "anomaly raised",
        "stampede",
        "the option onStampede failed",
        "could not be sent",
        "closed before the backplane",
      ]) {
        assert.include(said, words)
      }
      assert.deepStrictEqual(leaks(outside), [])
    }),
  )

  it.effect("keys are there where they are shown, values never", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const outside = new Outside()
      yield* Effect.provideService(program(outside), KeyDisplay.KeyDisplay, "shown")
      assert.isAbove(leaks(outside).length, 0)
      assert.deepStrictEqual(
        outside.texts.filter((text) => text.includes("value of")),
        [],
      )
    }),
  )
})
