/** A simulated cluster: nodes that die, stand still and are cut off, and a server that loses its records. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Chaos, Cluster, LarderTest, Timeline } from "@larder/testing"
import { Context, Effect, Exit, Fiber, Layer, Schema, type Scope } from "effect"
import { failureOf } from "./support/shop.ts"

class Catalogue extends Context.Service<Catalogue, { price: number }>()("test/Catalogue") {
  static readonly layer = Layer.sync(this, () => ({ price: 120 }))
}

const times = { freshFor: "10 minutes", staleIfError: "1 hour" } as const

class Prices extends Larder.Service<Prices>()("test/Prices", {
  value: Schema.Finite,
  upstream: Upstream.make({
    lookup: (_: string) =>
      Effect.delay(
        Effect.map(Catalogue, ({ price }) => price),
        "50 millis",
      ),
  }),
  tags: () => ["prices"],
  policy: Policy.make(times),
}) {}

const milk = LarderTest.settle(Prices.get("milk"))
const freshness = LarderTest.settle(
  Effect.map(Prices.read("milk"), ({ freshness }) => freshness._tag),
)

const test = (
  title: string,
  body: Effect.Effect<void, unknown, Timeline.Timeline | Chaos.Chaos | Catalogue | Scope.Scope>,
) =>
  it.effect(title, () =>
    body.pipe(Effect.scoped, Effect.provide([LarderTest.layer, Catalogue.layer])),
  )

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

test(
  "the end of a test moves the clock for nodes that are cut off, so that a failed assertion is told",
  Effect.gen(function* () {
    const cutOff = Effect.gen(function* () {
      const { nodes, partition } = yield* Cluster.make(2, Prices.layer)
      const [a, b] = nodes
      yield* b.run(milk)
      yield* partition(a, b)
      yield* LarderTest.settle(a.run(Prices.set("milk", 130)))
      yield* b.pause
      yield* Timeline.expect("milk").lookups(2)
    })
    expect(yield* failureOf(Effect.scoped(cutOff))).toContain("expected 2 lookups of milk")
  }),
)

test(
  "the callers of a node that is killed are told so",
  Effect.gen(function* () {
    const { nodes } = yield* Cluster.make(2, Prices.layer)
    const [a, b] = nodes
    const alone = yield* fork(failureOf(a.run(Prices.get("milk"))))
    const settled = yield* fork(failureOf(a.run(milk)))
    const other = yield* fork(
      failureOf(a.run(Effect.andThen(a.kill, Effect.die(new Error("own"))))),
    )
    yield* LarderTest.idle
    const killed = "NodeKilled: the node A was killed while this ran on it"
    expect(yield* Fiber.join(alone)).toContain(killed)
    expect(yield* Fiber.join(settled)).toContain(killed)
    expect(yield* Fiber.join(other)).toBe("Error: own")
    // A node that shuts down ends as its application does.
    const left = yield* fork(failureOf(b.run(Prices.get("eggs"))))
    yield* LarderTest.settle(b.restart)
    expect(yield* Fiber.join(left)).toContain("LarderClosed")
  }),
)

test(
  "a node that is killed while it shuts down ends at once, and begins again",
  Effect.gen(function* () {
    const { nodes, partition, heal } = yield* Cluster.make(2, Prices.layer)
    const [a] = nodes
    yield* partition(a)
    yield* LarderTest.settle(a.run(Prices.set("milk", 130)))
    const restarting = yield* fork(a.restart)
    yield* LarderTest.advance("1 second")
    expect(restarting.pollUnsafe()).toBe(undefined)
    yield* a.kill
    yield* LarderTest.idle
    expect(restarting.pollUnsafe()).toEqual(Exit.void)
    yield* heal
    // The change was lost with its process.
    expect(yield* a.run(milk)).toBe(120)
  }),
)

test(
  "a node has one process at a time, and none after its scope",
  Effect.gen(function* () {
    let alive = 0
    let most = 0
    const process = Effect.acquireRelease(
      Effect.sync(() => {
        alive += 1
        most = Math.max(most, alive)
      }),
      () => Effect.sync(() => alive--),
    )
    const body = Effect.gen(function* () {
      const app = Layer.merge(Prices.layer, Layer.effectDiscard(process))
      const { nodes, partition } = yield* Cluster.make(1, app)
      const [a] = nodes
      // Its larder waits for the server before it closes.
      yield* partition(a)
      yield* LarderTest.settle(a.run(Prices.set("milk", 130)))
      yield* LarderTest.settle(Effect.all([a.restart, a.restart], { concurrency: "unbounded" }))
      expect([alive, most]).toEqual([1, 1])
      return a
    })
    const ended = yield* Effect.scoped(body)
    expect(alive).toBe(0)
    // The test would never end what it began.
    expect(yield* failureOf(ended.restart)).toContain("the scope of the node A has closed")
    expect(alive).toBe(0)
  }),
)

test(
  "a test ends though a node was killed in the middle of a change",
  Effect.gen(function* () {
    const body = Effect.gen(function* () {
      const { nodes, partition } = yield* Cluster.make(2, Prices.layer)
      const [a] = nodes
      yield* partition(a)
      const changes = [Prices.set("milk", 130), Prices.remove("eggs"), Prices.clear()]
      const nap = Effect.exit(Effect.sleep("1 second"))
      const naps = Effect.uninterruptible(Effect.replicateEffect(nap, 3, { discard: true }))
      const all = [...changes.map(Effect.asVoid), naps]
      const under = yield* Effect.forEach(all, (one) => fork(a.run(one)))
      yield* LarderTest.advance("50 millis")
      yield* a.kill
      yield* LarderTest.idle
      expect(under.every((fiber) => fiber.pollUnsafe() === undefined)).toBe(true)
      return under
    })
    const under = yield* Effect.scoped(body)
    yield* Fiber.awaitAll(under)
  }),
)

test(
  "a killed node's lookup is taken over when its lease has ended",
  Effect.gen(function* () {
    const {
      nodes: [a, b],
    } = yield* Cluster.make(2, Prices.layer, { limits: { leaseTime: "2 seconds" } })
    yield* fork(Effect.exit(a.run(Prices.get("milk"))))
    yield* LarderTest.idle
    yield* a.kill
    yield* LarderTest.advance("1 second")
    yield* Timeline.expect("milk", { node: "B" }).lookups(0)
    const reading = yield* fork(b.run(Prices.get("milk")))
    yield* LarderTest.advance("500 millis")
    expect(reading.pollUnsafe()).toBe(undefined)
    yield* LarderTest.advance("2 seconds")
    expect(yield* Fiber.join(reading)).toBe(120)
    yield* Timeline.expect("milk", { node: "B" }).lookups(1)
  }),
)

test(
  "what a killed node had queued reaches nobody, and what it shuts down with does",
  Effect.gen(function* () {
    const {
      nodes: [a, b],
    } = yield* Cluster.make(2, Prices.layer)
    const queue = Prices.set("milk", 130, {
      policy: Policy.make({ ...times, tierWrites: "background" }),
    })
    const waits = Chaos.setTier("A/shared", { hang: 1, operations: "writes" })
    yield* waits
    yield* LarderTest.settle(a.run(queue))
    yield* a.kill
    yield* Chaos.calm
    yield* LarderTest.advance("10 seconds")
    expect(yield* b.run(freshness)).toBe("Missing")
    yield* a.restart
    yield* waits
    yield* LarderTest.settle(a.run(queue))
    yield* Chaos.calm
    yield* LarderTest.settle(a.restart)
    expect(yield* b.run(milk)).toBe(130)
  }),
)

test(
  "nothing runs on a killed node until it begins again, with an empty memory",
  Effect.gen(function* () {
    const {
      nodes: [a],
    } = yield* Cluster.make(1, Prices.layer)
    yield* a.run(milk)
    yield* a.kill
    yield* a.kill
    const exit = yield* Effect.exit(a.run(milk))
    expect(Exit.isFailure(exit) && String(exit.cause)).toContain("the node A was killed")
    yield* a.restart
    expect((yield* a.run(Prices.stats)).entries).toBe(0)
    expect(yield* a.run(milk)).toBe(120)
    yield* Timeline.expect("milk").lookups(1)
  }),
)

test(
  "a node that stands still hears of changes when it goes on, before it answers anybody",
  Effect.gen(function* () {
    const {
      nodes: [a, b],
    } = yield* Cluster.make(2, Prices.layer)
    yield* b.run(milk)
    yield* b.pause
    yield* a.run(Prices.set("milk", 130))
    const reading = yield* fork(b.run(Prices.get("milk")))
    yield* LarderTest.advance("1 minute")
    expect(reading.pollUnsafe()).toBe(undefined)
    yield* b.resume
    expect(yield* LarderTest.settle(Fiber.join(reading))).toBe(130)
    yield* Timeline.expect("milk").neverServedOlderThan("10 minutes")
  }),
)

test(
  "a node that is cut off knows it, and agrees with the others after that",
  Effect.gen(function* () {
    const { heal, nodes, partition } = yield* Cluster.make(3, Prices.layer)
    const [a, b, c] = nodes
    for (const node of nodes) yield* node.run(milk)
    yield* partition(b, c)
    expect((yield* a.run(Prices.set("milk", 130))).settled).toBe(true)
    expect(yield* b.run(freshness)).toBe("Fresh")
    yield* LarderTest.advance("4 seconds")
    expect([yield* b.run(freshness), yield* c.run(freshness)]).toEqual(["Stale", "Stale"])
    yield* heal
    yield* LarderTest.advance("5 seconds")
    for (const node of nodes) expect(yield* node.run(milk)).toBe(130)
  }),
)

test(
  "records that the server lost are looked up again, and removed values do not come back",
  Effect.gen(function* () {
    const {
      nodes: [a, b],
      server,
    } = yield* Cluster.make(2, Prices.layer)
    yield* a.run(milk)
    yield* server.loseAll
    expect(yield* b.run(milk)).toBe(120)
    yield* Timeline.expect("milk").lookups(2)
    yield* server.evict(1)
    yield* b.kill
    yield* b.restart
    expect(yield* b.run(milk)).toBe(120)
    yield* Timeline.expect("milk").lookups(3)
  }),
)

test(
  "a request that the server gets late is carried out, though its sender has given it up",
  Effect.gen(function* () {
    const {
      nodes: [a, b],
      server,
    } = yield* Cluster.make(2, Prices.layer)
    yield* server.pause
    const ack = yield* LarderTest.settle(a.run(Prices.set("milk", 130)), { within: "2 seconds" })
    expect(ack.settled).toBe(false)
    yield* server.resume
    yield* LarderTest.advance("10 seconds")
    const [first, second] = [yield* a.run(milk), yield* b.run(milk)]
    expect(first).toBe(second)
    expect(yield* Timeline.text).toContain("paused")
  }),
)

test(
  "a server that stands still sends no heartbeats",
  Effect.gen(function* () {
    const {
      nodes: [a],
      server,
    } = yield* Cluster.make(1, Prices.layer)
    yield* a.run(milk)
    yield* server.pause
    yield* LarderTest.advance("4 seconds")
    expect(yield* a.run(freshness)).toBe("Stale")
    yield* server.resume
    yield* LarderTest.advance("2 seconds")
    expect(yield* a.run(milk)).toBe(120)
    yield* Timeline.expect("milk").lookups(1)
  }),
)

test(
  "nodes agree after a failover that lost a change",
  Effect.gen(function* () {
    const { nodes, server } = yield* Cluster.make(2, Prices.layer)
    const [a, b] = nodes
    for (const node of nodes) yield* node.run(milk)
    const failOver = yield* server.replicate
    yield* a.run(Prices.set("milk", 130))
    yield* failOver
    yield* LarderTest.advance("5 seconds")
    expect(yield* a.run(milk)).toBe(yield* b.run(milk))
  }),
)

test(
  "a clock that runs fast shows a later time of day, and freshness lasts as long",
  Effect.gen(function* () {
    const {
      nodes: [a],
    } = yield* Cluster.make(1, Prices.layer, { skews: [1_000] })
    const time = Effect.clockWith((clock) => clock.currentTimeMillis)
    const base = yield* time
    yield* a.setRate(2)
    yield* a.run(milk)
    yield* LarderTest.advance("5 minutes")
    expect((yield* a.run(time)) - base).toBe(1_000 + 2 * 300_050)
    yield* a.run(milk)
    yield* Timeline.expect("milk").lookups(1)
    yield* a.setRate(1)
    yield* LarderTest.advance("1 second")
    expect((yield* a.run(time)) - base).toBe(1_000 + 2 * 300_050 + 1_000)
    const exit = yield* Effect.exit(a.setRate(0))
    expect(Exit.isFailure(exit) && String(exit.cause)).toContain("be a number above 0")
  }),
)

test(
  "messages, sleepers and answers wait for a node that stands still",
  Effect.gen(function* () {
    const {
      nodes: [a, b],
    } = yield* Cluster.make(2, Prices.layer)
    yield* b.run(milk)
    const larder = yield* b.run(Prices)
    const freshUntil = Effect.map(larder.entries, ([first]) => first?.entry.freshUntil)
    const before = yield* freshUntil
    const sleeping = yield* fork(b.run(Effect.sleep("1 second")))
    yield* b.pause
    yield* a.run(Prices.set("milk", 130))
    yield* LarderTest.advance("5 seconds")
    expect(yield* freshUntil).toBe(before)
    expect(sleeping.pollUnsafe()).toBe(undefined)
    yield* b.resume
    expect(yield* freshUntil).not.toBe(before)
    yield* LarderTest.idle
    expect(sleeping.pollUnsafe()).toBeDefined()
  }),
)

test(
  "a killed node begins again at once, whatever waits in it",
  Effect.gen(function* () {
    const {
      nodes: [a],
    } = yield* Cluster.make(1, Prices.layer)
    yield* Chaos.setTier("A/shared", { hang: 1 })
    const queued = Policy.make({ ...times, tierWrites: "background" })
    yield* LarderTest.settle(a.run(Prices.set("milk", 130, { policy: queued })))
    // No `settle`: neither may need any time.
    yield* a.kill
    yield* a.restart
    expect((yield* a.run(Prices.stats)).queuedWrites).toBe(0)
    yield* Chaos.calm
  }),
)

test(
  "what a killed node has under way does not reach its file",
  Effect.gen(function* () {
    const {
      nodes: [a],
    } = yield* Cluster.make(1, Prices.layer, { file: true })
    yield* Chaos.setTier("A/shared", { latency: "50 millis" })
    yield* fork(Effect.exit(a.run(Prices.set("milk", 130))))
    yield* LarderTest.advance("25 millis")
    yield* a.kill
    yield* LarderTest.advance("1 second")
    yield* a.restart
    yield* Chaos.setTier("A/shared", { failure: 1 })
    expect(yield* a.run(freshness)).toBe("Missing")
    yield* Chaos.calm
  }),
)

test(
  "healing lets the server go on",
  Effect.gen(function* () {
    const {
      heal,
      nodes: [a],
      server,
    } = yield* Cluster.make(1, Prices.layer)
    yield* server.pause
    yield* heal
    expect((yield* a.run(Prices.set("milk", 130))).settled).toBe(true)
  }),
)

test(
  "the faults of messages are applied once",
  Effect.gen(function* () {
    const {
      nodes: [a, b],
    } = yield* Cluster.make(2, Prices.layer)
    yield* b.run(milk)
    yield* Chaos.setMessages("B/shared", { delay: "300 millis" })
    yield* a.run(Prices.set("milk", 130))
    yield* LarderTest.advance("299 millis")
    expect(yield* b.run(freshness)).toBe("Fresh")
    yield* LarderTest.advance("1 milli")
    expect(yield* b.run(milk)).toBe(130)
  }),
)

test(
  "a killed node does not wake, whether it stood still or not",
  Effect.gen(function* () {
    const { nodes } = yield* Cluster.make(2, Prices.layer)
    const [a, b] = nodes
    const woken: Array<string> = []
    for (const { name, run } of nodes) {
      const sleeping = Effect.andThen(
        Effect.sleep("1 second"),
        Effect.sync(() => woken.push(name)),
      )
      yield* fork(run(sleeping))
      // The end of the test must not wait for it.
      yield* fork(Effect.uninterruptible(run(sleeping)))
    }
    yield* b.pause
    yield* LarderTest.advance("500 millis")
    yield* a.kill
    yield* LarderTest.advance("5 seconds")
    yield* b.kill
    yield* LarderTest.advance("5 seconds")
    expect(woken).toEqual([])
    for (const node of nodes) {
      yield* node.pause
      yield* node.resume
      const exit = yield* Effect.exit(node.run(milk))
      expect(Exit.isFailure(exit) && String(exit.cause)).toContain("was killed")
    }
    expect(yield* Timeline.text).not.toContain("resumed")
  }),
)

test(
  "a lookup of a node that is killed while it stands still does not end",
  Effect.gen(function* () {
    const {
      nodes: [a, b],
    } = yield* Cluster.make(2, Prices.layer)
    yield* fork(Effect.exit(a.run(Prices.get("milk"))))
    yield* LarderTest.advance("10 millis")
    yield* a.pause
    yield* LarderTest.advance("1 second")
    yield* a.kill
    yield* LarderTest.advance("1 second")
    expect(yield* b.run(freshness)).toBe("Missing")
    const { records } = yield* Timeline.Timeline
    expect(
      records.some((one) => one._tag === "Happened" && one.event._tag === "LookupSucceeded"),
    ).toBe(false)
  }),
)

test(
  "messages of two clusters each have the faults of their own nodes",
  Effect.gen(function* () {
    const one = yield* Cluster.make(2, Prices.layer)
    const other = yield* Cluster.make(2, Prices.layer)
    expect([...one.nodes, ...other.nodes].map(({ name }) => name)).toEqual(["A", "B", "C", "D"])
    for (const { nodes } of [one, other]) {
      yield* nodes[0].run(milk)
      yield* nodes[1].run(milk)
    }
    yield* other.partition(other.nodes[1])
    for (const { nodes } of [one, other]) yield* nodes[0].run(Prices.set("milk", 130))
    yield* LarderTest.idle
    const known = (node: LarderTest.Node<Prices>) =>
      node.run(Effect.map(Prices.read("milk"), ({ entry }) => entry?.value))
    expect(yield* known(one.nodes[1])).toBe(130)
    expect(yield* known(other.nodes[1])).toBe(120)
    yield* LarderTest.advance("4 seconds")
    expect((yield* one.nodes[1].run(Prices.stats)).gaps).toBe(0)
    expect((yield* other.nodes[1].run(Prices.stats)).gaps).toBe(1)
    expect((yield* other.nodes[0].run(Prices.stats)).gaps).toBe(0)
  }),
)

test(
  "the names of nodes are free again when their cluster ends",
  Effect.gen(function* () {
    const names = Effect.scoped(
      Effect.map(Cluster.make(2, Prices.layer), ({ nodes }) => nodes.map(({ name }) => name)),
    )
    expect(yield* names).toEqual(["A", "B"])
    const { nodes } = yield* Cluster.make(1, Prices.layer)
    expect(yield* names).toEqual(["B", "C"])
    expect(nodes[0].name).toBe("A")
  }),
)

test(
  "what a node looks up after a change that it could not hear of is not older than the change",
  Effect.gen(function* () {
    const {
      heal,
      nodes: [a, b],
      partition,
    } = yield* Cluster.make(2, Prices.layer)
    yield* b.run(milk)
    yield* partition(b)
    yield* a.run(Prices.invalidateTags("prices"))
    yield* LarderTest.advance("5 seconds")
    // B knows of a gap: it asks upstream, and what it gets is fresh for it.
    yield* b.run(milk)
    expect((yield* b.run(Prices.getWithMeta("milk"))).freshness._tag).toBe("Fresh")
    yield* Timeline.expect("milk").settlesWithin("3 seconds")
    yield* heal
  }),
)

test(
  "a TierStack of the application's own, which does not use the server, is refused",
  Effect.gen(function* () {
    const own = TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared)
    for (const count of [1, 2]) {
      const made = Effect.scoped(Cluster.make(count, Layer.provide(Prices.layer, own)))
      expect(yield* failureOf(made)).toContain(
        "WronglyShared: Cluster.make: the larder test/Prices of the node A does not use the server of the cluster",
      )
    }
  }),
)

test(
  "callers on a killed node have left: no assertion counts them as waiting",
  Effect.gen(function* () {
    const {
      nodes: [a, b],
    } = yield* Cluster.make(2, Prices.layer)
    yield* b.run(Prices.set("milk", 130))
    yield* Chaos.setTier("A/shared", { latency: "50 millis" })
    const changing = yield* fork(Effect.exit(a.run(Prices.set("milk", 140))))
    yield* LarderTest.advance("10 millis")
    yield* a.kill
    yield* LarderTest.advance("10 seconds")
    expect(changing.pollUnsafe()).toBe(undefined)
    yield* Timeline.expect("milk").answeredWithin("1 second")
    yield* Timeline.expect("milk").settlesWithin("1 second")
    expect(yield* Timeline.text).toMatch(/0\.010 s \| <- set milk left after 10 ms/)
    const { records } = yield* Timeline.Timeline
    const answers = records.filter((one) => one._tag === "Answered" && one.node === "A")
    expect(answers).toHaveLength(1)
  }),
)

test(
  "a change in one cluster does not have to settle in another one",
  Effect.gen(function* () {
    const one = yield* Cluster.make(2, Prices.layer)
    const other = yield* Cluster.make(1, Prices.layer)
    yield* other.nodes[0].run(milk)
    for (const price of [130, 140]) yield* one.nodes[0].run(Prices.set("milk", price))
    yield* LarderTest.advance("2 seconds")
    expect(yield* one.nodes[1].run(milk)).toBe(140)
    expect(yield* other.nodes[0].run(milk)).toBe(120)
    yield* Timeline.expect("milk").settlesWithin("1 second")
  }),
)
