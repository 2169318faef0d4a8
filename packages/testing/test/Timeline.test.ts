import { describe, expect, it } from "@effect/vitest"
import {
  Backplane,
  KeyDisplay,
  Larder,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { Chaos, LarderTest, Timeline } from "@larder/testing"
import { Effect, Fiber, Layer } from "effect"
import { timelineRecords } from "../src/internal/limits.ts"
import { XMLValidator } from "./support/xml.ts"
import { failureOf, Prices, Source } from "./support/shop.ts"

const shop = Prices.layer.pipe(
  Layer.provideMerge(Source.layer),
  Layer.provideMerge(LarderTest.layer),
)

const get = LarderTest.settle(Prices.get("milk"))

/** Calls with secret keys: answered, failed, invalid, changed. */
const secrets = Effect.gen(function* () {
  const larder = yield* Larder.make({
    name: "people",
    upstream: Upstream.make({
      lookup: (key: string) =>
        key.includes("bad") ? Effect.fail(`no ${key}`) : Effect.succeed(`value of ${key}`),
    }),
    policy: Policy.make({ freshFor: "1 minute" }),
  })
  yield* Effect.all([larder.get("SECRET-1"), larder.get("SECRET-22"), larder.get("SECRET-3")])
  yield* larder.getMany(["SECRET-1", "SECRET-22"])
  yield* Effect.exit(larder.get("SECRET-bad"))
  yield* Effect.exit(larder.get("SECRET\n"))
  yield* larder.remove("SECRET-1")
  yield* larder.invalidateTags("all")
})

/** What is drawn of them, and said of assertions that do not hold. */
const drawn = Effect.gen(function* () {
  const failed = (key: string) => Effect.map(failureOf(Timeline.expect(key).lookups(7)), String)
  return [
    yield* Timeline.text,
    yield* Timeline.svg,
    yield* failed("SECRET-22"),
    yield* failed("SECRET-unknown"),
    String(yield* failureOf(Timeline.expect("SECRET-1").neverServedOlderThan("1 minute"))),
    String(yield* failureOf(Timeline.expect().lookups(1))),
  ]
})

describe("keys of a timeline", () => {
  const kept = ["SECRET-1", "SECRET-22"] as const
  const hashOf = (key: string) => `get ${KeyDisplay.hashedWith("a secret")(key)}`

  it.effect("are shown, since a test wants to see them", () =>
    Effect.gen(function* () {
      yield* secrets
      const [text = ""] = yield* drawn
      for (const key of kept) expect(text).toContain(key)
      expect(text).toContain("value of SECRET-1")
    }).pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
  )

  for (const [name, display, first, second] of [
    ["hashed", KeyDisplay.hashedWith("a secret"), hashOf("SECRET-1"), hashOf("SECRET-22")],
    ["hidden", "hidden", "get key 1", "get key 2"],
    ["as a function says", (key: string) => `${key.slice(0, 2)}..`, "get SE..", "get SE.. 2"],
  ] as const) {
    it.effect(`are ${name} where that is provided, without values and texts of errors`, () =>
      Effect.gen(function* () {
        yield* secrets
        const texts = yield* Effect.provideService(drawn, KeyDisplay.KeyDisplay, display)
        for (const text of texts) expect(text).not.toMatch(/SECRET|value of/)
        expect(texts[0]).toContain(first)
        expect(texts[0]).toContain(second)
        expect(texts[2]).toContain("7 lookups of")
        const { records } = yield* Timeline.Timeline
        expect(JSON.stringify(records)).toContain("SECRET-1")
      }).pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
    )
  }

  it.effect("do not change what an assertion says of them", () =>
    Effect.gen(function* () {
      yield* secrets
      for (const key of kept) yield* Timeline.expect(key).lookups(1)
      yield* LarderTest.advance("2 seconds")
      yield* Timeline.expect("SECRET-1").settlesWithin("1 second")
      expect(String(yield* failureOf(Timeline.expect("SECRET-3").lookups(2)))).toContain(
        "expected 2 lookups of key 3, but there was 1",
      )
    }).pipe(
      Effect.provideService(KeyDisplay.KeyDisplay, "hidden"),
      Effect.scoped,
      Effect.provide(LarderTest.layer),
    ),
  )
})

describe("a timeline", () => {
  it.effect("records calls, their answers and the events between, in one order", () =>
    Effect.gen(function* () {
      yield* get
      yield* LarderTest.advance("15 seconds")
      yield* get
      yield* LarderTest.advance("1 second")
      const text = yield* Timeline.text
      expect(text.split("\n").map((line) => line.trimEnd())).toEqual([
        "                 | app",
        "         0.000 s | shop/Prices opened over memory, backplane none",
        "         0.000 s | -> get milk",
        "         0.000 s | miss milk (new)",
        "         0.000 s | lookup milk",
        "         0.050 s | lookup milk succeeded after 50 ms",
        "         0.050 s | stored milk",
        "         0.050 s | answered milk from upstream after 50 ms",
        "         0.050 s | <- get milk = 120 (fresh, upstream) after 50 ms",
        "        15.050 s | -> get milk",
        "        15.050 s | stale milk (revalidating)",
        "        15.050 s | <- get milk = 120 (stale, memory, 15000 ms old)",
        "        15.050 s | lookup milk in the background",
        "        15.100 s | lookup milk succeeded after 50 ms",
        "        15.100 s | stored milk",
      ])
    }).pipe(Effect.provide(shop)),
  )

  it.effect("records every method, and each gives what the larder gives", () =>
    Effect.gen(function* () {
      const source = yield* Source
      source.takes = 0
      expect(yield* Prices.get("milk")).toBe(120)
      expect((yield* Prices.getWithMeta("milk")).tier).toBe("memory")
      expect([...(yield* Prices.getMany(["milk", "eggs"])).keys()]).toEqual(["milk", "eggs"])
      expect((yield* Prices.read("milk")).entry?.value).toBe(120)
      expect((yield* Prices.set("milk", 1)).settled).toBe(true)
      expect(yield* Prices.refresh("milk")).toBe(120)
      expect((yield* Prices.expire("milk")).settled).toBe(true)
      expect((yield* Prices.remove("milk")).settled).toBe(true)
      expect((yield* Prices.invalidateTags("price")).settled).toBe(true)
      expect((yield* Prices.clear()).settled).toBe(true)
      yield* Prices.invalidateWhen(() => true)
      const { records } = yield* Timeline.Timeline
      const methods = records.flatMap((record) =>
        record._tag === "Answered" ? [record.method] : [],
      )
      expect(methods).toEqual([
        "get",
        "getWithMeta",
        "getMany",
        "read",
        "set",
        "refresh",
        "expire",
        "remove",
        "invalidateTags",
        "clear",
        "invalidateWhen",
      ])
      const calls = records.filter(({ _tag }) => _tag === "Called")
      expect(calls).toHaveLength(methods.length)
    }).pipe(Effect.provide(shop)),
  )

  it.effect("knows the keys of a larder that makes texts of them", () =>
    Effect.gen(function* () {
      const larder = yield* Larder.make({
        name: "products",
        upstream: Upstream.make({
          lookup: ({ id }: { readonly id: number }) => Effect.succeed(id),
        }),
        policy: Policy.make({ freshFor: "1 minute" }),
        key: ({ id }) => `product ${id}`,
      })
      yield* larder.get({ id: 3 })
      yield* Timeline.expect("product 3").lookups(1)
      const numbers = yield* Larder.make({
        name: "numbers",
        upstream: Upstream.make({ lookup: (id: number) => Effect.succeed(id) }),
        policy: Policy.make({ freshFor: "1 minute" }),
      })
      yield* numbers.get(3)
      yield* Timeline.expect(3).lookups(1)
      yield* Timeline.expect(3, { larder: "products" }).lookups(0)
    }).pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
  )

  it.effect("records a failure, a defect and a caller that left", () =>
    Effect.gen(function* () {
      const failing: Array<Effect.Effect<number, string>> = [
        Effect.fail("down"),
        Effect.die(new Error("broken")),
        Effect.never,
      ]
      const larder = yield* Larder.make({
        name: "failing",
        upstream: Upstream.make({ lookup: (_: string) => failing.shift() ?? Effect.succeed(1) }),
        policy: Policy.make({ freshFor: "1 minute" }),
      })
      yield* Effect.exit(larder.get("a"))
      yield* Effect.exit(larder.get("b"))
      yield* Fiber.interrupt(yield* Effect.forkChild(larder.get("c"), { startImmediately: true }))
      const text = yield* Timeline.text
      expect(text).toContain(`<- get a failed: "down"`)
      expect(text).toContain("<- get b died: Error: broken")
      expect(text).toContain("<- get c left")
    }).pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
  )

  it.effect("draws itself as well-formed SVG, whatever the texts", () =>
    Effect.gen(function* () {
      yield* get
      yield* Timeline.note(`<&"'> \u0001 \ud800`)
      const svg = yield* Timeline.svg
      expect(XMLValidator.problemOf(svg)).toBeUndefined()
      expect(svg).toContain("&lt;&amp;&quot;&#39;&gt; \ufffd \ufffd")
      expect(svg.match(/<circle /g)).toHaveLength(9)
    }).pipe(Effect.provide(shop)),
  )

  it.effect("shortens what is wider than its lane, and names larders where there are several", () =>
    Effect.gen(function* () {
      yield* Timeline.note("x".repeat(100))
      yield* get
      yield* Larder.make({
        name: "other",
        upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
        policy: Policy.make({ freshFor: "1 minute" }),
      })
      const lines = (yield* Timeline.text)
        .split("\n")
        .map((line) => line.split(" | ")[1]?.trimEnd())
      expect(lines).toContain(`# ${"x".repeat(51)}...`)
      expect(lines).toContain("shop/Prices: miss milk (new)")
      expect(lines).toContain("other: other opened over memory, backplane none")
    }).pipe(Effect.scoped, Effect.provide(shop)),
  )

  it.effect("works with a clock and tiers of one's own", () =>
    Effect.gen(function* () {
      const larder = yield* Larder.make({
        name: "own",
        upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
        policy: Policy.make({ freshFor: "1 minute" }),
      })
      yield* larder.get("milk")
      yield* Timeline.expect("milk").lookups(1)
    }).pipe(Effect.scoped, Effect.provide([TierStack.layer(MemoryTier.layer()), Timeline.layer])),
  )
})

describe("an assertion that does not hold shows the lanes around the moment, and the decision", () => {
  it.effect("lookups", () =>
    Effect.gen(function* () {
      yield* get
      yield* LarderTest.advance("15 seconds")
      yield* get
      yield* LarderTest.advance("1 second")
      const message = yield* failureOf(Timeline.expect("milk").lookups(1))
      expect(message).toContain(
        "AssertionFailed: expected 1 lookup of milk, but there were 2: at 0.000 s on app, at 15.050 s on app",
      )
      expect(message).toContain(">       15.050 s | lookup milk in the background")
      expect(message).toContain("        15.050 s | <- get milk = 120 (stale")
      expect(message).toContain(
        "The last decisions on app for milk:\n  arrived (usability revalidate, inFlight false, throttled false, failureKnown false, graceDenied false): ServeStale (reason revalidating, refresh true)",
      )
      yield* Timeline.expect("milk").lookups(2)
      yield* Timeline.expect("milk").lookupsAtMost(2)
      yield* Timeline.expect("eggs").lookups(0)
      expect(yield* failureOf(Timeline.expect("milk").lookupsAtMost(1))).toContain(
        "expected at most 1 lookup of milk, but there were 2",
      )
      expect(yield* failureOf(Timeline.expect("eggs").lookups(1))).toContain(
        "expected 1 lookup of eggs, but there was none. The timeline has no record",
      )
      expect(yield* failureOf(Timeline.expect("milk").lookups(0))).toContain(
        "expected milk never to be looked up, but there were 2 lookups: at 0.000 s on app, at",
      )
      yield* LarderTest.settle(Prices.get("eggs"))
      expect(yield* failureOf(Timeline.expect("eggs").lookupsAtMost(0))).toContain(
        "expected eggs never to be looked up, but there was 1 lookup: at 16.050 s on app\n",
      )
      yield* Timeline.expect().lookups(3)
      expect(yield* failureOf(Timeline.expect().lookups(1))).toContain(
        "expected 1 lookup of all keys together, but there were 3: milk at 0.000 s on app, milk at 15.050 s on app, eggs at",
      )
    }).pipe(Effect.provide(shop)),
  )

  it.effect("without the lanes of many nodes on which nothing happened then", () =>
    Effect.gen(function* () {
      const nodes = yield* LarderTest.nodes(40, Prices.layer)
      yield* LarderTest.settle(nodes[30].run(Prices.get("milk")))
      const head = (message: string) =>
        message
          .split("\n")
          .find((line) => line.includes(" | "))
          ?.split("|")
          .map((cell) => cell.trim())
      const message = yield* failureOf(Timeline.expect("milk").lookups(2))
      const lanes = head(message) ?? []
      expect(lanes).toContain("N31")
      expect(lanes.length).toBeLessThan(20)
      const hanging = LarderTest.settle(nodes[30].run(Effect.never), { within: "1 second" })
      expect((head(yield* failureOf(hanging)) ?? []).length).toBeLessThan(20)
      // The picture of everything has all of them.
      expect((head(yield* Timeline.text) ?? []).length).toBe(41)
    }).pipe(Effect.scoped, Effect.provide([LarderTest.layer, Source.layer])),
  )

  it.effect("lookups, without a list of them all", () =>
    Effect.gen(function* () {
      const source = yield* Source
      source.takes = 0
      for (let index = 0; index < 12; index++) yield* Prices.refresh("milk")
      expect(yield* failureOf(Timeline.expect("milk").lookups(1))).toMatch(
        /there were 12: (?:at 0\.000 s on app, ){10}and 2 more\n/,
      )
    }).pipe(Effect.provide(shop)),
  )

  it.effect("never served older than", () =>
    Effect.gen(function* () {
      const nothing = yield* failureOf(Timeline.expect("milk").neverServedOlderThan("1 hour"))
      expect(nothing).toContain("but no caller got a value")
      yield* get
      yield* LarderTest.advance("15 seconds")
      yield* get
      yield* Timeline.expect("milk").neverServedOlderThan("15 seconds")
      const message = yield* failureOf(Timeline.expect().neverServedOlderThan("14999 millis"))
      expect(message).toContain(
        "expected every key never to be served older than 14999 ms, but get on app got 120 for milk, 15000 ms old, at 15.050 s",
      )
      expect(message).toContain(">       15.050 s | <- get milk = 120 (stale")
    }).pipe(Effect.provide(shop)),
  )

  it.effect("never served older than, of many keys at once", () =>
    Effect.gen(function* () {
      const source = yield* Source
      source.takes = 0
      yield* Prices.getMany(["milk", "eggs"])
      yield* LarderTest.advance("9 seconds")
      yield* Prices.getMany(["milk", "eggs"])
      yield* Timeline.expect().neverServedOlderThan("9 seconds")
      expect(yield* failureOf(Timeline.expect("eggs").neverServedOlderThan("8 seconds"))).toContain(
        "but getMany on app got 120 for eggs, 9000 ms old",
      )
    }).pipe(Effect.provide(shop)),
  )

  it.effect("never served older than, of a value that is not equal to itself", () =>
    Effect.gen(function* () {
      const source = yield* Source
      source.takes = 0
      source.price = Number.NaN
      yield* Prices.getMany(["milk"])
      yield* LarderTest.advance("9 seconds")
      yield* Prices.getMany(["milk"])
      expect(yield* failureOf(Timeline.expect("milk").neverServedOlderThan("8 seconds"))).toContain(
        "but getMany on app got NaN for milk, 9000 ms old",
      )
    }).pipe(Effect.provide(shop)),
  )

  it.effect("never served older than, while memory still has the value before", () =>
    Effect.gen(function* () {
      const source = yield* Source
      const [a] = yield* LarderTest.nodes(1, Prices.layer)
      yield* LarderTest.settle(a.run(Prices.get("milk")))
      yield* LarderTest.advance("30 seconds")
      source.price = 130
      // The caller gets the new value before the tiers have it.
      yield* Chaos.setTier("shared", { latency: "50 millis", operations: "writes" })
      yield* LarderTest.settle(a.run(Prices.getMany(["milk"])))
      yield* Timeline.expect("milk").neverServedOlderThan("1 second")
      yield* LarderTest.advance("1 second")
    }).pipe(Effect.provide([LarderTest.layer, Source.layer])),
  )

  it.effect("answered within", () =>
    Effect.gen(function* () {
      expect(yield* failureOf(Timeline.expect("milk").answeredWithin("1 hour"))).toContain(
        "but no caller asked",
      )
      yield* get
      yield* Timeline.expect("milk").answeredWithin("50 millis")
      expect(yield* failureOf(Timeline.expect("milk").answeredWithin("49 millis"))).toContain(
        "expected milk to be answered within 49 ms, but get milk on app, called at 0.000 s, took 50 ms",
      )
      const waiting = yield* Effect.forkChild(Prices.get("eggs"), { startImmediately: true })
      yield* LarderTest.advance("40 millis")
      yield* Timeline.expect("eggs").answeredWithin("40 millis")
      expect(yield* failureOf(Timeline.expect("eggs").answeredWithin("39 millis"))).toContain(
        "has waited for 40 ms and has no answer",
      )
      yield* Fiber.interrupt(waiting)
      // A caller that left got no late answer.
      yield* Timeline.expect("eggs").answeredWithin("10 millis")
    }).pipe(Effect.provide(shop)),
  )

  it.effect("settles within", () =>
    Effect.gen(function* () {
      const asked = Timeline.expect("milk")
      expect(yield* failureOf(asked.settlesWithin("1 second"))).toContain(
        "but no caller changed anything",
      )
      const [a, b] = yield* LarderTest.nodes(2, Prices.layer)
      yield* LarderTest.settle(b.run(Prices.get("milk")))
      yield* Chaos.setMessages("B/shared", { delay: "2 seconds", spareHeartbeats: true })
      yield* a.run(Prices.set("milk", 130))
      expect(yield* failureOf(asked.settlesWithin("1 second"))).toContain(
        "but only 0 ms have passed: advance the clock before you ask",
      )
      yield* LarderTest.advance("500 millis")
      expect(yield* b.run(Prices.get("milk"))).toBe(120)
      yield* LarderTest.advance("2 seconds")
      expect(yield* b.run(Prices.get("milk"))).toBe(130)
      yield* asked.settlesWithin("2 seconds")
      const message = yield* failureOf(asked.settlesWithin("400 millis"))
      expect(message).toContain(
        "expected set milk on A, called at 0.050 s, to settle within 400 ms, but get on B got the older 120 for milk as fresh at 0.550 s",
      )
      expect(message).toMatch(/^> +0\.550 s \| +\| <- get milk = 120/m)
    }).pipe(Effect.provide([LarderTest.layer, Source.layer])),
  )

  it.effect("settles within, of a change without an answer", () =>
    Effect.gen(function* () {
      const [a] = yield* LarderTest.nodes(1, Prices.layer)
      yield* a.run(Prices.set("milk", 130))
      yield* LarderTest.advance("1 second")
      yield* Timeline.expect("milk").settlesWithin("1 second")
      yield* Chaos.setTier("shared", { latency: "80 millis" })
      yield* Effect.forkChild(a.run(Prices.set("milk", 140)), { startImmediately: true })
      yield* LarderTest.advance("50 millis")
      expect(yield* failureOf(Timeline.expect("milk").settlesWithin("49 millis"))).toContain(
        "expected set milk on A, called at 1.000 s, to settle within 49 ms, but it has waited for 50 ms and has no answer",
      )
      yield* Chaos.calm
      yield* LarderTest.advance("1 second")
    }).pipe(Effect.scoped, Effect.provide([LarderTest.layer, Source.layer])),
  )

  it.effect("settles within, of each of several changes", () =>
    Effect.gen(function* () {
      const [a, b] = yield* LarderTest.nodes(2, Prices.layer)
      yield* LarderTest.settle(b.run(Prices.get("milk")))
      yield* a.run(Prices.set("eggs", 1))
      yield* Chaos.setMessages("B/shared", { delay: "2 seconds", spareHeartbeats: true })
      yield* a.run(Prices.set("milk", 130))
      yield* LarderTest.advance("300 millis")
      yield* a.run(Prices.set("milk", 140))
      // Older than both changes, and only the first had to be settled.
      yield* b.run(Prices.get("milk"))
      yield* Chaos.calm
      yield* LarderTest.advance("5 seconds")
      expect(yield* failureOf(Timeline.expect("milk").settlesWithin("200 millis"))).toContain(
        "expected set milk on A, called at 0.050 s, to settle within 200 ms, but get on B got the older 120",
      )
      yield* Timeline.expect("milk").settlesWithin("301 millis")
    }).pipe(Effect.scoped, Effect.provide([LarderTest.layer, Source.layer])),
  )

  it.effect("settles within, of tags and clear", () =>
    Effect.gen(function* () {
      const [a, b] = yield* LarderTest.nodes(2, Prices.layer)
      for (const change of [Prices.invalidateTags("price"), Prices.clear()]) {
        yield* LarderTest.settle(b.run(Prices.get("milk")))
        yield* Chaos.setMessages("B/shared", { delay: "2 seconds", spareHeartbeats: true })
        yield* a.run(change)
        yield* LarderTest.advance("400 millis")
        yield* b.run(Prices.get("milk"))
        yield* LarderTest.advance("2 seconds")
        yield* LarderTest.settle(b.run(Prices.get("milk")))
        yield* Chaos.calm
        yield* Timeline.expect("milk").settlesWithin("2 seconds")
        expect(yield* failureOf(Timeline.expect("milk").settlesWithin("300 millis"))).toContain(
          "on B got the older 120 for milk as fresh",
        )
      }
    }).pipe(Effect.provide([LarderTest.layer, Source.layer])),
  )

  it.effect("settles within, though an older value is served as stale", () =>
    Effect.gen(function* () {
      const [a, b] = yield* LarderTest.nodes(2, Prices.layer)
      yield* LarderTest.settle(b.run(Prices.get("milk")))
      yield* a.run(Prices.set("milk", 130))
      yield* LarderTest.idle
      yield* Chaos.setUpstream("catalogue", { failure: 1 })
      yield* Chaos.setTier("B/shared", { failure: 1 })
      yield* LarderTest.advance("1 second")
      const { freshness, value } = yield* LarderTest.settle(b.run(Prices.getWithMeta("milk")))
      expect([value, freshness._tag]).toEqual([120, "Stale"])
      yield* Chaos.calm
      yield* Timeline.expect("milk").settlesWithin("1 second")
    }).pipe(Effect.provide([LarderTest.layer, Source.layer])),
  )

  it.effect("settles within, of one node where no arbiter orders the versions of two", () =>
    Effect.gen(function* () {
      const stack = Layer.merge(
        TierStack.layer(MemoryTier.layer()),
        Chaos.aroundBackplane(Backplane.layerMemory),
      )
      const [a, b] = yield* LarderTest.nodes(2, Layer.provide(Prices.layer, stack))
      yield* LarderTest.settle(b.run(Prices.get("milk")))
      yield* Chaos.setBackplane("memory", { lose: 1 })
      // The versions of a go ahead of those of b.
      yield* Effect.replicateEffect(a.run(Prices.set("milk", 130)), 10)
      yield* LarderTest.advance("1 second")
      expect(yield* b.run(Prices.get("milk"))).toBe(120)
      yield* Timeline.expect("milk").settlesWithin("1 second")
    }).pipe(Effect.provide([LarderTest.layer, Source.layer])),
  )

  it.effect("settles within, where the arbiter was away", () =>
    Effect.gen(function* () {
      const [a] = yield* LarderTest.nodes(1, Prices.layer)
      yield* Chaos.setTier("shared", { failure: 1 })
      const { settled } = yield* LarderTest.settle(a.run(Prices.set("milk", 130)))
      expect(settled).toBe(false)
      yield* LarderTest.advance("1 second")
      expect(yield* failureOf(Timeline.expect("milk").settlesWithin("1 second"))).toContain(
        "but the arbiter does not have it, pending in shared",
      )
      yield* Chaos.calm
      yield* LarderTest.advance("30 seconds")
      yield* Timeline.expect("milk").settlesWithin("30 seconds")
      // The tier has recovered, but not within a second.
      expect(yield* failureOf(Timeline.expect("milk").settlesWithin("1 second"))).toContain(
        "but the arbiter does not have it",
      )
      // That the tier recovered before says nothing of a later change.
      yield* Chaos.setTier("shared", { failure: 1 })
      yield* LarderTest.settle(a.run(Prices.set("milk", 140)))
      yield* LarderTest.advance("31 seconds")
      expect(yield* failureOf(Timeline.expect("milk").settlesWithin("31 seconds"))).toContain(
        "but the arbiter does not have it",
      )
      yield* Chaos.calm
      yield* LarderTest.advance("10 seconds")
    }).pipe(Effect.provide([LarderTest.layer, Source.layer])),
  )
})

describe("an assertion about what the timeline does not know fails", () => {
  const all = (options: Timeline.ExpectOptions, lookups = 0) => {
    const about = Timeline.expect("milk", options)
    return {
      lookups: about.lookups(lookups),
      lookupsAtMost: about.lookupsAtMost(1),
      neverServedOlderThan: about.neverServedOlderThan("1 minute"),
      answeredWithin: about.answeredWithin("1 minute"),
      settlesWithin: about.settlesWithin("1 second"),
    }
  }

  for (const name of [
    "lookups",
    "lookupsAtMost",
    "neverServedOlderThan",
    "answeredWithin",
    "settlesWithin",
  ] as const) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const [a, b] = yield* LarderTest.nodes(2, Prices.layer)
        yield* a.run(get)
        yield* a.run(Prices.set("milk", 130))
        yield* b.run(get)
        yield* LarderTest.advance("1 second")
        yield* all({ node: "A", larder: "shop/Prices" }, 1)[name]
        expect(yield* failureOf(all({ node: "Z" })[name])).toMatch(
          /^AssertionFailed: the timeline has no record of a node Z; there are A, B\n\n/,
        )
        expect(yield* failureOf(all({ larder: "nope" })[name])).toMatch(
          /^AssertionFailed: the timeline has no record of a larder nope; there are shop\/Prices\n\n/,
        )
      }).pipe(Effect.scoped, Effect.provide([LarderTest.layer, Source.layer])),
    )
  }

  it.effect("and names the keys that there are", () =>
    Effect.gen(function* () {
      yield* LarderTest.settle(Prices.get("milk"))
      expect(yield* failureOf(Timeline.expect("mlik").lookups(1))).toContain(
        "expected 1 lookup of mlik, but there was none. The timeline has no record of this key; it has milk\n",
      )
      const numbers = yield* Larder.make({
        name: "numbers",
        upstream: Upstream.make({ lookup: (id: number) => Effect.succeed(id) }),
        policy: Policy.make({ freshFor: "1 minute" }),
      })
      yield* numbers.get(3)
      expect(yield* failureOf(Timeline.expect("3").answeredWithin("1 second"))).toContain(
        "but no caller asked. The timeline has the key #3, which is a number: give 3 as a number\n",
      )
      for (let id = 4; id < 20; id++) yield* numbers.get(id)
      expect(yield* failureOf(Timeline.expect(99).answeredWithin("1 second"))).toMatch(
        /it has milk, (?:#\d+, ){8}#11 and others\n/,
      )
    }).pipe(Effect.scoped, Effect.provide(shop)),
  )

  it.effect("and about records that it has forgotten", () =>
    Effect.gen(function* () {
      yield* get
      const { forgotten, note } = yield* Timeline.Timeline
      expect(forgotten).toBe(0)
      for (let index = 0; index <= 2 * timelineRecords; index++) note("app", "busy")
      // None of these would find the lookup of half a million records ago.
      const { answeredWithin, lookups, lookupsAtMost } = Timeline.expect("milk")
      for (const assertion of [lookups(0), lookupsAtMost(0), answeredWithin("1 milli")]) {
        expect(yield* failureOf(assertion)).toMatch(
          /has forgotten its first \d+ records, .*: assert earlier, or let fewer calls be recorded/,
        )
      }
    }).pipe(Effect.provide(shop)),
  )

  it.effect("also where nothing has a record", () =>
    Effect.gen(function* () {
      expect(yield* failureOf(all({ larder: "nope" }).lookups)).toContain(
        "the timeline has no record of a larder nope; there is none",
      )
    }).pipe(Effect.provide(LarderTest.layer)),
  )
})

it.effect("what is no iterable reaches the larder, which refuses it", () =>
  Effect.gen(function* () {
    for (const got of [null, 5, {}]) {
      expect(yield* failureOf(Prices.getMany(got as never))).toContain(
        'InvalidOptions: Larder: getMany of "shop/Prices" must get an iterable of keys',
      )
      expect(yield* failureOf(Prices.invalidateTags(got as never))).toContain(
        'InvalidOptions: Larder: invalidateTags of "shop/Prices" must get a tag',
      )
    }
    expect(yield* failureOf(Prices.getMany("milk" as never))).toContain("must get an iterable")
  }).pipe(Effect.provide(shop)),
)
