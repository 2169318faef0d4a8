/** A backplane with faults. */
import { Backplane } from "@larder/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { ChaosHandle } from "./handle.ts"

interface Way {
  readonly chaos: ChaosHandle
  /** The place in the handle. */
  readonly place: string
}

type Received = Backplane.Message | Backplane.Gap

/** The messages of a link, with faults; reports of gaps come from this side and have none. */
const messagesWith = ({ chaos, place }: Way, { messages }: Backplane.Link) =>
  Effect.gen(function* () {
    const arrived = yield* Effect.acquireRelease(Queue.unbounded<Received>(), Queue.shutdown)
    const pass = Effect.gen(function* () {
      const message = yield* Queue.take(messages)
      const delays = message._tag === "Gap" ? [0] : chaos.delays(chaos.of("backplane", place))
      for (const millis of delays) {
        const arrive = Effect.sync(() => Queue.offerUnsafe(arrived, message))
        if (millis > 0) yield* Effect.forkScoped(Effect.delay(arrive, Duration.millis(millis)))
        else yield* arrive
      }
    })
    // The end of the link's queue is the end of this one: the larder opens another link then.
    const passing = Effect.ensuring(Effect.forever(pass), Queue.shutdown(arrived))
    yield* Effect.forkScoped(passing, { startImmediately: true })
    return Queue.asDequeue(arrived)
  })

export const backplaneWith = (way: Way, backplane: Backplane.Backplane): Backplane.Backplane => ({
  name: backplane.name,
  open: (options) =>
    Effect.gen(function* () {
      const link = yield* backplane.open(options)
      const publish: Backplane.Link["publish"] = (message) =>
        Effect.suspend(() =>
          way.chaos.happens(way.chaos.of("backplane", way.place).failure)
            ? Effect.fail(
                new Backplane.BackplaneError({
                  backplane: backplane.name,
                  operation: "publish",
                  cause: new Error("Chaos: failure"),
                }),
              )
            : link.publish(message),
        )
      return { publish, messages: yield* messagesWith(way, link) }
    }),
})
