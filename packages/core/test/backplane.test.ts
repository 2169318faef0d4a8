/** Nodes without an arbiter that notifies: what a backplane tells, and what it cannot order. */
import { expect, it } from "@effect/vitest"
import { Backplane, Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import {
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Metric,
  PubSub,
  Queue,
  Schema,
  Scope,
} from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer } from "./support/faultyTier.ts"
import { fork, start } from "./support/nodes.ts"

const memory = () => TierStack.layer(MemoryTier.layer())

/** What the nodes look up; counts the lookups. */
class Source {
  asked = 0
  value = 1
  answer: Effect.Effect<number, string> = Effect.sync(() => this.value)
}

const node = (
  source: Source,
  stack: Layer.Layer<TierStack.TierStack> = memory(),
  name = "nodes",
): Effect.Effect<Larder.Larder<string, number, string>, never, Scope.Scope> =>
  Larder.make({
    name,
    value: Schema.Finite,
    upstream: Upstream.make({
      lookup: (_: string) =>
        Effect.suspend(() => {
          source.asked += 1
          return source.answer
        }),
    }),
    tags: () => ["tag"],
    policy: Policy.make({ freshFor: "1 minute", staleIfError: "1 hour" }),
  }).pipe(Effect.provide(stack))

/** Lets messages arrive and take effect, which takes some turns of the event loop. */
const delivered = Effect.repeat(TestClock.adjust("1 millis"), { times: 5 })

const test = (title: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () =>
    Effect.andThen(start, body).pipe(
      Effect.scoped,
      Effect.provide(Layer.fresh(Backplane.layerMemory)),
    ),
  )

const two = Effect.gen(function* () {
  const source = new Source()
  return { source, a: yield* node(source), b: yield* node(source) }
})

const staleError = { _tag: "Stale", grace: "error" }

for (const change of ["set", "expire"] as const) {
  test(
    `law 18: after another node's ${change}, a value is served only if upstream fails`,
    Effect.gen(function* () {
      const { a, b, source } = yield* two
      yield* b.get("k")
      yield* change === "set" ? a.set("k", 2) : a.expire("k")
      yield* delivered
      expect((yield* b.read("k")).freshness).toEqual(staleError)
      source.answer = Effect.fail("down")
      expect(yield* b.get("k")).toBe(1)
      source.answer = Effect.succeed(2)
      yield* TestClock.adjust("2 seconds")
      expect(yield* b.get("k")).toBe(2)
    }),
  )
}

test(
  "law 18: what another node removes is gone",
  Effect.gen(function* () {
    const { a, b } = yield* two
    yield* b.get("k")
    yield* a.remove("k")
    yield* delivered
    expect((yield* b.read("k")).freshness).toEqual({ _tag: "Missing" })
  }),
)

test(
  "law 12: tags and clears of another node hold here",
  Effect.gen(function* () {
    const { a, b } = yield* two
    yield* b.get("k")
    yield* a.invalidateTags("tag")
    yield* delivered
    expect((yield* b.read("k")).freshness).toEqual(staleError)
    yield* b.refresh("k")
    expect((yield* b.read("k")).freshness).toEqual({ _tag: "Fresh" })
    yield* a.clear({ keepStale: false })
    yield* delivered
    expect((yield* b.read("k")).freshness).toEqual({ _tag: "Missing" })
  }),
)

test(
  "what invalidateWhen changes is told to other nodes",
  Effect.gen(function* () {
    const { a, b } = yield* two
    yield* a.get("k")
    yield* b.get("k")
    yield* a.invalidateWhen(({ key }) => key === "k", { keepStale: false })
    yield* delivered
    expect((yield* b.read("k")).freshness).toEqual({ _tag: "Missing" })
  }),
)

test(
  "lookups are not told: nodes with memory alone do not make each other look up",
  Effect.gen(function* () {
    const { a, b, source } = yield* two
    for (let i = 0; i < 5; i += 1) {
      yield* a.get("k")
      yield* b.get("k")
      yield* delivered
    }
    expect(source.asked).toBe(2)
    expect((yield* a.stats).messagesSent).toBe(0)
  }),
)

test(
  "law 11: a lookup that began before another node's change is not kept",
  Effect.gen(function* () {
    const { a, b, source } = yield* two
    const answered = yield* Deferred.make<number>()
    source.answer = Deferred.await(answered)
    const running = yield* fork(b.get("k"))
    yield* a.set("k", 2)
    yield* delivered
    yield* Deferred.succeed(answered, 1)
    expect(yield* Fiber.join(running)).toBe(1)
    source.answer = Effect.succeed(2)
    expect(yield* b.get("k")).toBe(2)
  }),
)

test(
  "law 20: two nodes set a key at once: neither value stays fresh, and upstream decides",
  Effect.gen(function* () {
    const { a, b, source } = yield* two
    yield* a.set("k", 10)
    yield* b.set("k", 20)
    yield* delivered
    expect((yield* a.read("k")).freshness).toEqual(staleError)
    expect((yield* b.read("k")).freshness).toEqual(staleError)
    source.value = 20
    expect([yield* a.get("k"), yield* b.get("k")]).toEqual([20, 20])
  }),
)

test(
  "a node does not outdate its own value by its own message, nor that of another larder",
  Effect.gen(function* () {
    const { a, source } = yield* two
    const other = yield* node(source, memory(), "others")
    yield* other.get("k")
    yield* a.set("k", 2)
    yield* delivered
    expect((yield* a.read("k")).freshness).toEqual({ _tag: "Fresh" })
    expect((yield* other.read("k")).freshness).toEqual({ _tag: "Fresh" })
  }),
)

test(
  "counts what was sent, what outdated something, and what did not",
  Effect.gen(function* () {
    const { a, b } = yield* two
    yield* b.get("k")
    yield* a.set("k", 2)
    yield* a.set("absent", 2)
    yield* delivered
    expect(yield* a.stats).toMatchObject({
      messagesSent: 2,
      messagesReceived: 0,
      messagesIgnored: 2,
    })
    expect(yield* b.stats).toMatchObject({
      messagesSent: 0,
      messagesReceived: 1,
      messagesIgnored: 1,
    })
  }),
)

/** The next turn of the event loop. */
const nextTurn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

const live = (title: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(title, () => Effect.provide(Effect.scoped(body), Layer.fresh(Backplane.layerMemory)))

live(
  "layerMemory: a settled change holds for the other larders of the process in the next turn",
  Effect.gen(function* () {
    const { a, b, source } = yield* two
    for (const change of [
      () => a.set("k", 2),
      () => a.expire("k"),
      () => a.remove("k"),
      () => a.invalidateTags("tag"),
      () => a.clear(),
    ]) {
      yield* b.refresh("k")
      expect((yield* b.read("k")).freshness).toEqual({ _tag: "Fresh" })
      expect((yield* change()).settled).toBe(true)
      yield* nextTurn
      expect((yield* b.read("k")).freshness).not.toEqual({ _tag: "Fresh" })
    }
    expect(source.asked).toBe(5)
  }),
)

live(
  "layerMemory: a loop of reads does not hold a change up beyond the next turn",
  Effect.gen(function* () {
    const { a, b, source } = yield* two
    let turns = 0
    const count = () => {
      turns += 1
      if (turns < 100) setImmediate(count)
    }
    for (let i = 0; i < 20; i += 1) {
      yield* b.get("k")
      source.value += 1
      yield* a.set("k", source.value)
      turns = 0
      setImmediate(count)
      while ((yield* b.get("k")) !== source.value) expect(turns).toBeLessThanOrEqual(1)
      turns = 100
      yield* nextTurn
    }
  }),
)

/** A shared tier without arbiter, which nodes read at any time. */
const sharedAlone = (faults = new Faults()) =>
  Effect.map(Layer.build(fileLayer(faults)), (built) =>
    Layer.succeed(Tier.Tier, {
      ...(Context.get(built, Tier.Tier) as Tier.ByteTier),
      scope: "shared" as const,
    }),
  )

test(
  "a shared tier without arbiter: the next read takes the changed value from there",
  Effect.gen(function* () {
    const tier = yield* sharedAlone()
    const source = new Source()
    const stack = () => TierStack.layer(MemoryTier.layer(), tier)
    const [a, b] = [yield* node(source, stack()), yield* node(source, stack())]
    yield* b.get("k")
    yield* TestClock.adjust("1 second")
    yield* a.set("k", 2)
    yield* delivered
    expect(yield* b.get("k")).toBe(2)
    expect(source.asked).toBe(1)
  }),
)

test(
  "law 11: a shared tier without arbiter: a lookup from before the change that was stored over it goes",
  Effect.gen(function* () {
    const tier = yield* sharedAlone()
    const source = new Source()
    const stack = () => TierStack.layer(MemoryTier.layer(), tier)
    const held = yield* Held.make
    const a = yield* Effect.provideService(node(source, stack()), Backplane.Backplane, held.plane)
    const b = yield* Effect.provideService(node(source, stack()), Backplane.Backplane, held.plane)
    yield* TestClock.adjust("1 second")
    yield* a.set("k", 2)
    yield* TestClock.adjust("1 second")
    // B has read the old value from upstream before the change, and its answer comes late.
    yield* b.refresh("k")
    yield* held.deliver
    source.value = 2
    expect(yield* b.get("k")).toBe(2)
  }),
)

test(
  "files of each node: a change elsewhere leaves no fresh value in the file, and a removal none at all",
  Effect.gen(function* () {
    const source = new Source()
    const stack = () =>
      TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), Layer.fresh(fileLayer(new Faults())))
    const [a, b] = [yield* node(source, stack()), yield* node(source, stack())]
    yield* delivered
    for (const key of ["set", "removed", "other"]) yield* b.get(key)
    yield* delivered
    const asked = source.asked
    expect((yield* b.read("set")).freshness).toEqual({ _tag: "Fresh" })
    yield* a.set("set", 2)
    yield* a.remove("removed")
    yield* delivered
    expect((yield* b.read("set")).freshness).toEqual(staleError)
    expect((yield* b.read("removed")).freshness).toEqual({ _tag: "Missing" })
    yield* b.get("set")
    expect(source.asked).toBe(asked + 1)
  }),
)

/** A hub that holds messages back, loses them, fails, and ends links, as a test says. */
class Held {
  readonly waiting: Array<() => void> = []
  fails: boolean | "open" | "publish" = false
  /** How long a link takes to open, and a message to be taken, ms. */
  opensIn = 0
  takesIn = 0
  published: Array<Backplane.Message> = []
  /** Messages that were published over a link that had ended. */
  late = 0
  readonly queues = new Set<Queue.Queue<Backplane.Message | Backplane.Gap>>()
  static readonly make = Effect.sync(() => new Held())

  readonly plane: Backplane.Backplane = {
    name: "held",
    open: () =>
      Effect.gen({ self: this }, function* () {
        if (this.opensIn > 0) yield* Effect.sleep(this.opensIn)
        if (this.fails === true || this.fails === "open") return yield* this.refused
        const queue = yield* Queue.unbounded<Backplane.Message | Backplane.Gap>()
        yield* Effect.acquireRelease(
          Effect.sync(() => this.queues.add(queue)),
          () => Effect.sync(() => this.queues.delete(queue)),
        )
        const publish = (message: Backplane.Message) =>
          Effect.suspend(() => {
            if (!this.queues.has(queue)) this.late += 1
            if (this.fails === true || this.fails === "publish") return this.refused
            return this.takesIn > 0 ? Effect.delay(taken(message), this.takesIn) : taken(message)
          })
        const taken = (message: Backplane.Message) =>
          Effect.sync(() => {
            this.published.push(message)
            this.waiting.push(() => {
              for (const each of this.queues) Queue.offerUnsafe(each, message)
            })
          })
        return { publish, messages: Queue.asDequeue(queue) }
      }),
  }

  readonly refused = Effect.fail(
    new Backplane.BackplaneError({ backplane: "held", operation: "any", cause: new Error("down") }),
  )

  readonly deliver = Effect.andThen(
    delivered,
    Effect.suspend(() => {
      for (const tell of this.waiting.splice(0)) tell()
      return delivered
    }),
  )

  readonly tell = (gap: Partial<Backplane.Gap>) =>
    Effect.andThen(
      Effect.sync(() => {
        for (const each of this.queues) {
          Queue.offerUnsafe(each, {
            _tag: "Gap",
            reason: "silence",
            part: undefined,
            isOver: false,
            ...gap,
          })
        }
      }),
      delivered,
    )
}

const held = (title: string, body: (held: Held) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () =>
    Effect.gen(function* () {
      yield* start
      const plane = yield* Held.make
      yield* body(plane).pipe(
        Effect.scoped,
        Effect.provideService(Backplane.Backplane, plane.plane),
      )
    }),
  )

held("law 19: after a gap, entries from before are served only if upstream fails", (plane) =>
  Effect.gen(function* () {
    const source = new Source()
    const a = yield* node(source)
    const told = yield* a.subscribe
    yield* a.get("k")
    yield* plane.tell({})
    expect((yield* a.read("k")).freshness).toEqual(staleError)
    expect((yield* a.entries)[0]?.freshness).toEqual(staleError)
    expect((yield* a.stats).gaps).toBe(1)
    expect((yield* PubSub.takeAll(told)).at(-1)).toMatchObject({
      _tag: "GapDetected",
      reason: "silence",
    })
    source.answer = Effect.fail("down")
    expect(yield* a.get("k")).toBe(1)
    source.answer = Effect.succeed(2)
    yield* TestClock.adjust("2 seconds")
    expect(yield* a.get("k")).toBe(2)
    expect(yield* a.get("k")).toBe(2)
    expect(source.asked).toBe(3)
    // What was looked up while messages were missing may be older than a change in that time.
    yield* plane.tell({ isOver: true })
    expect(yield* a.get("k")).toBe(2)
    expect(source.asked).toBe(4)
    expect((yield* a.stats).gaps).toBe(1)
  }),
)

held("law 19: a link that ends is a gap, and the larder opens another", (plane) =>
  Effect.gen(function* () {
    const source = new Source()
    const a = yield* node(source)
    const b = yield* node(source)
    yield* a.get("k")
    plane.fails = true
    for (const queue of [...plane.queues]) yield* Queue.shutdown(queue)
    yield* delivered
    expect((yield* a.stats).gaps).toBe(1)
    expect((yield* a.getWithMeta("k")).freshness).toEqual({ _tag: "Fresh" })
    expect(source.asked).toBe(2)
    yield* a.set("meanwhile", 1)
    yield* TestClock.adjust("5 seconds")
    expect((yield* a.stats).gaps).toBe(1)
    expect(plane.late).toBe(0)
    plane.fails = false
    yield* TestClock.adjust("1 second")
    yield* b.set("k", 5)
    yield* plane.deliver
    source.value = 5
    expect(yield* a.get("k")).toBe(5)
  }),
)

held("law 18: what could not be sent is sent again, each key once", (plane) =>
  Effect.gen(function* () {
    const source = new Source()
    const a = yield* node(source)
    const b = yield* node(source)
    const told = yield* a.subscribe
    yield* b.get("k")
    plane.fails = true
    yield* a.set("k", 2)
    yield* a.set("k", 3)
    yield* delivered
    yield* a.remove("k")
    expect(
      (yield* PubSub.takeAll(told)).filter(({ _tag }) => _tag === "TierWarning"),
    ).toMatchObject([
      {
        message:
          "1 message about a change could not be sent and will be sent again; until then other nodes may serve older values: down",
      },
    ])
    plane.fails = false
    yield* TestClock.adjust("1 second")
    expect(plane.published).toMatchObject([{ _tag: "Changed", key: "k", isRemoval: true }])
    yield* plane.deliver
    expect((yield* b.read("k")).freshness).toEqual({ _tag: "Missing" })
  }),
)

held("law 15: more changes than the bound become one mark of everything", (plane) =>
  Effect.gen(function* () {
    const source = new Source()
    const a = yield* node(source)
    const b = yield* node(source)
    yield* b.get("other")
    plane.fails = true
    for (let i = 0; i <= 10_000; i += 1) yield* a.set(`key ${i}`, i)
    plane.fails = false
    yield* TestClock.adjust("1 second")
    expect(plane.published).toMatchObject([{ _tag: "Marked", tags: [undefined], keepStale: true }])
    yield* plane.deliver
    expect((yield* b.read("other")).freshness).toEqual(staleError)
  }),
)

/** Sets a key and closes at once; says how long closing takes, ms, and what it logs. */
const setAndClose = (plane: Held, until = 10_000) =>
  Effect.gen(function* () {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ message }) => void lines.push(message))
    const set = Effect.scoped(Effect.flatMap(node(new Source()), (larder) => larder.set("k", 2)))
    const closing = yield* fork(Effect.provide(set, Logger.layer([logger])))
    let millis = 0
    for (; millis < until && closing.pollUnsafe() === undefined; millis += 10) {
      yield* TestClock.adjust(10)
    }
    return {
      isClosed: closing.pollUnsafe() !== undefined,
      millis,
      sent: plane.published.map((message) => (message._tag === "Changed" ? message.key : "")),
      logged: lines.flat().filter((line) => / closed /.test(String(line))),
    }
  })

for (const [what, delays, millis] of [
  ["sends at once what waits", {}, 10],
  ["waits for a link that is being opened", { opensIn: 300 }, 300],
  ["waits until a slow backplane has taken a message", { takesIn: 900 }, 900],
] as const) {
  held(`law 22: closing ${what}`, (plane) =>
    Effect.gen(function* () {
      Object.assign(plane, delays)
      const closing = yield* setAndClose(plane)
      expect(closing).toMatchObject({ isClosed: true, sent: ["k"], logged: [] })
      expect(closing.millis).toBeLessThanOrEqual(millis + 20)
    }),
  )
}

const unsent = expect.stringMatching(/^nodes: closed before the backplane held .* 1 message /)

for (const [what, fault] of [
  ["no link opens", { opensIn: 20_000 }],
  ["links cannot be opened", { fails: "open" }],
  ["a message is not taken", { takesIn: 20_000 }],
  ["messages are refused", { fails: "publish" }],
] as const) {
  held(`law 22: closing ends within closeTimeout, and logs what is left, where ${what}`, (plane) =>
    Effect.gen(function* () {
      Object.assign(plane, fault)
      const closing = yield* setAndClose(plane)
      expect(closing).toMatchObject({ isClosed: true, sent: [], logged: [unsent] })
      expect(closing.millis).toBeLessThanOrEqual(5_020)
      plane.fails = false
      yield* TestClock.adjust("1 minute")
      expect(plane.published).toEqual([])
    }),
  )
}

for (const fails of ["open", "publish"] as const) {
  held(`law 22: closing sends what waits once ${fails} succeeds again, without a pause`, (plane) =>
    Effect.gen(function* () {
      plane.fails = fails
      expect(yield* setAndClose(plane, 3_000)).toMatchObject({ isClosed: false, sent: [] })
      plane.fails = false
      yield* TestClock.adjust(120)
      expect(plane.published).toMatchObject([{ _tag: "Changed", key: "k" }])
    }),
  )

  held(`law 22: closing ends the pause after a failed ${fails}`, (plane) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      plane.fails = fails
      const a = yield* Scope.provide(node(new Source()), scope)
      yield* a.set("k", 2)
      yield* delivered
      plane.fails = false
      const closing = yield* fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(120)
      expect(closing.pollUnsafe()).toBeDefined()
      expect(plane.published).toMatchObject([{ _tag: "Changed", key: "k" }])
    }),
  )
}

held("law 22: a backplane that disobeys its interruption does not hold closing up", (plane) =>
  Effect.gen(function* () {
    const stuck = (link: Backplane.Link): Backplane.Link => ({
      ...link,
      publish: () => Effect.uninterruptible(Effect.never),
    })
    const disobeying: Backplane.Backplane = {
      name: "held",
      open: (options) => Effect.map(plane.plane.open(options), stuck),
    }
    const closing = yield* Effect.provideService(
      setAndClose(plane),
      Backplane.Backplane,
      disobeying,
    )
    expect(closing).toMatchObject({ isClosed: true, logged: [unsent] })
    expect(closing.millis).toBeLessThanOrEqual(5_020)
  }),
)

held(
  "law 22: closing sends the changes that the arbiter accepts while the larder closes",
  (plane) =>
    Effect.gen(function* () {
      const faults = { away: false }
      const tier = yield* arbiterOf("machine", faults)
      const scope = yield* Scope.make()
      const a = yield* Scope.provide(
        node(new Source(), TierStack.layer(MemoryTier.layer(), tier)),
        scope,
      )
      yield* TestClock.adjust("1 second")
      faults.away = true
      yield* a.set("k", 2)
      yield* delivered
      plane.published.length = 0
      plane.takesIn = 50
      const closing = yield* fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(200)
      faults.away = false
      yield* TestClock.adjust(400)
      expect(closing.pollUnsafe()).toBeDefined()
      expect(plane.published.filter(({ _tag }) => _tag === "Changed")).toHaveLength(1)
    }),
)

for (const fails of [false, "open"] as const) {
  held(
    `law 22: ${fails ? "a failed link" : "a link that opens"} while the larder closes makes nothing suspect any more`,
    (plane) =>
      Effect.gen(function* () {
        const tier = yield* arbiterOf("machine")
        const stack = () => TierStack.layer(MemoryTier.layer(), tier)
        const source = new Source()
        const other = node(source, stack())
        const b = yield* Effect.provideService(other, Backplane.Backplane, Backplane.none)
        yield* b.get("k")
        yield* TestClock.adjust("1 second")
        plane.opensIn = 300
        plane.takesIn = 50
        plane.fails = fails
        const closing = yield* fork(
          Effect.scoped(
            Effect.flatMap(node(new Source(), stack()), (larder) => larder.set("l", 2)),
          ),
        )
        yield* TestClock.adjust("500 millis")
        plane.fails = false
        yield* TestClock.adjust("1 second")
        expect(closing.pollUnsafe()).toBeDefined()
        expect(plane.published).toMatchObject([{ key: "l" }])
        // Another process reads the marks of the file that both share.
        yield* TestClock.adjust("10 seconds")
        yield* b.get("other")
        yield* b.get("k")
        expect(source.asked).toBe(2)
      }),
  )
}

held("a message under way when its link ends goes over the next one", (plane) =>
  Effect.gen(function* () {
    const a = yield* node(new Source())
    plane.takesIn = 500
    yield* a.set("k", 2)
    for (const queue of [...plane.queues]) yield* Queue.shutdown(queue)
    yield* TestClock.adjust("900 millis")
    expect(plane.published).toEqual([])
    plane.takesIn = 0
    yield* TestClock.adjust("200 millis")
    expect(plane.published).toMatchObject([{ _tag: "Changed", key: "k" }])
    yield* a.set("l", 2)
    yield* delivered
    expect(plane.published).toHaveLength(2)
  }),
)

held("changes made while messages are under way go together, each key once", (plane) =>
  Effect.gen(function* () {
    const a = yield* node(new Source())
    plane.takesIn = 100
    for (let i = 0; i < 5; i += 1) yield* a.set("k", i)
    yield* TestClock.adjust("1 second")
    expect(plane.published).toHaveLength(2)
  }),
)

held("what changed while a link is being opened reaches the other nodes", (plane) =>
  Effect.gen(function* () {
    const source = new Source()
    const b = yield* node(source)
    yield* b.get("k")
    plane.opensIn = 2_000
    const a = yield* node(source)
    yield* a.set("k", 2)
    yield* a.invalidateTags("other")
    yield* plane.deliver
    expect((yield* b.read("k")).freshness).toEqual({ _tag: "Fresh" })
    yield* TestClock.adjust("2 seconds")
    yield* plane.deliver
    expect((yield* b.read("k")).freshness).toEqual(staleError)
    expect(plane.published).toHaveLength(2)
  }),
)

held("a message of a node that delivers twice and late has the same end", (plane) =>
  Effect.gen(function* () {
    const source = new Source()
    const a = yield* node(source)
    const b = yield* node(source)
    yield* b.get("k")
    yield* a.set("k", 2)
    yield* delivered
    plane.waiting.push(...plane.waiting)
    yield* plane.deliver
    expect((yield* b.read("k")).freshness).toEqual(staleError)
    expect((yield* b.stats).messagesReceived).toBe(2)
  }),
)

/** The metrics of messages: counters and gauges by name, and the delays. */
const metrics = Effect.map(Metric.snapshot, (all) =>
  Object.fromEntries(
    all.flatMap(({ attributes = {}, id, state }): ReadonlyArray<readonly [string, unknown]> => {
      if (!/messages|gaps|suspects|delay/.test(id)) return []
      const name = [id, attributes["direction"]].filter(Boolean).join(" ")
      if ("buckets" in state) return [[name, { count: state.count, max: state.max }]]
      return [[name, Number("count" in state ? state.count : (state as { value: number }).value)]]
    }),
  ),
)

const measured = (body: Effect.Effect<void, unknown, Scope.Scope>) =>
  Effect.andThen(start, body).pipe(
    Effect.scoped,
    Effect.provideService(Metric.MetricRegistry, new Map()),
  )

it.effect("metrics: what was sent, received and ignored, how late, and what is suspect", () =>
  measured(
    Effect.gen(function* () {
      const plane = yield* Held.make
      const tier = Layer.succeedContext(yield* Layer.build(Layer.fresh(MemoryTier.layerShared)))
      const source = new Source()
      const stack = () => TierStack.layer(MemoryTier.layer(), tier)
      const [a, b] = [yield* node(source, stack()), yield* node(source, stack())]
      yield* a.get("k")
      yield* b.get("k")
      yield* delivered
      yield* TestClock.adjust("1 second")
      yield* a.set("k", 2)
      yield* a.invalidateTags("tag")
      yield* a.set("absent", 2)
      yield* delivered
      // Sent: one looked-up value, two sets, one mark. Each of both nodes gets all four. B has the key,
      // and both get the mark, which A hears of before it has the arbiter's answer.
      expect(yield* metrics).toEqual({
        "larder_messages_total sent": 4,
        "larder_messages_total received": 3,
        "larder_messages_total ignored": 5,
        larder_gaps_total: 0,
        larder_suspects: 0,
        larder_message_delay_seconds: { count: expect.any(Number), max: expect.closeTo(0, 1) },
      })
      const alone = yield* Effect.provideService(
        node(source, memory(), "alone"),
        Backplane.Backplane,
        plane.plane,
      )
      yield* alone.get("k")
      yield* alone.get("l")
      yield* plane.tell({})
      yield* alone.get("l")
      yield* alone.refresh("l")
      expect(yield* metrics).toMatchObject({ larder_gaps_total: 1, larder_suspects: 1 })
    }),
  ),
)

held("what changed before there was a link is sent when there is one", (plane) =>
  Effect.gen(function* () {
    const source = new Source()
    plane.fails = true
    const a = yield* node(source)
    yield* a.set("k", 2)
    yield* TestClock.adjust("5 seconds")
    expect(plane.published).toEqual([])
    plane.fails = false
    yield* TestClock.adjust("1 second")
    expect(plane.published).toMatchObject([{ _tag: "Changed", key: "k" }])
  }),
)

held(
  "a shared tier without arbiter: missed marks may cover what other nodes stored there",
  (plane) =>
    Effect.gen(function* () {
      const tier = yield* sharedAlone()
      const source = new Source()
      const stack = () => TierStack.layer(MemoryTier.layer(), tier)
      const [a, b] = [yield* node(source, stack()), yield* node(source, stack())]
      yield* a.get("k")
      yield* TestClock.adjust("1 second")
      yield* plane.tell({})
      expect((yield* b.read("k")).freshness).toEqual(staleError)
      yield* b.get("k")
      expect(source.asked).toBe(2)
    }),
)

test(
  "a background write is told once the tiers have it",
  Effect.gen(function* () {
    const faults = new Faults()
    const tier = yield* sharedAlone(faults)
    const source = new Source()
    const stack = () => TierStack.layer(MemoryTier.layer(), tier)
    const [a, b] = [yield* node(source, stack()), yield* node(source, stack())]
    yield* b.get("k")
    yield* TestClock.adjust("1 second")
    const policy = Policy.make({ freshFor: "1 minute", tierWrites: "background" })
    yield* a.set("k", 2, { policy })
    yield* delivered
    expect(yield* b.get("k")).toBe(2)
    expect(source.asked).toBe(1)
  }),
)

/** The arbiter of `layerShared` without its messages, as that of a file. */
const arbiterOf = (scope: Tier.TierScope, faults: { away: boolean } = { away: false }) =>
  Effect.map(Layer.build(Layer.fresh(MemoryTier.layerShared)), (built) => {
    const tier = Context.get(built, Tier.Tier) as Tier.ByteTier
    const or = <A>(effect: Effect.Effect<A, Tier.TierError>) =>
      Effect.suspend(() =>
        faults.away
          ? Effect.fail(new Tier.TierError({ tier: "own", operation: "any", cause: "away" }))
          : effect,
      )
    return Layer.succeed(Tier.Tier, {
      ...tier,
      name: "own",
      scope,
      abilities: { notifies: false },
      open: (options) =>
        Effect.map(tier.open(options), (store): Tier.ByteStore => {
          const arbiter = store.arbiter!
          return {
            ...store,
            read: (keys) => or(store.read(keys)),
            arbiter: {
              ...arbiter,
              listen: undefined,
              acquire: (...args) => or(arbiter.acquire(...args)),
              write: (...args) => or(arbiter.write(...args)),
              mark: (...args) => or(arbiter.mark(...args)),
              marks: (...args) => or(arbiter.marks(...args)),
            },
          }
        }),
    } satisfies Tier.ByteTier)
  })

/** Two nodes: with one file each as on two machines, or with one for both. */
const machines = (own: "each" | "both") =>
  Effect.gen(function* () {
    const source = new Source()
    const faults = { away: false }
    const [one, other] = [yield* arbiterOf("machine", faults), yield* arbiterOf("machine")]
    const a = yield* node(source, TierStack.layer(MemoryTier.layer(), one))
    const b = yield* node(source, TierStack.layer(MemoryTier.layer(), own === "each" ? other : one))
    yield* TestClock.adjust("1 second")
    return { a, b, source, faults }
  })

test(
  "law 18: files of two machines: a change reaches the file of the other machine",
  Effect.gen(function* () {
    const { a, b, source } = yield* machines("each")
    yield* b.get("set")
    yield* b.get("removed")
    yield* TestClock.adjust("1 second")
    yield* a.set("set", 2)
    yield* a.remove("removed")
    yield* delivered
    source.answer = Effect.fail("down")
    expect(yield* b.get("set")).toBe(1)
    expect((yield* b.getWithMeta("set")).freshness).toEqual(staleError)
    expect(yield* Effect.exit(b.get("removed"))).toEqual(Exit.fail("down"))
    source.answer = Effect.succeed(2)
    yield* TestClock.adjust("2 seconds")
    expect(yield* b.get("set")).toBe(2)
  }),
)

test(
  "law 12: files of two machines: marks reach the file of the other machine",
  Effect.gen(function* () {
    const { a, b } = yield* machines("each")
    yield* b.get("k")
    yield* TestClock.adjust("1 second")
    yield* a.invalidateTags("tag")
    yield* delivered
    expect((yield* b.read("k")).freshness).toEqual(staleError)
    yield* b.refresh("k")
    yield* TestClock.adjust("1 second")
    yield* a.clear({ keepStale: false })
    yield* delivered
    expect((yield* b.read("k")).freshness).toEqual({ _tag: "Missing" })
  }),
)

test(
  "law 12: in front of an arbiter that sends no messages, what another node removes leaves the file",
  Effect.gen(function* () {
    const faults = { away: false }
    const shared = yield* arbiterOf("shared", faults)
    const file = Layer.succeedContext(yield* Layer.build(fileLayer(new Faults())))
    const source = new Source()
    const a = yield* node(source, TierStack.layer(MemoryTier.layer(), shared))
    const b = yield* node(source, TierStack.layer(MemoryTier.layer(), file, shared))
    yield* TestClock.adjust("1 second")
    yield* b.get("k")
    yield* TestClock.adjust("1 second")
    yield* a.remove("k")
    yield* delivered
    faults.away = true
    source.answer = Effect.fail("down")
    const read = yield* fork(Effect.exit(b.get("k")))
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(read)).toEqual(Exit.fail("down"))
    faults.away = false
  }),
)

test(
  "one file for two processes: the other one takes the changed value from the file",
  Effect.gen(function* () {
    const { a, b, source } = yield* machines("both")
    yield* b.get("k")
    yield* TestClock.adjust("1 second")
    yield* a.set("k", 2)
    yield* delivered
    expect(yield* b.get("k")).toBe(2)
    yield* a.invalidateTags("tag")
    yield* delivered
    expect((yield* b.read("k")).freshness).toEqual(staleError)
    // Not marked a second time: what was looked up since then stays fresh.
    yield* a.get("k")
    yield* delivered
    expect((yield* b.read("k")).freshness).toEqual({ _tag: "Fresh" })
    expect(source.asked).toBe(2)
  }),
)

test(
  "law 18: a change that the arbiter missed is told again once it has it",
  Effect.gen(function* () {
    const { a, b, faults, source } = yield* machines("both")
    yield* a.get("k")
    faults.away = true
    expect((yield* a.set("k", 2)).settled).toBe(false)
    yield* a.invalidateTags("other")
    yield* delivered
    faults.away = false
    source.value = 2
    yield* TestClock.adjust("10 seconds")
    expect(yield* b.get("k")).toBe(2)
    expect((yield* a.stats).messagesSent).toBe(4)
  }),
)

test(
  "law 19: a gap makes the file of a machine suspect, also at the start",
  Effect.gen(function* () {
    const plane = yield* Held.make
    const source = new Source()
    const tier = yield* arbiterOf("machine")
    const stack = () => TierStack.layer(MemoryTier.layer(), tier)
    yield* Effect.scoped(
      Effect.flatMap(
        Effect.provideService(node(source, stack()), Backplane.Backplane, plane.plane),
        (larder) => larder.get("k"),
      ),
    )
    yield* TestClock.adjust("1 second")
    const a = yield* Effect.provideService(node(source, stack()), Backplane.Backplane, plane.plane)
    yield* delivered
    expect((yield* a.read("k")).freshness).toEqual(staleError)
    yield* a.get("k")
    expect((yield* a.read("k")).freshness).toEqual({ _tag: "Fresh" })
    yield* TestClock.adjust("1 second")
    yield* plane.tell({})
    expect((yield* a.read("k")).freshness).toEqual(staleError)
    expect(source.asked).toBe(2)
  }),
)

test(
  "law 15: a file that does not answer gets the change of the other machine when it is back",
  Effect.gen(function* () {
    const source = new Source()
    const faults = { away: false }
    const [one, other] = [yield* arbiterOf("machine"), yield* arbiterOf("machine", faults)]
    const a = yield* node(source, TierStack.layer(MemoryTier.layer(), one))
    const b = yield* node(source, TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), other))
    yield* TestClock.adjust("1 second")
    for (const key of ["set", "removed", "tagged", "other"]) yield* b.get(key)
    yield* TestClock.adjust("1 second")
    faults.away = true
    yield* a.set("set", 2)
    yield* a.remove("removed")
    yield* delivered
    faults.away = false
    yield* TestClock.adjust("10 seconds")
    expect((yield* b.read("removed")).freshness).toEqual({ _tag: "Missing" })
    expect((yield* b.read("set")).freshness).not.toEqual({ _tag: "Fresh" })
    // Marks that the file cannot take are set in this node.
    expect((yield* b.read("tagged")).freshness).toEqual({ _tag: "Fresh" })
    faults.away = true
    yield* a.invalidateTags("tag")
    yield* delivered
    faults.away = false
    expect((yield* b.read("tagged")).freshness).not.toEqual({ _tag: "Fresh" })
  }),
)

test(
  "law 20: a machine whose clock is ahead does not outdate what comes after its change",
  Effect.gen(function* () {
    const { b } = yield* machines("each")
    const plane = yield* Backplane.Backplane
    const link = yield* plane.open({ larder: "nodes" })
    const tomorrow = 1_790_000_000_000_000 + 86_400_000_000
    yield* link.publish({
      _tag: "Changed",
      node: "ahead",
      key: "k",
      isRemoval: true,
      version: tomorrow,
    })
    yield* delivered
    yield* TestClock.adjust("1 second")
    yield* b.get("k")
    yield* b.get("k")
    expect((yield* b.read("k")).entry?.version).toBeLessThan(tomorrow)
  }),
)

test(
  "a change that drops marks drops here what a mark that keeps already covers",
  Effect.gen(function* () {
    const { a, b } = yield* machines("each")
    yield* b.get("k")
    yield* TestClock.adjust("1 second")
    yield* b.invalidateTags("tag")
    yield* a.invalidateTags("tag", { keepStale: false })
    yield* delivered
    expect((yield* b.read("k")).freshness).toEqual({ _tag: "Missing" })
  }),
)

test(
  "a clear of another process ends what this one remembers and holds, where both share the file",
  Effect.gen(function* () {
    const { a, b } = yield* machines("both")
    yield* b.get("k")
    yield* TestClock.adjust("1 second")
    yield* a.clear({ keepStale: false })
    yield* delivered
    expect((yield* b.stats).entries).toBe(0)
  }),
)

test(
  "a background write is told once the file has it",
  Effect.gen(function* () {
    const { a, b, source } = yield* machines("both")
    yield* b.get("k")
    yield* TestClock.adjust("1 second")
    yield* a.set("k", 2, {
      policy: Policy.make({ freshFor: "1 minute", tierWrites: "background" }),
    })
    yield* delivered
    expect(yield* b.get("k")).toBe(2)
    expect(source.asked).toBe(1)
  }),
)

test(
  "a message about a key of a tier that all nodes share costs that tier nothing",
  Effect.gen(function* () {
    const tier = yield* arbiterOf("shared")
    const trips: Array<string> = []
    const counted = Layer.effect(
      Tier.Tier,
      Effect.map(Layer.build(tier), (built) => {
        const whole = Context.get(built, Tier.Tier) as Tier.ByteTier
        return {
          ...whole,
          open: (options: { readonly larder: string }) =>
            Effect.map(whole.open(options), (store) => ({
              ...store,
              read: (keys: ReadonlyArray<string>) => {
                trips.push("read")
                return store.read(keys)
              },
              arbiter: {
                ...store.arbiter!,
                write: (...args: Parameters<Tier.Arbiter["write"]>) => {
                  trips.push("write")
                  return store.arbiter!.write(...args)
                },
              },
            })),
        }
      }),
    )
    const source = new Source()
    const a = yield* node(source, TierStack.layer(MemoryTier.layer(), tier))
    yield* node(source, TierStack.layer(MemoryTier.layer(), counted))
    yield* delivered
    yield* a.set("set", 1)
    yield* a.remove("removed")
    yield* delivered
    expect(trips).toEqual([])
  }),
)

test(
  "law 19: a gap while the file of a machine does not answer makes its entries suspect too",
  Effect.gen(function* () {
    const plane = yield* Held.make
    const faults = { away: false }
    const own = yield* arbiterOf("machine", faults)
    const a = yield* Effect.provideService(
      node(new Source(), TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), own)),
      Backplane.Backplane,
      plane.plane,
    )
    yield* delivered
    yield* a.get("k")
    yield* a.get("other")
    yield* delivered
    expect((yield* a.read("k")).freshness).toEqual({ _tag: "Fresh" })
    faults.away = true
    yield* plane.tell({})
    faults.away = false
    expect((yield* a.read("k")).freshness).toEqual(staleError)
  }),
)

test(
  "a change elsewhere outdates the tier in front of the file's arbiter",
  Effect.gen(function* () {
    const source = new Source()
    const [one, other] = [yield* arbiterOf("machine"), yield* arbiterOf("machine")]
    const a = yield* node(source, TierStack.layer(MemoryTier.layer(), one))
    const b = yield* node(
      source,
      TierStack.layer(
        MemoryTier.layer({ maxEntries: 1 }),
        Layer.fresh(fileLayer(new Faults())),
        other,
      ),
    )
    yield* TestClock.adjust("1 second")
    yield* b.get("k")
    yield* b.get("other")
    yield* TestClock.adjust("1 second")
    expect((yield* b.read("k")).tier).toBe("file")
    yield* a.set("k", 2)
    yield* delivered
    expect((yield* b.read("k")).freshness).toEqual(staleError)
  }),
)

test(
  "a change elsewhere that comes before this process has used its file expires the value there",
  Effect.gen(function* () {
    const source = new Source()
    const [one, other] = [yield* arbiterOf("machine"), yield* arbiterOf("machine")]
    const a = yield* node(source, TierStack.layer(MemoryTier.layer(), one))
    const stack = () => TierStack.layer(MemoryTier.layer(), other)
    yield* Effect.scoped(Effect.flatMap(node(source, stack()), (larder) => larder.get("k")))
    yield* TestClock.adjust("1 second")
    const b = yield* node(source, stack())
    yield* delivered
    yield* a.set("k", 2)
    yield* TestClock.adjust("10 seconds")
    expect((yield* b.read("k")).freshness).toEqual(staleError)
  }),
)
