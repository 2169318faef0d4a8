/** Listens to the messages of the arbiter until the larder closes. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { Message } from "../../Tier.ts"
import { listenPauseMillis } from "../runtime/limits.ts"
import type { Engine } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { detected, ended } from "./gap.ts"
import { receive } from "./receive.ts"

/** Does nothing where there is no arbiter, or it does not notify. The fiber ends with the scope. */
export const listen = (engine: Engine): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const { arbiter } = engine.stack
    if (arbiter?.messages === undefined) return Effect.void
    const listening = subscribed(engine, arbiter, arbiter.messages)
    return Effect.asVoid(Effect.forkScoped(listening, { startImmediately: true }))
  })

/** Subscribes, and again whenever the subscription fails. */
const subscribed = (
  engine: Engine,
  arbiter: FartherTier,
  messages: NonNullable<FartherTier["messages"]>,
): Effect.Effect<never> => {
  let isMissing = false
  const everywhere = { part: undefined }
  const once = Effect.scoped(
    Effect.flatMap(messages, (queue) => {
      // Entries that were read before the subscription began are suspect: at the start, memory is empty.
      if (isMissing || engine.near.size > 0) ended(engine, arbiter, everywhere)
      isMissing = false
      return pump(engine, arbiter, queue)
    }),
  )
  const failed = Effect.suspend(() => {
    if (!isMissing) detected(engine, arbiter, "disconnected", undefined)
    isMissing = true
    return engine.sleep(listenPauseMillis)
  })
  return Effect.forever(Effect.andThen(Effect.exit(once), failed))
}

/** Applies messages, all that have arrived in one step, until the queue ends. */
const pump = (
  engine: Engine,
  arbiter: FartherTier,
  queue: Queue.Dequeue<Message>,
): Effect.Effect<never> =>
  Effect.forever(
    Effect.flatMap(Queue.takeAll(queue), (arrived) =>
      engine.turns.each(arrived, (message) => receive(engine, arbiter, message)),
    ),
  )
