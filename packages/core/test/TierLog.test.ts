/** The lines of tiers about their servers and files: said once, through `LogEvents` where it is there. */
import { assert, describe, it } from "@effect/vitest"
import { InvalidOptions, LogEvents, TierLog } from "@larder/core"
import { Cause, Effect, Exit, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { Outside } from "./support/outside.ts"

const options: TierLog.Options = { subject: "disk.db", annotations: { tier: "disk" } }

const full: TierLog.Line = { level: "Warn", message: "the disk is full" }

/** What the loggers of the tier get, and those of `LogEvents`. */
const written = (
  larders: ReadonlyArray<string> | undefined | "no LogEvents",
  body: (log: TierLog.TierLog) => Effect.Effect<void>,
) =>
  Effect.gen(function* () {
    const own = new Outside()
    const outside = new Outside()
    const log = yield* own.around(TierLog.make(options))
    if (larders !== "no LogEvents") {
      yield* outside.around(Layer.build(LogEvents.layer(larders)))
    }
    yield* body(log)
    const shown = ({ lines }: Outside) =>
      lines.map(({ annotations, level, message }) => ({ level, message, annotations }))
    return { own: shown(own), outside: shown(outside) }
  }).pipe(Effect.scoped)

const write = (line: TierLog.Line) => (log: TierLog.TierLog) => Effect.sync(() => log.write(line))

describe("a line of a tier", () => {
  it.effect("is its subject and message where LogEvents is not provided", () =>
    Effect.gen(function* () {
      const annotations = {}
      assert.deepStrictEqual(yield* written("no LogEvents", write(full)), {
        own: [{ level: "Warn", message: "disk.db: the disk is full", annotations }],
        outside: [],
      })
    }),
  )

  it.effect("is its message with annotations through LogEvents, and said once", () =>
    Effect.gen(function* () {
      const line = { ...full, annotations: { free: 0 } }
      assert.deepStrictEqual(yield* written(undefined, write(line)), {
        own: [],
        outside: [
          { level: "Warn", message: "the disk is full", annotations: { tier: "disk", free: 0 } },
        ],
      })
    }),
  )

  it.effect("does not go to a LogEvents of some larders, since it is about all", () =>
    Effect.gen(function* () {
      const { outside, own } = yield* written(["products"], write(full))
      assert.lengthOf(own, 1)
      assert.deepStrictEqual(outside, [])
    }),
  )

  it.effect("goes to the loggers of the tier again once LogEvents is closed", () =>
    Effect.gen(function* () {
      const own = new Outside()
      const log = yield* own.around(TierLog.make(options))
      yield* Effect.scoped(Layer.build(LogEvents.layer()))
      log.write(full)
      assert.lengthOf(own.lines, 1)
    }),
  )
})

describe("of the lines of a tier", () => {
  const flood = (log: TierLog.TierLog) =>
    Effect.gen(function* () {
      for (let i = 0; i < 20; i += 1) log.write({ ...full, level: i % 2 === 0 ? "Warn" : "Error" })
      yield* TestClock.adjust("1 second")
      log.write(full)
    })

  it.effect("at most 5 come at once and 1 a second, and the next says how many were left out", () =>
    Effect.gen(function* () {
      const { outside } = yield* written(undefined, flood)
      assert.lengthOf(outside, 6)
      assert.deepStrictEqual(outside[5]?.annotations, { tier: "disk", suppressed: 15 })
      const { own } = yield* written("no LogEvents", flood)
      assert.lengthOf(own, 6)
      assert.strictEqual(
        own[5]?.message,
        "disk.db: the disk is full (15 more lines were suppressed)",
      )
    }),
  )

  it.effect("debug lines take no place of a warning", () =>
    Effect.gen(function* () {
      const { own } = yield* written("no LogEvents", (log) =>
        Effect.sync(() => {
          for (let i = 0; i < 20; i += 1) log.write({ level: "Debug", message: "a detail" })
          log.write(full)
        }),
      )
      assert.lengthOf(own, 6)
      assert.strictEqual(own[5]?.message, "disk.db: the disk is full")
    }),
  )

  it.effect("the rate is that of the options", () =>
    Effect.gen(function* () {
      const outside = new Outside()
      const log = yield* outside.around(TierLog.make({ ...options, atOnce: 2, refill: "1 minute" }))
      for (let i = 0; i < 5; i += 1) log.write(full)
      assert.lengthOf(outside.lines, 2)
      yield* TestClock.adjust("59 seconds")
      log.write(full)
      assert.lengthOf(outside.lines, 2)
      yield* TestClock.adjust("1 second")
      log.write(full)
      assert.lengthOf(outside.lines, 3)
    }),
  )
})

it.effect("a logger that throws does not disturb the tier", () =>
  Effect.gen(function* () {
    const broken = Logger.make(() => {
      throw new Error("broken")
    })
    const log = yield* Effect.provide(TierLog.make(options), Logger.layer([broken]))
    log.write(full)
    yield* Layer.build(LogEvents.layer().pipe(Layer.provide(Logger.layer([broken]))))
    log.write(full)
  }).pipe(Effect.scoped),
)

it.effect.each([
  [{ subject: " " }, 'subject must be a non-blank string, such as "Redis at cache:6379", got " "'],
  [{ annotations: null }, "annotations must be an object of texts and numbers, got null"],
  [{ atOnce: 0 }, "atOnce must be an integer of at least 1, got 0"],
  [{ atOnce: Number.NaN }, "atOnce must be an integer of at least 1, got NaN"],
  [{ refill: 0 }, "refill must be above 0 and finite, got 0"],
  [{ refill: Infinity }, "refill must be above 0 and finite, got Infinity"],
  [
    { refill: -1 },
    'refill must be a duration of at least 0, such as "10 seconds" or a number of milliseconds, got -1',
  ],
  [{ subjects: "x" }, "subjects is an unknown option; did you mean `subject`?"],
] as const)("refuses %j with the remedy", ([wrong, message]) =>
  Effect.gen(function* () {
    // A caller without types.
    const exit = yield* Effect.exit(TierLog.make({ ...options, ...wrong } as TierLog.Options))
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(defect, InvalidOptions)
    assert.strictEqual((defect as InvalidOptions).message, `TierLog: ${message}`)
  }),
)
