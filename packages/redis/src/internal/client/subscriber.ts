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
 *   and after the messages that filled the queue: earlier messages may be missing.
 * - `Lost`: the connection ended. Messages are missed until `Subscribed`. In a full queue a second
 *   loss is not told, only the `Subscribed` after it.
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

/**
 * Places behind the messages of a full queue: `Subscribed` for those that were dropped, then one `Lost`
 * and its `Subscribed`. Without them a gap would be told with the next message, perhaps hours later.
 */
const placesForGaps = 3

/** A queue, as a listener of one channel. */
class Reader implements Listener {
  readonly channels: ReadonlyArray<Channel>
  readonly queue: Queue.Queue<SubscriptionEvent, RedisClientError>
  readonly #name: string
  #keepsAlive: boolean
  /** The event at the end of the queue is `Subscribed`, if the reader has not taken it. */
  #endsSubscribed = false

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

  readonly subscribed = (): void => this.#tellSubscribed()

  readonly lost = (): void => {
    // The last place is that of `Subscribed`.
    if (this.#waiting < waitingEvents + placesForGaps - 1) this.#tell(lost)
  }

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
    if (this.#waiting >= waitingEvents) return this.#tellSubscribed()
    this.#tell({ _tag: "Message", channel: this.#name, message: message.toString() })
  }

  /** A `Subscribed` that the reader has yet to take covers what was missed until then. */
  #tellSubscribed(): void {
    if (!this.#endsSubscribed || this.#waiting === 0) this.#tell(subscribed)
  }

  #tell(event: SubscriptionEvent): void {
    this.#endsSubscribed = event._tag === "Subscribed"
    Queue.offerUnsafe(this.queue, event)
  }

  get #waiting(): number {
    return Queue.sizeUnsafe(this.queue)
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
          Queue.dropping<SubscriptionEvent, RedisClientError>(waitingEvents + placesForGaps),
          (queue) => new Reader(channel, queue, keepsAlive),
        ),
        forget,
      ).pipe(
        Effect.tap(begin),
        Effect.map(({ queue }) => Queue.asDequeue(queue)),
      ),
  }
}
