/** Log lines of one larder: a burst of 5 for each topic, then one a second; suppressed lines are counted. */
import { expect, it } from "@effect/vitest"
import { Clock, Effect, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { Warnings } from "../../../src/internal/observe/warnings.ts"

interface Line {
  readonly text: string
  readonly level: string
  readonly larder: unknown
  readonly suppressed: unknown
}

const logging = (
  body: (warnings: Warnings, lines: Array<Line>) => Effect.Effect<void>,
): Effect.Effect<void> => {
  const lines: Array<Line> = []
  const logger = Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
    const { larder, suppressed } = fiber.getRef(References.CurrentLogAnnotations)
    lines.push({ text: String(message), level: logLevel, larder, suppressed })
  })
  return Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const context = yield* Effect.context<never>()
    yield* body(new Warnings("products", clock, context), lines)
  }).pipe(Effect.provide(Logger.layer([logger])))
}

/** How many of so many warnings are logged. */
const logged = (warnings: Warnings, lines: Array<Line>, count: number, topic = "topic"): number => {
  const before = lines.length
  for (let i = 0; i < count; i++) warnings.warn(topic, "something")
  return lines.length - before
}

it.effect("a line is a warning that names the larder", () =>
  logging((warnings, lines) =>
    Effect.sync(() => {
      warnings.warn("topic", "something")
      expect(lines).toEqual([
        { text: "products: something", level: "Warn", larder: "products", suppressed: undefined },
      ])
    }),
  ),
)

it.effect("at most 5 of a topic at once, whatever other topics do", () =>
  logging((warnings, lines) =>
    Effect.sync(() => {
      expect(logged(warnings, lines, 20)).toBe(5)
      expect(logged(warnings, lines, 20, "another")).toBe(5)
    }),
  ),
)

it.effect("one more each second, counted from when the last one was earned", () =>
  logging((warnings, lines) =>
    Effect.gen(function* () {
      logged(warnings, lines, 5)
      yield* TestClock.adjust(999)
      expect(logged(warnings, lines, 1)).toBe(0)
      yield* TestClock.adjust(1)
      expect(logged(warnings, lines, 2)).toBe(1)
      // Half a second that has passed is not lost by a warning in between.
      yield* TestClock.adjust(500)
      expect(logged(warnings, lines, 1)).toBe(0)
      yield* TestClock.adjust(500)
      expect(logged(warnings, lines, 2)).toBe(1)
      yield* TestClock.adjust(3_000)
      expect(logged(warnings, lines, 9)).toBe(3)
    }),
  ),
)

it.effect("never more than 5 at once, however long it was quiet", () =>
  logging((warnings, lines) =>
    Effect.gen(function* () {
      logged(warnings, lines, 5)
      yield* TestClock.adjust("1 hour")
      expect(logged(warnings, lines, 20)).toBe(5)
      yield* TestClock.adjust("1 second")
      expect(logged(warnings, lines, 20)).toBe(1)
    }),
  ),
)

it.effect("the next line says how many were left out since the last one", () =>
  logging((warnings, lines) =>
    Effect.gen(function* () {
      logged(warnings, lines, 8)
      expect(lines.every(({ suppressed }) => suppressed === undefined)).toBe(true)
      yield* TestClock.adjust("1 second")
      logged(warnings, lines, 2)
      expect(lines.at(-1)?.suppressed).toBe(3)
      yield* TestClock.adjust("1 second")
      logged(warnings, lines, 1)
      expect(lines.at(-1)?.suppressed).toBe(1)
      yield* TestClock.adjust("1 second")
      logged(warnings, lines, 1)
      expect(lines.at(-1)?.suppressed).toBe(undefined)
    }),
  ),
)
