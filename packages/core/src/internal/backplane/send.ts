/** Sends this node's changes over a link of a backplane, in the background, until all are sent. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { BackplaneError, type Link, type Message } from "../../Backplane.ts"
import { messagesSentAtOnce, publishMillis, publishPauseMillis } from "../runtime/limits.ts"
import { kindOf } from "../runtime/errorKind.ts"
import type { Engine } from "../state/engine.ts"

/**
 * Sends what waits and each further change, until the scope of the link closes. The first change is
 * sent at once; those that come while messages are under way go together. A message that fails is sent
 * again. Closing the larder waits for the outbox, not for this fiber.
 */
export const sendOver = (
  engine: Engine,
  node: string,
  link: Link,
): Effect.Effect<void, never, Scope.Scope> => {
  const { fibers, outbox } = engine
  let fiber: Fiber.Fiber<void> | undefined
  let isSending = false
  const sending = Effect.gen(function* () {
    while (!outbox.isEmpty) {
      if (!(yield* sendAll(engine, node, link))) yield* engine.pause(publishPauseMillis)
    }
    isSending = false
  })
  const wake = () => {
    if (isSending) return
    isSending = true
    fiber = fibers.start(sending)
  }
  const begin = Effect.sync(() => {
    outbox.onWaiting = wake
    wake()
  })
  const end = Effect.sync(() => {
    outbox.onWaiting = () => {}
    if (fiber !== undefined) fibers.abandon(fiber)
  })
  return Effect.acquireRelease(begin, () => end)
}

/** Sends all that waits, and keeps what could not be sent; says whether all was sent. */
const sendAll = (engine: Engine, node: string, link: Link): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    const { observer, outbox } = engine
    const waiting = outbox.take()
    return Effect.forEach(
      waiting,
      (message) =>
        Effect.tap(Effect.exit(published(link, { ...message, node })), (exit) =>
          Effect.sync(() => {
            if (Exit.isFailure(exit)) return
            observer.counters.messagesSent += 1
            outbox.sent(message)
          }),
        ),
      { concurrency: messagesSentAtOnce },
    ).pipe(
      // Also when the link ends meanwhile: the next link sends the rest.
      Effect.ensuring(Effect.sync(() => outbox.giveBack(waiting))),
      Effect.map((exits) => {
        const failed = exits.filter(Exit.isFailure)
        const [first] = failed
        if (first === undefined) return true
        warnOf(engine, failed.length, first.cause)
        return false
      }),
    )
  })

const warnOf = (
  { backplane, observer, warnings }: Engine,
  count: number,
  cause: Cause.Cause<BackplaneError | Cause.TimeoutError>,
): void => {
  const what = count === 1 ? "1 message about a change" : `${count} messages about changes`
  const messageFor = (reason: string) =>
    `${what} could not be sent and will be sent again; until then other nodes may serve older values: ${reason}`
  const message = messageFor(reasonOf(cause))
  observer.tell({ _tag: "TierWarning", tier: backplane.name, message })
  // The text of an error may quote the message, with its key.
  const isOurs = Cause.isTimeoutError(Cause.squash(cause))
  const line = isOurs ? message : messageFor(kindOfFailure(cause))
  warnings.warn("publish", (name) => (name === undefined ? line : `${name}: ${line}`), {
    backplane: backplane.name,
  })
}

const kindOfFailure = (cause: Cause.Cause<BackplaneError | Cause.TimeoutError>): string => {
  const error = Cause.squash(cause)
  return kindOf(error instanceof BackplaneError ? error.cause : error)
}

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
  if (error instanceof BackplaneError) return textOf(error.cause) ?? `${error.operation} failed`
  return textOf(error) ?? "a defect"
}

const textOf = (error: unknown): string | undefined =>
  error instanceof Error && error.message !== "" ? error.message : undefined
