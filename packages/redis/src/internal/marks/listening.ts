/** Changes by other nodes, as Redis publishes them. */
import type { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { Subscription } from "../../RedisClient.ts"
import type { Asking } from "../scripts/asking.ts"
import { parse } from "./messages.ts"
import { subscribeMillis } from "../limits.ts"

const heard = (
  text: string,
  channel: string,
  messages: Queue.Queue<Tier.Message>,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const message = parse(text)
    if (message === undefined)
      return Effect.logDebug(`${channel}: ignored a message that is not of a tier: ${text}`)
    Queue.offerUnsafe(messages, message)
    return Effect.void
  })

const pump = (events: Subscription, channel: string, messages: Queue.Queue<Tier.Message>) =>
  Queue.take(events).pipe(
    Effect.flatMap((event) =>
      event._tag === "Message" ? heard(event.message, channel, messages) : Effect.void,
    ),
    Effect.forever,
    // The client is closed: no more messages.
    Effect.catch((error) => Effect.logDebug(`${channel}: ${error.message}`)),
  )

/**
 * Subscribed when it returns. The queue has no bound: a slow reader must not lose a message, since
 * each one is a change.
 */
export const messages = (
  asking: Asking,
  channel: string,
): Effect.Effect<Queue.Dequeue<Tier.Message>, Tier.TierError, Scope.Scope> =>
  Effect.gen(function* () {
    const events = yield* asking.redis.subscribe(channel)
    yield* Queue.take(events).pipe(
      Effect.timeout(subscribeMillis),
      Effect.mapError((cause) => asking.fail("messages", cause)),
    )
    const messages = yield* Effect.acquireRelease(Queue.unbounded<Tier.Message>(), Queue.shutdown)
    yield* Effect.forkScoped(pump(events, channel, messages), { startImmediately: true })
    return Queue.asDequeue(messages)
  })
