/** Invalid options: the layer dies with an error that names module, field, value and remedy. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { InvalidOptions } from "@larder/core"
import { Cause, Duration, Effect, Exit, Layer } from "effect"
import * as SqliteTier from "../src/SqliteTier.ts"
import { ofLimits } from "../../core/test/support/limits.ts"

type Case = readonly [field: string, got: unknown, shown: string, must: string]

const filename = 'be a path, such as "./larder.db"'
const bound = "be an integer of at least 1 or Infinity"
const name = 'be a non-blank string, such as "sqlite"'
const time = 'be a finite duration of at least 0, such as "50 millis"'

const bounds: ReadonlyArray<readonly [unknown, string]> = [
  [0, "0"],
  [-1, "-1"],
  [1.5, "1.5"],
  [2 ** 53, "9007199254740992"],
  [Number.NaN, "NaN"],
  ["10", '"10"'],
  [null, "null"],
]

const cases: ReadonlyArray<Case> = [
  ["filename", "", '""', filename],
  ["filename", 5, "5", filename],
  ["filename", undefined, "undefined", filename],
  ["filename", "a\0b", '"a\\u0000b"', filename],
  ["filename", `\0${"x".repeat(100)}`, `"\\u0000${"x".repeat(59)}…"`, filename],
  ...bounds.flatMap(([got, shown]): ReadonlyArray<Case> => [
    ["maxEntries", got, shown, bound],
    ["maxBytes", got, shown, bound],
  ]),
  ["name", " ", '" "', name],
  ["name", 5, "5", name],
  ["synchronous", "mostly", '"mostly"', 'be "off", "normal" or "full"'],
  ["wire", 5, "5", "be a wire, such as Wire.json"],
  ["wire", {}, "an object", "be a wire, such as Wire.json"],
  ["busyTimeout", "soon", '"soon"', time],
  ["busyTimeout", -1, "-1", time],
  ["busyTimeout", Number.NaN, "NaN", time],
  ["busyTimeout", Infinity, "Infinity", time],
  ["busyTimeout", Duration.infinity, "Infinity", time],
  ["busyTimeout", "5 parsecs", '"5 parsecs"', time],
  ["busyTimeout", { parsecs: 5 }, "an object", time],
  ["busyTimeout", { seconds: Number.NaN }, "an object", time],
]

const built = (options: unknown) =>
  Effect.scoped(Layer.build(SqliteTier.layer(options as SqliteTier.Options)))

const dies = (options: unknown, [field, , shown, must]: Case) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(built(options))
    assert(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    const error = Cause.squash(exit.cause)
    assert.instanceOf(error, InvalidOptions)
    assert.deepStrictEqual(
      [error._tag, error.module, error.field, error.reason],
      ["InvalidOptions", "SqliteTier", field, `must ${must}, got ${shown}`],
    )
    assert.strictEqual(error.message, `SqliteTier: ${field} must ${must}, got ${shown}`)
  })

describe("the layer dies, and the error is not in its type", () => {
  expectTypeOf<Layer.Error<ReturnType<typeof SqliteTier.layer>>>().toEqualTypeOf<never>()

  for (const each of cases) {
    const [field, got, shown] = each
    it.effect(`${field}, got ${shown}`, () => dies({ filename: ":memory:", [field]: got }, each))
  }

  for (const [limits, field, shown, must] of ofLimits) {
    it.effect(`${field}, got ${shown}`, () =>
      dies({ filename: ":memory:", ...limits }, [field, undefined, shown, must]),
    )
  }

  for (const [options, shown] of [
    [undefined, "undefined"],
    [null, "null"],
    ["./larder.db", '"./larder.db"'],
  ] as const) {
    it.effect(`options, got ${shown}`, () =>
      dies(options, ["options", options, shown, "be an object with a filename"]),
    )
  }
})

for (const [options, message] of [
  [{ maxentries: 5 }, "maxentries is an unknown option; did you mean `maxEntries`?"],
  [{ file: "a.db" }, "file is an unknown option; the options are "],
  [{ hartbeat: 5 }, "hartbeat is an unknown option; did you mean `heartbeat`?"],
  [{ breaker: { failure: 5 } }, "breaker.failure is an unknown option; did you mean `failures`?"],
] as const) {
  it.effect(`an unknown option is refused: ${message}`, () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(built({ filename: ":memory:", ...options }))
      assert(Exit.isFailure(exit))
      const error = Cause.squash(exit.cause)
      assert.instanceOf(error, InvalidOptions)
      assert.isTrue(error.message.startsWith(`SqliteTier: ${message}`), error.message)
    }),
  )
}

it.effect("the least and the most that can be meant", () =>
  Effect.gen(function* () {
    const file = { filename: ":memory:" }
    yield* built({ ...file, maxEntries: 1, maxBytes: 1, busyTimeout: 0, synchronous: "off" })
    yield* built({ ...file, maxEntries: Infinity, maxBytes: Infinity, synchronous: "full" })
  }),
)
