/** Sends this node's changes over a backplane, in the background, until all are sent. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { BackplaneError, Link, Message } from "../../Backplane.ts"
import { messagesSentAtOnce, publishMillis, publishPauseMillis } from "../runtime/limits.ts"
import type { Engine } from "../state/engine.ts"

/**
 * Returns a function to call whenever a change waits or a link opens. A message that fails is sent
 * again; a larder that closes tries each once more.
 */
export const send = (
  engine: Engine,
  node: string,
  linkNow: () => Link | undefined,
): (() => void) => {
  const { outbox } = engine
  let isSending = false
  const sending = Effect.gen(function* () {
    // Changes of one turn of the event loop go together.
    yield* Effect.yieldNow
    for (;;) {
      const link = linkNow()
      if (link === undefined || outbox.isEmpty) {
        isSending = false
        return
      }
      const wasClosed = engine.closed
      const isSent = yield* sendAll(engine, node, link)
      if (isSent) continue
      if (wasClosed) {
        isSending = false
        return
      }
      yield* engine.sleep(publishPauseMillis)
    }
  })
  return () => {
    if (isSending || linkNow() === undefined || outbox.isEmpty) return
    isSending = true
    engine.fibers.forkAwaited(sending)
  }
}

/** Sends all that waits, and keeps what could not be sent; says whether all was sent. */
const sendAll = (engine: Engine, node: string, link: Link): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const { backplane, observer, outbox } = engine
    const waiting = outbox.take()
    const exits = yield* Effect.forEach(
      waiting,
      (message) => Effect.exit(published(link, { ...message, node })),
      { concurrency: messagesSentAtOnce },
    )
    const failed = exits.filter(Exit.isFailure)
    observer.counters.messagesSent += exits.length - failed.length
    for (const [i, exit] of exits.entries()) {
      if (Exit.isFailure(exit)) outbox.giveBack(waiting[i]!)
    }
    const [first] = failed
    if (first === undefined) return true
    const message = `${failed.length} messages about changes could not be sent, so other nodes may serve older values; they are sent again: ${reasonOf(first.cause)}`
    observer.tell({ _tag: "TierWarning", tier: backplane.name, message })
    engine.warnings.warn("publish", `${backplane.name}: ${message}`)
    return false
  })

const published = (
  link: Link,
  message: Message,
): Effect.Effect<void, BackplaneError | Cause.TimeoutError> =>
  Effect.timeout(
    Effect.suspend(() => link.publish(message)),
    publishMillis,
  )

const reasonOf = (cause: Cause.Cause<BackplaneError | Cause.TimeoutError>): string => {
  const error = Cause.squash(cause)
  if (Cause.isTimeoutError(error)) return `no answer within ${publishMillis} ms`
  return error instanceof Error ? error.message : "a defect"
}
