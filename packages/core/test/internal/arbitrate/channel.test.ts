/** The messages of a shared tier over a network with delays and losses. */
import { assert, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryTier from "../../../src/MemoryTier.ts"
import { type Arbiter, type Message, Tier } from "../../../src/Tier.ts"
import { countedClock } from "../../support/countedClock.ts"

const heartbeat = 100

type Deliver = MemoryTier.Network["deliver"]

/** The arbiter of a larder over a tier with this network, or with none. */
const arbiterOver = (network: MemoryTier.Network | undefined, larder = "channel") =>
  Effect.gen(function* () {
    const tier = Context.get(
      yield* Layer.build(MemoryTier.layerSharedWith({ heartbeat, network })),
      Tier,
    )
    if (tier.kind !== "bytes") throw new Error("a byte tier")
    const { arbiter } = yield* tier.open({ larder })
    return arbiter!
  })

/** Subscribes; the messages that have arrived since the last look. */
const heard = (arbiter: Arbiter) =>
  Effect.gen(function* () {
    const messages: Array<string> = []
    yield* arbiter.listen!((message) => void messages.push(shown(message)))
    return { arrived: () => messages.splice(0) }
  })

const shown = (message: Message): string => {
  if (message._tag === "Gap") return `${message.reason} ${message.isOver ? "over" : "begins"}`
  return message._tag === "Changed" ? message.key : "mark"
}

/** A network that delivers changes of a key after the delays in its name, such as "0" or "50 0". */
const byKey: Deliver = (message) =>
  message._tag === "Changed" ? message.key.split(" ").filter(Boolean).map(Number) : [0]

it.effect("messages arrive after the delays of the network: late, twice, reordered or never", () =>
  Effect.gen(function* () {
    const arbiter = yield* arbiterOver({ deliver: byKey })
    const node = yield* heard(arbiter)
    for (const key of ["60", "0", "10 20", " ", "5"]) {
      yield* arbiter.write(key, { _tag: "Remove" }, 0)
    }
    assert.deepEqual(node.arrived(), ["0"])
    yield* TestClock.adjust(9)
    assert.deepEqual(node.arrived(), ["5"])
    yield* TestClock.adjust(51)
    assert.deepEqual(node.arrived(), ["10 20", "10 20", "60"])
  }).pipe(Effect.scoped),
)

it.effect("law 19: a lost message is a hole when the next heartbeat arrives, once", () =>
  Effect.gen(function* () {
    const arbiter = yield* arbiterOver({ deliver: byKey })
    const node = yield* heard(arbiter)
    yield* TestClock.adjust(heartbeat)
    yield* arbiter.write(" ", { _tag: "Remove" }, 0)
    yield* arbiter.write("0", { _tag: "Remove" }, 0)
    yield* TestClock.adjust(heartbeat - 1)
    assert.deepEqual(node.arrived(), ["0"])
    yield* TestClock.adjust(1)
    assert.deepEqual(node.arrived(), ["hole over"])
    yield* TestClock.adjust(10 * heartbeat)
    assert.deepEqual(node.arrived(), [])
  }).pipe(Effect.scoped),
)

it.effect("a late message is no hole once it has arrived", () =>
  Effect.gen(function* () {
    const arbiter = yield* arbiterOver({ deliver: byKey })
    const node = yield* heard(arbiter)
    yield* arbiter.write("50", { _tag: "Remove" }, 0)
    yield* TestClock.adjust(10 * heartbeat)
    assert.deepEqual(node.arrived(), ["50"])
  }).pipe(Effect.scoped),
)

it.effect(
  "law 19: a settled change and then a message lost: the gap is known within three heartbeats",
  () =>
    Effect.gen(function* () {
      let isCut = false
      const arbiter = yield* arbiterOver({ deliver: () => (isCut ? [] : [0]) })
      const node = yield* heard(arbiter)
      for (const phase of [0, 1, heartbeat - 1]) {
        isCut = false
        yield* TestClock.adjust(10 * heartbeat + phase)
        node.arrived()
        isCut = true
        yield* arbiter.write("k", { _tag: "Remove" }, 0)
        yield* TestClock.adjust(3 * heartbeat)
        assert.deepEqual(node.arrived(), ["silence begins"])
      }
    }).pipe(Effect.scoped),
)

it.effect("silence is reported once, and over with the first heartbeat that arrives", () =>
  Effect.gen(function* () {
    let delays: ReadonlyArray<number> = []
    const arbiter = yield* arbiterOver({ deliver: () => delays })
    const node = yield* heard(arbiter)
    yield* TestClock.adjust(3 * heartbeat - 1)
    assert.deepEqual(node.arrived(), [])
    yield* TestClock.adjust(1)
    assert.deepEqual(node.arrived(), ["silence begins"])
    yield* TestClock.adjust(10 * heartbeat)
    assert.deepEqual(node.arrived(), [])
    delays = [0]
    yield* arbiter.write("k", { _tag: "Remove" }, 0)
    assert.deepEqual(node.arrived(), ["k"])
    yield* TestClock.adjust(heartbeat)
    assert.deepEqual(node.arrived(), ["silence over"])
    yield* TestClock.adjust(10 * heartbeat)
    assert.deepEqual(node.arrived(), [])
  }).pipe(Effect.scoped),
)

it.effect("a heartbeat from before the silence that arrives late does not end it", () =>
  Effect.gen(function* () {
    const arbiter = yield* arbiterOver({
      deliver: (message) => (message._tag === "Heartbeat" && message.number === 1 ? [350] : []),
    })
    const node = yield* heard(arbiter)
    yield* TestClock.adjust(10 * heartbeat)
    assert.deepEqual(node.arrived(), ["silence begins"])
  }).pipe(Effect.scoped),
)

it.effect("a network tells subscriptions apart by larder and by the order of opening", () =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    const deliver: Deliver = (message, { larder, number }) => {
      seen.push(`${message._tag} ${larder} ${number}`)
      return number === 2 ? [] : [0]
    }
    const arbiter = yield* arbiterOver({ deliver })
    const first = yield* heard(arbiter)
    const second = yield* heard(arbiter)
    yield* arbiter.write("k", { _tag: "Remove" }, 0)
    yield* TestClock.adjust(3 * heartbeat)
    assert.deepEqual(first.arrived(), ["k"])
    assert.deepEqual(second.arrived(), ["silence begins"])
    assert.deepEqual(seen.slice(0, 4), [
      "Changed channel 1",
      "Changed channel 2",
      "Heartbeat channel 1",
      "Heartbeat channel 2",
    ])
  }).pipe(Effect.scoped),
)

it.effect("law 22: the heartbeats and delayed messages of a subscription end with its scope", () =>
  Effect.gen(function* () {
    let delivered = 0
    const deliver: Deliver = () => {
      delivered += 1
      return [50]
    }
    const arbiter = yield* arbiterOver({ deliver })
    const scope = yield* Scope.make()
    const node = yield* Scope.provide(heard(arbiter), scope)
    yield* arbiter.write("k", { _tag: "Remove" }, 0)
    yield* Scope.close(scope, Exit.void)
    yield* TestClock.adjust(10 * heartbeat)
    yield* arbiter.write("k", { _tag: "Remove" }, 0)
    assert.strictEqual(delivered, 1)
    assert.deepEqual(node.arrived(), [])
  }).pipe(Effect.scoped),
)

it.effect(
  "without a network there are no timers, and messages arrive in the step of the change",
  () =>
    Effect.gen(function* () {
      const { clock, sleeps } = yield* countedClock
      yield* Effect.gen(function* () {
        const arbiter = yield* arbiterOver(undefined)
        const node = yield* heard(arbiter)
        yield* arbiter.write("k", { _tag: "Remove" }, 0)
        assert.deepEqual(node.arrived(), ["k"])
      }).pipe(Effect.provideService(Clock.Clock, clock))
      assert.strictEqual(sleeps.begun, 0)
    }).pipe(Effect.scoped),
)
