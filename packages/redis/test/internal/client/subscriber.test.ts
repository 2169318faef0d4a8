/** The queue of a subscription: what a slow reader is told about messages that it has missed. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as fc from "fast-check"
import { assert, describe } from "vitest"
import type { Line, Listener } from "../../../src/internal/client/line.ts"
import { make, type SubscriptionEvent } from "../../../src/internal/client/subscriber.ts"
import { waitingEvents } from "../../../src/internal/limits.ts"

/** A subscription on a line whose events the test makes. */
const subscription = Effect.gen(function* () {
  const listeners: Array<Listener> = []
  const line: Line = {
    connection: undefined,
    add: (listener) => void listeners.push(listener),
    remove: () => undefined,
    drop: () => undefined,
    run: Effect.never,
  }
  const scope = yield* Effect.scope
  const queue = yield* make(line, scope).subscribe("changes", { keepsAlive: false })
  return { queue, listener: listeners[0]! }
})

const send = (listener: Listener, from: number, count: number): void => {
  for (let i = from; i < from + count; i += 1) listener.heard(Buffer.from(`${i}`))
}

/** The events, with runs of messages as one. */
const outline = (events: ReadonlyArray<SubscriptionEvent>): ReadonlyArray<string> =>
  events
    .map((event) => event._tag)
    .filter((tag, i, tags) => tag !== "Message" || tags[i - 1] !== "Message")

describe("a full queue", () => {
  it.effect("law 29: ends with `Subscribed`, so the reader needs no further message", () =>
    Effect.gen(function* () {
      const { listener, queue } = yield* subscription
      listener.subscribed()
      send(listener, 0, 3 * waitingEvents)
      const events = yield* Queue.takeAll(queue)
      assert.deepStrictEqual(outline(events), ["Subscribed", "Message", "Subscribed"])
      assert.strictEqual(events.length, waitingEvents + 1)
    }),
  )

  it.effect("has room for a loss and its end", () =>
    Effect.gen(function* () {
      const { listener, queue } = yield* subscription
      listener.subscribed()
      send(listener, 0, 2 * waitingEvents)
      for (let i = 0; i < 5; i += 1) {
        listener.lost()
        listener.subscribed()
      }
      const all = outline(yield* Queue.takeAll(queue))
      assert.deepStrictEqual(all.slice(2), ["Subscribed", "Lost", "Subscribed"])
    }),
  )

  it.effect("law 29: whatever happens, a `Subscribed` follows each message that is missing", () =>
    Effect.gen(function* () {
      const step = fc.oneof(
        fc.record({ send: fc.integer({ min: 1, max: 2 * waitingEvents }) }),
        fc.record({ take: fc.integer({ min: 1, max: waitingEvents + 5 }) }),
        fc.constant("reconnect" as const),
      )
      for (const steps of fc.sample(fc.array(step, { maxLength: 12 }), { numRuns: 40, seed: 29 })) {
        const { listener, queue } = yield* subscription
        listener.subscribed()
        const got: Array<SubscriptionEvent> = []
        let sent = 0
        for (const one of steps) {
          if (one === "reconnect") {
            listener.lost()
            listener.subscribed()
          } else if ("send" in one) {
            send(listener, sent, one.send)
            sent += one.send
          } else {
            const size = yield* Queue.size(queue)
            if (size > 0) got.push(...(yield* Queue.takeN(queue, Math.min(size, one.take))))
          }
          assert.isAtMost(yield* Queue.size(queue), waitingEvents + 3)
        }
        if ((yield* Queue.size(queue)) > 0) got.push(...(yield* Queue.takeAll(queue)))
        // Numbers may be missing only before a `Subscribed`.
        let next = 0
        for (const event of got) {
          if (event._tag === "Subscribed") next = -1
          if (event._tag !== "Message") continue
          if (next >= 0) assert.strictEqual(Number(event.message), next)
          next = Number(event.message) + 1
        }
        if (next >= 0) assert.strictEqual(next, sent)
      }
    }),
  )
})
