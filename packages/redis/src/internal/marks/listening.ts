/** Changes by other nodes, as Redis publishes them. */
import type { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { Subscription, SubscriptionEvent } from "../../RedisClient.ts"
import type { Asking } from "../scripts/asking.ts"
import { parse } from "./messages.ts"
import { subscribeMillis } from "../limits.ts"

type Receive = (message: Tier.Message) => void

const heard = (text: string, channel: string, receive: Receive): Effect.Effect<void> =>
  Effect.suspend(() => {
    const message = parse(text)
    if (message === undefined)
      return Effect.logDebug(`${channel}: ignored a message that is not of a tier: ${text}`)
    receive(message)
    return Effect.void
  })

/** The gap that an event of the subscription begins or ends; its first `Subscribed` is already taken. */
const gapOf = (event: Exclude<SubscriptionEvent, { readonly _tag: "Message" }>): Tier.Message => ({
  _tag: "Gap",
  reason: "disconnected",
  part: undefined,
  isOver: event._tag === "Subscribed",
})

const pump = (events: Subscription, channel: string, receive: Receive) =>
  Queue.take(events).pipe(
    Effect.flatMap((event) =>
      event._tag === "Message"
        ? heard(event.message, channel, receive)
        : Effect.sync(() => receive(gapOf(event))),
    ),
    Effect.forever,
    // The client is closed: no more messages.
    Effect.catch((error) => Effect.logDebug(`${channel}: ${error.message}`)),
  )

/** Subscribed when it returns. */
export const listen = (
  asking: Asking,
  channel: string,
  receive: Receive,
): Effect.Effect<void, Tier.TierError, Scope.Scope> =>
  Effect.gen(function* () {
    const events = yield* asking.redis.subscribe(channel)
    yield* Queue.take(events).pipe(
      Effect.timeout(subscribeMillis),
      Effect.mapError((cause) => asking.fail("listen", cause)),
    )
    yield* Effect.forkScoped(pump(events, channel, receive), { startImmediately: true })
  })
