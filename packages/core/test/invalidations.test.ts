/** Changes from outside: messages, gaps, what is malformed, keys by their schema, Effect's Reactivity. */
import { describe, expect, it } from "@effect/vitest"
import {
  InvalidOptions,
  Invalidations,
  Larder,
  type LarderEvent,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import {
  Cause,
  Effect,
  Exit,
  Fiber,
  PubSub,
  Queue,
  Schema,
  SchemaGetter,
  SchemaTransformation,
  type Scope,
  Stream,
} from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as fc from "fast-check"

const make = <K extends string | number>(name: string) =>
  Effect.gen(function* () {
    const source = { price: 1, isDown: false, lookups: 0 }
    const larder = yield* Larder.make({
      name,
      upstream: Upstream.make({
        lookup: (_: K) =>
          Effect.suspend(() => {
            source.lookups += 1
            return source.isDown ? Effect.fail("down" as const) : Effect.succeed(source.price)
          }),
      }),
      policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 day", retryAfterFailure: 0 }),
      tags: () => ["dairy"],
    })
    return { larder, source }
  })

const test = <E>(title: string, body: Effect.Effect<void, E, TierStack.TierStack | Scope.Scope>) =>
  it.effect(title, () =>
    body.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer()))),
  )

const of = (...messages: ReadonlyArray<Omit<Invalidations.Message, "v">>) =>
  Stream.fromIterable(messages.map(Invalidations.change))

const ignoredOf = (subscription: PubSub.Subscription<LarderEvent.LarderEvent>) =>
  Effect.map(PubSub.takeAll(subscription), (events) =>
    events.flatMap((event) => (event._tag === "MessageIgnored" ? [event] : [])),
  )

describe("from", () => {
  for (const [what, message] of [
    ["its key", { keys: ["milk"] }],
    ["its tag", { tags: ["dairy"] }],
    ["everything", { clear: true }],
  ] as const) {
    test(
      `a message about ${what} ends freshness; the old value is served while upstream fails`,
      Effect.gen(function* () {
        const { larder, source } = yield* make<string>("prices")
        yield* larder.get("milk")
        source.price = 2
        yield* Invalidations.from(larder, of({ larder: "prices", ...message }))
        source.isDown = true
        expect(yield* larder.get("milk")).toBe(1)
        source.isDown = false
        expect(yield* larder.get("milk")).toBe(2)
      }),
    )

    test(
      `with keepStale: false a message about ${what} leaves nothing to serve`,
      Effect.gen(function* () {
        const { larder, source } = yield* make<string>("prices")
        yield* larder.get("milk")
        source.isDown = true
        const feed = of({ larder: "prices", keepStale: false, ...message })
        yield* Invalidations.from(larder, feed)
        expect(yield* Effect.flip(larder.get("milk"))).toBe("down")
      }),
    )
  }

  test(
    "messages for other larders change nothing",
    Effect.gen(function* () {
      const { larder, source } = yield* make<string>("prices")
      yield* larder.get("milk")
      yield* Invalidations.from(larder, of({ larder: "other", keys: ["milk"], clear: true }))
      yield* larder.get("milk")
      expect(source.lookups).toBe(1)
    }),
  )

  test(
    "law 29: a gap is a message that everything has changed, and keeps stale values",
    Effect.gen(function* () {
      const { larder, source } = yield* make<string>("prices")
      yield* larder.get("milk")
      yield* Invalidations.from(larder, Stream.make(Invalidations.gap))
      source.isDown = true
      expect(yield* larder.get("milk")).toBe(1)
      expect(source.lookups).toBe(2)
    }),
  )

  test(
    "what is malformed is an event, and the feed goes on",
    Effect.gen(function* () {
      const { larder, source } = yield* make<string>("prices")
      yield* larder.get("milk")
      const events = yield* larder.subscribe
      const texts = ["hello", '{"v":1}', `"${"x".repeat(1_000)}"`]
      const feed = Stream.fromIterable(texts).pipe(
        Stream.map(Invalidations.parse),
        Stream.concat(of({ larder: "prices", keys: ["a\nb", "milk"] })),
      )
      yield* Invalidations.from(larder, feed)
      const ignored = yield* ignoredOf(events)
      expect(ignored.map(({ text }) => text)).toEqual([
        "hello",
        '{"v":1}',
        `"${"x".repeat(199)}`,
        "a\nb",
      ])
      yield* larder.get("milk")
      expect(source.lookups).toBe(2)
    }),
  )

  test(
    "a schema gives keys back; a key that it does not decode is an event, and the others are applied",
    Effect.gen(function* () {
      const { larder, source } = yield* make<number>("prices")
      yield* larder.get(7)
      const events = yield* larder.subscribe
      const feed = of({ larder: "prices", keys: ["seven", "7"] })
      yield* Invalidations.from(larder, feed, { key: Schema.FiniteFromString })
      yield* larder.get(7)
      expect(source.lookups).toBe(2)
      expect((yield* ignoredOf(events)).map(({ text }) => text)).toEqual(["seven"])
    }),
  )

  test(
    "the larder's own schema gives keys back; one that is given takes its place",
    Effect.gen(function* () {
      class Sku extends Schema.Class<Sku>("Sku")({ shop: Schema.String, n: Schema.Finite }) {}
      const sku = new Sku({ shop: "north", n: 7 })
      let lookups = 0
      const larder = yield* Larder.make({
        name: "prices",
        key: Schema.fromJsonString(Sku),
        upstream: Upstream.make({ lookup: (_: Sku) => Effect.sync(() => (lookups += 1)) }),
        policy: Policy.make({ freshFor: "1 hour" }),
      })
      yield* larder.get(sku)
      const events = yield* larder.subscribe
      // The JSON of another language.
      const keys = ["7", '{ "n": 7.0, "shop": "north" }']
      yield* Invalidations.from(larder, of({ larder: "prices", keys }))
      expect(yield* larder.get(new Sku({ shop: "north", n: 7 }))).toBe(2)
      expect((yield* ignoredOf(events)).map(({ text }) => text)).toEqual(["7"])

      const ofNorth = Schema.FiniteFromString.pipe(
        Schema.decodeTo(Schema.toType(Sku), {
          decode: SchemaGetter.transform((n: number) => new Sku({ shop: "north", n })),
          encode: SchemaGetter.transform(({ n }: Sku) => n),
        }),
      )
      const feed = of({ larder: "prices", keys: ["7"] })
      yield* Invalidations.from(larder, feed, { key: ofNorth })
      expect(yield* larder.get(sku)).toBe(3)
    }),
  )

  test(
    "a schema of keys that are strings takes its place in the messages too",
    Effect.gen(function* () {
      const key = Schema.String.pipe(
        Schema.decodeTo(Schema.String, SchemaTransformation.toLowerCase()),
      )
      let lookups = 0
      const larder = yield* Larder.make({
        name: "prices",
        key,
        upstream: Upstream.make({ lookup: (_: string) => Effect.sync(() => (lookups += 1)) }),
        policy: Policy.make({ freshFor: "1 hour" }),
      })
      yield* larder.get("milk")
      yield* Invalidations.from(larder, of({ larder: "prices", keys: ["MILK"] }))
      yield* larder.get("milk")
      expect(lookups).toBe(2)
    }),
  )

  test(
    "fails with the feed's error, after what came before it",
    Effect.gen(function* () {
      const { larder, source } = yield* make<string>("prices")
      yield* larder.get("milk")
      const feed = Stream.concat(
        of({ larder: "prices", clear: true }),
        Stream.fail("broken" as const),
      )
      expect(yield* Effect.flip(Invalidations.from(larder, feed))).toBe("broken")
      yield* larder.get("milk")
      expect(source.lookups).toBe(2)
    }),
  )

  test(
    "dies with InvalidOptions for what is no schema, and for a misspelt option",
    Effect.gen(function* () {
      const { larder } = yield* make<string>("prices")
      for (const [options, text] of [
        [{ key: 5 }, "Invalidations: key must be a schema"],
        [{ keys: Schema.String }, "Invalidations: keys is an unknown option; did you mean `key`?"],
      ] as const) {
        const exit = yield* Effect.exit(
          Invalidations.from(larder, Stream.empty, options as never) as Effect.Effect<void>,
        )
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        expect(error).toBeInstanceOf(InvalidOptions)
        expect((error as Error).message).toContain(text)
      }
    }),
  )
})

describe("texts", () => {
  it("a message comes back from its text", () => {
    const messages = fc.record(
      {
        larder: fc.string(),
        keys: fc.array(fc.string()),
        tags: fc.array(fc.string()),
        clear: fc.boolean(),
        keepStale: fc.boolean(),
      },
      { requiredKeys: ["larder"] },
    )
    fc.assert(
      fc.property(messages, (message) => {
        expect(Invalidations.parse(Invalidations.stringify(message))).toEqual(
          Invalidations.change(message),
        )
      }),
    )
  })

  it("no text makes it fail", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => void Invalidations.parse(text)),
    )
  })

  it("law 29: a message of a later version is a gap; members that this version does not know are ignored", () => {
    expect(Invalidations.parse('{"v":2,"larder":"a","rows":[1]}')).toEqual(Invalidations.gap)
    expect(Invalidations.parse('{"v":1,"larder":"a","at":5}')).toEqual(
      Invalidations.change({ larder: "a" }),
    )
    expect(Invalidations.parse('{"v":0,"larder":"a"}')._tag).toBe("Malformed")
  })
})

describe("Reactivity", () => {
  test(
    "mutations of keys invalidate the tags of the same names, and no others",
    Effect.gen(function* () {
      const { larder, source } = yield* make<string>("prices")
      const feed = Invalidations.reactivity({ larder: "prices", tags: ["dairy", "fruit"] })
      const applied = yield* Queue.unbounded<Invalidations.Change>()
      const told = Stream.tap(feed, (one) => Queue.offer(applied, one))
      const running = yield* Effect.forkChild(Invalidations.from(larder, told), {
        startImmediately: true,
      })
      yield* larder.get("milk")
      source.price = 2
      yield* Reactivity.mutation(Effect.void, ["meat"])
      yield* Reactivity.mutation(Effect.void, { dairy: ["milk"] })
      yield* Queue.take(applied)
      yield* Effect.yieldNow
      expect(yield* larder.get("milk")).toBe(2)
      expect(yield* Queue.size(applied)).toBe(0)
      yield* Fiber.interrupt(running)
    }).pipe(Effect.provide(Reactivity.layer)),
  )
})
