/** The kit passes the backplane of one process, and finds faults: each mutant breaks one rule. */
import { Backplane } from "@larder/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/testing/TestClock"
import { expect, it } from "vitest"
import * as BackplaneConformance from "../src/BackplaneConformance.ts"

BackplaneConformance.suite({ name: "Backplane.layerMemory", layer: Backplane.layerMemory })

type Open = Backplane.Backplane["open"]

const without = (change: (whole: Backplane.Backplane) => Partial<Backplane.Backplane>) =>
  Layer.effect(
    Backplane.Backplane,
    Effect.map(Layer.build(Layer.fresh(Backplane.layerMemory)), (built) => {
      const whole = Context.get(built, Backplane.Backplane)
      return { ...whole, ...change(whole) }
    }),
  )

/** Changes what each link publishes. */
const publishing = (
  change: (
    publish: Backplane.Link["publish"],
    message: Backplane.Message,
  ) => ReturnType<Backplane.Link["publish"]>,
) =>
  without(({ open }) => ({
    open: (options) =>
      Effect.map(open(options), (link) => ({
        ...link,
        publish: (message) => change(link.publish, message),
      })),
  }))

const sending = (change: (message: Backplane.Message) => Backplane.Message) =>
  publishing((publish, message) => publish(change(message)))

const opening = (change: (open: Open) => Open) => without(({ open }) => ({ open: change(open) }))

const mutants: Readonly<Record<string, Layer.Layer<never>>> = {
  "has no name": without(() => ({ name: " " })),
  "passes for none": without(() => ({ name: "none" })),
  "is silent": publishing(() => Effect.void),
  "forgets the sender": sending((message) => ({ ...message, node: "somebody" })),
  "forgets removals": sending((message) =>
    message._tag === "Changed" ? { ...message, isRemoval: false } : message,
  ),
  "forgets versions": sending((message) =>
    message._tag === "Changed" ? { ...message, version: undefined } : message,
  ),
  "forgets numbers of marks": sending((message) =>
    message._tag === "Marked" ? { ...message, number: undefined } : message,
  ),
  "forgets that marks drop": sending((message) =>
    message._tag === "Marked" ? { ...message, keepStale: true } : message,
  ),
  "takes everything for a tag": sending((message) =>
    message._tag === "Marked"
      ? { ...message, tags: message.tags.map((tag) => tag ?? "null") }
      : message,
  ),
  "sends one tag of a mark": sending((message) =>
    message._tag === "Marked" ? { ...message, tags: message.tags.slice(0, 1) } : message,
  ),
  "folds the case of keys": sending((message) =>
    message._tag === "Changed" ? { ...message, key: message.key.toLowerCase() } : message,
  ),
  "trims keys": sending((message) =>
    message._tag === "Changed" ? { ...message, key: message.key.trim() } : message,
  ),
  "cuts long keys": sending((message) =>
    message._tag === "Changed" ? { ...message, key: message.key.slice(0, 255) } : message,
  ),
  "loses one message in a hundred": (() => {
    let count = 0
    return publishing((publish, message) => (++count % 100 === 0 ? Effect.void : publish(message)))
  })(),
  "has a buffer of a hundred": opening(
    (open) => (options) =>
      Effect.gen(function* () {
        const link = yield* open(options)
        const messages = yield* Queue.dropping<Backplane.Message | Backplane.Gap>(100)
        const copy = Effect.flatMap(Queue.take(link.messages), (one) => Queue.offer(messages, one))
        yield* Effect.forkScoped(Effect.forever(copy), { startImmediately: true })
        return { ...link, messages }
      }),
  ),
  "tells every larder": opening((open) => () => open({ larder: "all" })),
  "folds the case of larders": opening(
    (open) =>
      ({ larder }) =>
        open({ larder: larder.toLowerCase() }),
  ),
  "trims the names of larders": opening(
    (open) =>
      ({ larder }) =>
        open({ larder: larder.trim() }),
  ),
  "repeats old messages": (() => {
    const sent: Array<Backplane.Message> = []
    return opening(
      (open) => (options) =>
        Effect.gen(function* () {
          const link = yield* open(options)
          for (const message of sent) yield* link.publish(message)
          return {
            ...link,
            publish: (message) => {
              sent.push(message)
              return link.publish(message)
            },
          }
        }),
    )
  })(),
  "closes all links with one": opening((open) => {
    const queues = new Set<Backplane.Link["messages"]>()
    return (options) =>
      Effect.gen(function* () {
        const link = yield* open(options)
        queues.add(link.messages)
        yield* Effect.addFinalizer(() =>
          Effect.forEach(queues, (queue) => Queue.shutdown(queue as never), { discard: true }),
        )
        return link
      })
  }),
  "goes on after closing": opening(
    (open) => (options) =>
      Effect.gen(function* () {
        const link = yield* open(options)
        const messages = yield* Queue.unbounded<Backplane.Message | Backplane.Gap>()
        const copy = Effect.flatMap(Queue.take(link.messages), (one) => Queue.offer(messages, one))
        yield* Effect.forkScoped(Effect.forever(copy), { startImmediately: true })
        yield* Effect.addFinalizer(() =>
          Queue.offer(messages, { _tag: "Changed", node: "a", key: "late", isRemoval: false }),
        )
        return { ...link, messages }
      }),
  ),
  "begins with a gap": opening(
    (open) => (options) =>
      Effect.gen(function* () {
        const link = yield* open(options)
        const messages = yield* Queue.unbounded<Backplane.Message | Backplane.Gap>()
        yield* Queue.offer(messages, {
          _tag: "Gap",
          reason: "silence",
          part: undefined,
          isOver: false,
        })
        const copy = Effect.flatMap(Queue.take(link.messages), (one) => Queue.offer(messages, one))
        yield* Effect.forkScoped(Effect.forever(copy), { startImmediately: true })
        return { ...link, messages }
      }),
  ),
}

const failedChecks = (layer: Layer.Layer<never>): Promise<ReadonlyArray<string>> => {
  const outcome = (check: BackplaneConformance.Check) =>
    Effect.flatMap(BackplaneConformance.subject({ name: "a mutant", layer }), check.run).pipe(
      Effect.scoped,
      Effect.provide(TestClock.layer()),
      Effect.timeout("5 seconds"),
      Effect.exit,
    )
  const failed = Effect.filter(BackplaneConformance.checks, (check) =>
    Effect.map(outcome(check), Exit.isFailure),
  )
  return Effect.runPromise(Effect.map(failed, (checks) => checks.map(({ name }) => name)))
}

it("the backplane that they are made of passes", async () => {
  for (const layer of [without(() => ({})), sending((message) => message), opening((open) => open)])
    expect(await failedChecks(layer)).toEqual([])
})

for (const [name, layer] of Object.entries(mutants)) {
  it(`finds a backplane that ${name}`, async () => {
    expect(await failedChecks(layer)).not.toEqual([])
  })
}
