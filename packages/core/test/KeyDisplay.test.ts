/** How keys appear outside the process. */
import { createHmac } from "node:crypto"
import { assert, describe, expect, it } from "@effect/vitest"
import {
  InvalidOptions,
  KeyDisplay,
  Larder,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { Cause, Effect, Exit, Random, Redacted } from "effect"
import { Outside } from "./support/outside.ts"

const make = Larder.make({
  name: "lengths",
  upstream: Upstream.make({
    lookup: (word: string) => Effect.succeed(word.length),
    lookupMany: (words) => Effect.succeed(new Map(words.map((word) => [word, word.length]))),
  }),
  policy: Policy.make({ freshFor: "1 minute" }),
})

/** The keys on the spans of a lookup of `milk`. */
const onSpans = (display: KeyDisplay.KeyDisplay | undefined, outside = new Outside()) =>
  Effect.flatMap(make, (larder) => larder.get("milk")).pipe(
    Effect.provide(TierStack.layer(MemoryTier.layer())),
    display === undefined ? (self) => self : Effect.provideService(KeyDisplay.KeyDisplay, display),
    Effect.scoped,
    outside.around,
    Effect.map(() => outside.spans.map(({ attributes }) => attributes.get("larder.key"))),
  )

describe("a key on the span of its lookup", () => {
  it.effect("is hashed by default, the same all the time", () =>
    Effect.gen(function* () {
      const [key] = yield* onSpans(undefined)
      expect(key).toMatch(/^[0-9a-f]{12}$/)
      assert.deepStrictEqual(yield* onSpans("hashed"), [key])
      assert.strictEqual(KeyDisplay.show("hashed", "milk"), key)
      assert.notStrictEqual(KeyDisplay.show("hashed", "Milk"), key)
    }),
  )

  it.effect("is shown, hidden, or what a function says", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* onSpans("shown"), ["milk"])
      assert.deepStrictEqual(yield* onSpans("hidden"), [undefined])
      assert.deepStrictEqual(yield* onSpans((key) => `${key.length} letters`), ["4 letters"])
    }),
  )

  it.effect("is hidden where the function fails, and the lookup goes on", () =>
    Effect.gen(function* () {
      const broken = () => {
        throw new Error("broken")
      }
      assert.deepStrictEqual(yield* onSpans(broken), [undefined])
      assert.deepStrictEqual(yield* onSpans(() => 7 as unknown as string), [undefined])
    }),
  )

  it.effect("is not hashed for a span that nobody exports", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const display = (key: string) => {
        shown.push(key)
        return key
      }
      const used = Effect.gen(function* () {
        const larder = yield* make
        yield* Effect.withSpan(larder.get("milk"), "request", { sampled: false })
      }).pipe(
        Effect.provide(TierStack.layer(MemoryTier.layer())),
        Effect.provideService(KeyDisplay.KeyDisplay, display),
        Effect.scoped,
      )
      const outside = new Outside()
      // Without a tracer, and with one that does not sample the request.
      yield* used
      yield* outside.around(used)
      assert.lengthOf(outside.spans, 2)
      assert.deepStrictEqual(shown, [])
    }),
  )

  it.effect("law 21: its secret draws nothing of the larder's Random", () =>
    Effect.gen(function* () {
      const random = yield* Random.Random
      const drawsOf = (display: KeyDisplay.KeyDisplay) => {
        let draws = 0
        const counting: Random.Random = {
          nextIntUnsafe: () => (draws += 1) && random.nextIntUnsafe(),
          nextDoubleUnsafe: () => (draws += 1) && random.nextDoubleUnsafe(),
        }
        const shown = Effect.provideService(onSpans(display), Random.Random, counting)
        return Effect.map(shown, () => draws)
      }
      assert.strictEqual(yield* drawsOf("hashed"), yield* drawsOf("hidden"))
    }),
  )

  it.effect("of a bulk lookup is their number", () =>
    Effect.gen(function* () {
      const outside = new Outside()
      yield* Effect.flatMap(make, (larder) => larder.getMany(["milk", "tea"])).pipe(
        Effect.provide(TierStack.layer(MemoryTier.layer())),
        Effect.scoped,
        outside.around,
      )
      const [span] = outside.spans
      assert.strictEqual(span?.attributes.get("larder.keys"), 2)
      assert.isFalse(span?.attributes.has("larder.key"))
    }),
  )
})

it("a hash by a secret is the start of its HMAC-SHA-256", () => {
  for (const key of ["milk", "", "käse", "𝒳", "k".repeat(1_024)]) {
    const digits = createHmac("sha256", "secret").update(key).digest("hex").slice(0, 12)
    assert.strictEqual(KeyDisplay.hashedWith("secret")(key), digits)
    assert.strictEqual(KeyDisplay.hashedWith(Redacted.make("secret"))(key), digits)
  }
})

it.effect("a larder refuses what is no display", () =>
  Effect.gen(function* () {
    const wrong = "hash" as KeyDisplay.KeyDisplay
    const exit = yield* Effect.exit(onSpans(wrong))
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(defect, InvalidOptions)
    expect(String(defect)).toContain(
      'must be "hashed", "shown", "hidden", or a function of the key, got "hash"',
    )
  }),
)

it("an empty secret is refused, and none is shown", () => {
  expect(() => KeyDisplay.hashedWith("")).toThrow(/must be a non-empty text.*got ""/)
  expect(() => KeyDisplay.hashedWith(Redacted.make(""))).toThrow(/non-empty/)
  expect(() => KeyDisplay.hashedWith(7 as unknown as string)).toThrow(/got <redacted>/)
})
