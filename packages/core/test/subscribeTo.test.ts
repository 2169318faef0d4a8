/** `subscribeTo`: a choice of the hits; all other events are for every subscriber. */
import { assert, describe, it } from "@effect/vitest"
import {
  Instrument,
  InvalidOptions,
  Larder,
  type LarderEvent,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { Cause, Effect, Exit, Layer, PubSub, Random } from "effect"

const options = {
  upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
  policy: Policy.make({ freshFor: "10 seconds" }),
}
const make = Larder.make({ name: "lengths", ...options })

class Lengths extends Larder.Service<Lengths>()("app/Lengths", options) {}

const memory = () => TierStack.layer(MemoryTier.layer())

const tags = (events: ReadonlyArray<LarderEvent.LarderEvent>) => events.map(({ _tag }) => _tag)

const isHit = (event: LarderEvent.LarderEvent): event is LarderEvent.Hit => event._tag === "Hit"

const first = [
  "Opened",
  "Miss",
  "LookupStarted",
  "LookupSucceeded",
  "Committed",
  "Answered",
] as const

it.effect("delivers all hits, none, and all by default", () =>
  Effect.gen(function* () {
    const larder = yield* make
    const all = yield* larder.subscribeTo({ hits: "all" })
    const none = yield* larder.subscribeTo({ hits: "none" })
    const byDefault = yield* larder.subscribeTo({})
    for (let i = 0; i < 3; i += 1) yield* larder.get("milk")
    yield* larder.getMany(["milk"])
    assert.deepStrictEqual(tags(yield* PubSub.takeAll(none)), [...first])
    const heard = tags(yield* PubSub.takeAll(all))
    assert.deepStrictEqual(heard, [...first, "Hit", "Hit", "Hit"])
    assert.deepStrictEqual(tags(yield* PubSub.takeAll(byDefault)), heard)
  }).pipe(Effect.scoped, Effect.provide(memory())),
)

describe("a sample of the hits", () => {
  const hits = 3_000

  it.effect("stands for all hits but the last few, one of 64 on average", () =>
    Effect.gen(function* () {
      const larder = yield* make
      yield* larder.get("milk")
      const sampled = yield* larder.subscribeTo({ hits: "sampled" })
      for (let i = 0; i < hits; i += 1) yield* larder.get("milk")
      const samples = (yield* PubSub.takeAll(sampled)).filter(isHit)
      const sum = samples.reduce((total, { count = 0 }) => total + count, 0)
      assert.isAtLeast(sum, hits - 126)
      assert.isAtMost(sum, hits)
      assert.isAbove(samples.length, hits / 64 / 1.5)
      assert.isBelow(samples.length, (hits / 64) * 1.5)
      assert.isAbove(new Set(samples.map(({ count }) => count)).size, 10)
    }).pipe(Effect.scoped, Effect.provide(memory())),
  )

  it.effect("is the same for the same name, and another for another", () =>
    Effect.gen(function* () {
      const counts = (name: string) =>
        Effect.scoped(
          Effect.gen(function* () {
            const larder = yield* Larder.make({ name, ...options })
            yield* larder.get("milk")
            const sampled = yield* larder.subscribeTo({ hits: "sampled" })
            for (let i = 0; i < 500; i += 1) yield* larder.get("milk")
            return (yield* PubSub.takeAll(sampled)).filter(isHit).map(({ count }) => count)
          }),
        )
      const one = yield* counts("one")
      assert.deepStrictEqual(yield* counts("one"), one)
      assert.notDeepEqual(yield* counts("two"), one)
    }).pipe(Effect.provide(memory())),
  )

  it.effect("law 21: draws nothing of the larder's Random", () =>
    Effect.gen(function* () {
      const random = yield* Random.Random
      let draws = 0
      const counting: Random.Random = {
        nextIntUnsafe: () => {
          draws += 1
          return random.nextIntUnsafe()
        },
        nextDoubleUnsafe: () => {
          draws += 1
          return random.nextDoubleUnsafe()
        },
      }
      const larder = yield* Effect.provideService(make, Random.Random, counting)
      yield* larder.get("milk")
      yield* larder.subscribeTo({ hits: "sampled" })
      draws = 0
      for (let i = 0; i < 500; i += 1) yield* larder.get("milk")
      assert.strictEqual(draws, 0)
    }).pipe(Effect.scoped, Effect.provide(memory())),
  )
})

it.effect("an instrument may leave the hits out, or take a sample of them", () =>
  Effect.gen(function* () {
    const heard = (hits: Larder.Hits | undefined) =>
      Effect.gen(function* () {
        const seen: Array<LarderEvent.LarderEvent> = []
        const instrument: Instrument.Instrument = { event: (event) => seen.push(event), hits }
        yield* Effect.scoped(
          Effect.gen(function* () {
            const larder = yield* make
            for (let i = 0; i < 501; i += 1) yield* larder.get("milk")
          }).pipe(Effect.provideService(Instrument.Instrument, instrument)),
        )
        return seen.filter(isHit)
      })
    assert.strictEqual((yield* heard(undefined)).length, 500)
    assert.strictEqual((yield* heard("none")).length, 0)
    const sampled = yield* heard("sampled")
    assert.isBelow(sampled.length, 50)
    assert.isAbove(sampled.length, 2)
  }).pipe(Effect.provide(memory())),
)

it.effect("is an accessor of a service", () =>
  Effect.gen(function* () {
    const quiet = yield* Lengths.subscribeTo({ hits: "none" })
    yield* Lengths.get("milk")
    yield* Lengths.get("milk")
    assert.deepStrictEqual(tags(yield* PubSub.takeAll(quiet)), [...first])
  }).pipe(Effect.scoped, Effect.provide(Lengths.layer.pipe(Layer.provide(memory())))),
)

it.effect.each([
  [{ hits: "some" }, 'Larder: hits of "lengths" must be "all", "sampled" or "none", got "some"'],
  [{ hit: "all" }, 'Larder: hit of "lengths" is an unknown option; did you mean `hits`?'],
] as const)("refuses %j with the remedy", ([given, message]) =>
  Effect.gen(function* () {
    const larder = yield* make
    // A caller without types.
    const exit = yield* Effect.exit(larder.subscribeTo(given as Larder.SubscribeOptions))
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(defect, InvalidOptions)
    assert.include((defect as InvalidOptions).message, message)
  }).pipe(Effect.scoped, Effect.provide(memory())),
)
