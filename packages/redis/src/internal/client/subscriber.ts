/** Subscriptions of a client as queues; all share one connection. */
import { ProcessLife } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { closed, type RedisClientError } from "./errors.ts"
import type { Channel, Line, Listener } from "./line.ts"
import { waitingEvents } from "../limits.ts"

/**
 * The events of a subscription:
 *
 * - `Subscribed`: messages arrive from here on. Comes first, after each `Lost`,
 *   and when the queue was full: earlier messages may be missing.
 * - `Lost`: the connection ended. Messages are missed until `Subscribed`.
 * - `Message`: a client published a message.
 *
 * @category models
 * @since 0.1.0
 */
export type SubscriptionEvent =
  | { readonly _tag: "Subscribed" }
  | { readonly _tag: "Lost" }
  | { readonly _tag: "Message"; readonly channel: string; readonly message: string }

/**
 * The queue of a subscription. It fails when the server refuses the channel, and when the client
 * closes.
 *
 * @category models
 * @since 0.1.0
 */
export type Subscription = Queue.Dequeue<SubscriptionEvent, RedisClientError>

/**
 * Options of `subscribe`.
 *
 * @category options
 * @since 0.1.0
 */
export interface SubscribeOptions {
  /**
   * Whether the process lives on for as long as the subscription does. Default `true`. `false` is for
   * work in the background, such as listening for changes of other nodes.
   */
  readonly keepsAlive?: boolean | undefined
}

const subscribed: SubscriptionEvent = { _tag: "Subscribed" }
const lost: SubscriptionEvent = { _tag: "Lost" }

/** A queue, as a listener of one channel. */
class Reader implements Listener {
  readonly channels: ReadonlyArray<Channel>
  readonly queue: Queue.Queue<SubscriptionEvent, RedisClientError>
  readonly #name: string
  #keepsAlive: boolean
  /** The queue was full; the next event that fits is `Subscribed`. */
  #missed = false

  constructor(
    name: string,
    queue: Queue.Queue<SubscriptionEvent, RedisClientError>,
    keepsAlive: boolean,
  ) {
    this.#name = name
    this.#keepsAlive = keepsAlive
    if (keepsAlive) ProcessLife.hold()
    this.channels = [{ name, isSharded: false }]
    this.queue = queue
  }

  readonly subscribed = (): void => {
    this.#missed = false
    this.#tell(subscribed)
  }

  readonly lost = (): void => this.#tell(lost)

  readonly refused = (error: RedisClientError): void => {
    Queue.failCauseUnsafe(this.queue, Cause.fail(error))
    this.letGo()
  }

  /** No event comes any more. */
  letGo(): void {
    if (this.#keepsAlive) ProcessLife.release()
    this.#keepsAlive = false
  }

  readonly heard = (message: Buffer): void => {
    this.#tell({ _tag: "Message", channel: this.#name, message: message.toString() })
  }

  #tell(event: SubscriptionEvent): void {
    if (this.#missed && event._tag === "Message") {
      this.#missed = !Queue.offerUnsafe(this.queue, subscribed)
    }
    if (this.#missed || !Queue.offerUnsafe(this.queue, event)) this.#missed = true
  }
}

export interface Subscriber {
  readonly subscribe: (
    channel: string,
    options?: SubscribeOptions,
  ) => Effect.Effect<Subscription, never, Scope.Scope>
}

/** Subscribes on a line, which connects with the first subscription. */
export const make = (line: Line, scope: Scope.Scope): Subscriber => {
  let isRunning = false
  const readers = new Set<Reader>()
  const end = Effect.sync(() => {
    for (const reader of readers) reader.refused(closed())
  })
  const run = Effect.suspend(() => {
    if (isRunning) return Effect.void
    isRunning = true
    const running = Effect.onExit(line.run, () => end)
    return Effect.asVoid(Effect.forkIn(running, scope, { startImmediately: true }))
  })
  const begin = (reader: Reader) =>
    Effect.suspend(() => {
      if (scope.state._tag === "Closed") {
        reader.refused(closed())
        return Effect.void
      }
      readers.add(reader)
      line.add(reader)
      return run
    })
  const forget = (reader: Reader) =>
    Effect.suspend(() => {
      readers.delete(reader)
      line.remove(reader)
      reader.letGo()
      return Queue.shutdown(reader.queue)
    })
  return {
    subscribe: (channel, { keepsAlive = true } = {}) =>
      Effect.acquireRelease(
        Effect.map(
          Queue.dropping<SubscriptionEvent, RedisClientError>(waitingEvents),
          (queue) => new Reader(channel, queue, keepsAlive),
        ),
        forget,
      ).pipe(
        Effect.tap(begin),
        Effect.map(({ queue }) => Queue.asDequeue(queue)),
      ),
  }
}
