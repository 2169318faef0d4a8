/** What the tier says of its file: through `LogEvents` where it is provided, and never with a key or a value. */
import { assert, it } from "@effect/vitest"
import {
  KeyDisplay,
  Larder,
  LogEvents,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import * as fs from "node:fs"
import { Outside } from "../../core/test/support/outside.ts"
import { SqliteTier } from "../src/index.ts"
import { temporaryFile } from "./support/files.ts"

const mark = "SECRET"

/** A larder of secret keys whose file is destroyed while it is used. */
const program = (filename: string) =>
  Effect.gen(function* () {
    const larder = yield* Larder.make({
      name: "people",
      value: Schema.String,
      upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(`value of ${key}`) }),
      policy: Policy.make({ freshFor: "1 second", staleIfError: "1 hour" }),
      closeTimeout: 0,
    })
    const use = Effect.forEach(["ann", "bob"], (name) =>
      Effect.andThen(
        Effect.exit(larder.get(`${mark}-${name}`)),
        larder.set(`${mark}-${name}-too`, `value of ${mark}`),
      ),
    )
    yield* use
    for (const content of ["no database", "SQLite format 3\0 with a rest that is none"]) {
      fs.writeFileSync(filename, content)
      yield* TestClock.adjust("2 seconds")
      yield* use
    }
  }).pipe(
    Effect.provide(
      TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), SqliteTier.layer({ filename })),
    ),
    Effect.scoped,
  )

const warningsOf = ({ lines }: Outside) => lines.filter(({ level }) => level === "Warn")

it.effect(
  "the warnings about a file go through LogEvents, with the tier as an annotation, once",
  () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const [own, outside] = [new Outside(), new Outside()]
      yield* Effect.gen(function* () {
        yield* outside.around(Layer.build(LogEvents.layer()))
        yield* own.around(program(filename))
      }).pipe(Effect.scoped)
      assert.deepStrictEqual(warningsOf(own), [])
      const ofFile = warningsOf(outside).filter(({ message }) => message.includes(filename))
      assert.isNotEmpty(ofFile)
      for (const { annotations, message } of ofFile) {
        assert.deepStrictEqual(annotations, { tier: "sqlite" })
        assert.isTrue(message.startsWith(filename), message)
      }
      assert.lengthOf(new Set(ofFile.map(({ message }) => message)), ofFile.length)
    }),
)

it.effect("without LogEvents they go to the loggers of the tier, and begin with its name", () =>
  Effect.gen(function* () {
    const filename = yield* temporaryFile
    const own = new Outside()
    yield* own.around(program(filename))
    const ofFile = warningsOf(own).filter(({ message }) => message.includes(filename))
    assert.isNotEmpty(ofFile)
    for (const { message } of ofFile) assert.isTrue(message.startsWith(`sqlite: ${filename}`))
  }),
)

it.effect("no line, span or metric has a key or a value, whatever becomes of the file", () =>
  Effect.gen(function* () {
    const texts = (display: KeyDisplay.KeyDisplay) =>
      Effect.gen(function* () {
        const outside = new Outside()
        yield* Effect.provide(program(yield* temporaryFile), LogEvents.layer()).pipe(
          Effect.provideService(KeyDisplay.KeyDisplay, display),
          outside.around,
        )
        return outside.texts
      })
    assert.deepStrictEqual(
      (yield* texts("hashed")).filter((text) => text.includes(mark)),
      [],
    )
    const shown = yield* texts("shown")
    assert.isNotEmpty(shown.filter((text) => text.includes(mark)))
    assert.deepStrictEqual(
      shown.filter((text) => text.includes("value of")),
      [],
    )
  }),
)
