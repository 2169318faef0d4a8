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
import { inspect } from "node:util"

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

  for (const [what, text, reason] of [
    ["a string as keys", '{"v":1,"larder":"prices","keys":"milk"}', "keys must be an array of"],
    ["a key that is a number", '{"v":1,"larder":"prices","keys":["a",5]}', "one of them is 5"],
    ["a string as tags", '{"v":1,"larder":"prices","tags":"dairy"}', "tags must be an array of"],
    ["a text as clear", '{"v":1,"larder":"prices","clear":"true"}', "clear must be true or false"],
    ["a text as keepStale", '{"v":1,"larder":"prices","keys":[],"keepStale":"no"}', "keepStale"],
    [
      "a misspelt member",
      '{"v":1,"larder":"prices","key":"milk"}',
      "did you mean `keys` by `key`?",
    ],
    ["no change", '{"v":1,"larder":"prices"}', "it has none of keys, tags and clear"],
    ["a text as version", '{"v":"1","larder":"prices","keys":["milk"]}', 'v must be 1, got "1"'],
  ] as const) {
    for (const [where, feed] of [
      ["a text", Stream.make(Invalidations.parse(text))],
      ["an element", Stream.make({ _tag: "Change", message: JSON.parse(text) } as never)],
    ] as const) {
      test(
        `law 29: ${what} in ${where} that names the larder is a gap, and told`,
        Effect.gen(function* () {
          const { larder, source } = yield* make<string>("prices")
          yield* larder.get("milk")
          const events = yield* larder.subscribe
          yield* Invalidations.from(larder, feed)
          const [ignored, ...others] = yield* ignoredOf(events)
          expect(ignored?.reason).toContain(reason)
          expect(ignored?.reason).toContain("everything of the larder counts as changed")
          expect(JSON.parse(ignored!.text)).toEqual(JSON.parse(text))
          expect(others).toEqual([])
          source.isDown = true
          expect(yield* larder.get("milk")).toBe(1)
          expect(source.lookups).toBe(2)
        }),
      )
    }
  }

  for (const element of [
    undefined,
    null,
    5,
    "text",
    [],
    {},
    { _tag: "Nope" },
    { _tag: "Malformed" },
    { _tag: "Malformed", text: 5, reason: "it is wrong" },
    { _tag: "Change" },
    { _tag: "Change", message: null },
    { _tag: "Change", message: { keys: [5] } },
    { _tag: "Change", message: { v: 1, larder: 5, keys: ["milk"] } },
    { _tag: "Change", message: { v: 1n, keys: ["milk"] } },
  ]) {
    test(
      `law 29: an element that is no change is a gap, and the feed goes on: ${inspect(element)}`,
      Effect.gen(function* () {
        const { larder, source } = yield* make<string>("prices")
        const other = yield* larder.get("milk")
        const events = yield* larder.subscribe
        yield* Invalidations.from(larder, Stream.make(element as never))
        expect((yield* ignoredOf(events)).length).toBe(1)
        source.isDown = true
        expect(yield* larder.get("milk")).toBe(other)
        expect(source.lookups).toBe(2)
      }),
    )
  }

  test(
    "what is malformed and names another larder, or none, is an event alone",
    Effect.gen(function* () {
      const { larder, source } = yield* make<string>("prices")
      yield* larder.get("milk")
      const events = yield* larder.subscribe
      const texts = [
        '{"v":1,"larder":"other","keys":"milk"}',
        '{"v":1,"keys":["milk"]}',
        "null",
        "{",
      ]
      const feed = Stream.fromIterable(texts).pipe(
        Stream.map(Invalidations.parse),
        Stream.concat(
          Stream.make({ _tag: "Change", message: { v: 1, larder: "other", keys: 5 } } as never),
        ),
      )
      yield* Invalidations.from(larder, feed)
      expect((yield* ignoredOf(events)).length).toBe(5)
      yield* larder.get("milk")
      expect(source.lookups).toBe(1)
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
      { requiredKeys: ["larder", "keys"] },
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
    expect(Invalidations.parse('{"v":1,"larder":"a","tags":[],"key":"k"}')).toEqual(
      Invalidations.change({ larder: "a", tags: [] }),
    )
    expect(Invalidations.parse('{"v":0,"larder":"a"}')._tag).toBe("Malformed")
  })

  it("what is no string is malformed", () => {
    for (const text of [undefined, null, 5, {}, Buffer.from("{}")]) {
      expect(Invalidations.parse(text as never)).toMatchObject({ _tag: "Malformed" })
    }
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
