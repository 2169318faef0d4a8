/** One connection for all subscriptions of a client, made anew whenever it is lost. */
import type { Redis } from "ioredis"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { type Backoff, ignore } from "./connection.ts"
import { closed, fromRejection, type RedisClientError } from "./errors.ts"
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

const subscribed: SubscriptionEvent = { _tag: "Subscribed" }
const lost: SubscriptionEvent = { _tag: "Lost" }

interface Listener {
  readonly channel: string
  readonly queue: Queue.Queue<SubscriptionEvent, RedisClientError>
  /** The queue was full; the next event that fits is `Subscribed`. */
  missed: boolean
  isSubscribed: boolean
}

const tell = (listener: Listener, event: SubscriptionEvent): void => {
  if (listener.missed && event._tag === "Message") {
    listener.missed = !Queue.offerUnsafe(listener.queue, subscribed)
  }
  if (listener.missed || !Queue.offerUnsafe(listener.queue, event)) listener.missed = true
}

export interface Subscriber {
  readonly subscribe: (channel: string) => Effect.Effect<Subscription, never, Scope.Scope>
  /** The working connection, if any. */
  readonly connection: () => Redis | undefined
}

class Listeners {
  private readonly byChannel = new Map<string, Set<Listener>>()

  add(listener: Listener): void {
    const others = this.byChannel.get(listener.channel)
    if (others === undefined) this.byChannel.set(listener.channel, new Set([listener]))
    else others.add(listener)
  }

  /** Returns true for the last listener of its channel. */
  remove(listener: Listener): boolean {
    const all = this.byChannel.get(listener.channel)
    all?.delete(listener)
    if (all === undefined || all.size > 0) return false
    return this.byChannel.delete(listener.channel)
  }

  of(channel: string): ReadonlyArray<Listener> {
    return [...(this.byChannel.get(channel) ?? [])]
  }

  all(): ReadonlyArray<Listener> {
    return [...this.byChannel.values()].flatMap((each) => [...each])
  }

  channels(): ReadonlyArray<string> {
    return [...this.byChannel.keys()]
  }
}

class SharedSubscriber implements Subscriber {
  private readonly listeners = new Listeners()
  private current: Redis | undefined
  private running = false
  private attempts = 0
  private readonly open: () => Redis | undefined
  private readonly retry: Backoff
  private readonly scope: Scope.Scope

  constructor(open: () => Redis | undefined, retry: Backoff, scope: Scope.Scope) {
    this.open = open
    this.retry = retry
    this.scope = scope
  }

  readonly connection = (): Redis | undefined =>
    this.current?.status === "ready" ? this.current : undefined

  readonly subscribe = (channel: string): Effect.Effect<Subscription, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.map(
        Queue.dropping<SubscriptionEvent, RedisClientError>(waitingEvents),
        (queue): Listener => ({ channel, queue, missed: false, isSubscribed: false }),
      ),
      (listener) => Effect.andThen(this.forget(listener), Queue.shutdown(listener.queue)),
    ).pipe(
      Effect.tap((listener) => this.begin(listener)),
      Effect.map((listener) => Queue.asDequeue(listener.queue)),
    )

  private begin(listener: Listener): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.scope.state._tag === "Closed") {
        Queue.failCauseUnsafe(listener.queue, Cause.fail(closed()))
        return Effect.void
      }
      this.listeners.add(listener)
      const connection = this.connection()
      if (connection !== undefined) this.ask(connection, listener.channel)
      if (this.running) return Effect.void
      this.running = true
      return Effect.asVoid(Effect.forkIn(this.run, this.scope, { startImmediately: true }))
    })
  }

  private forget(listener: Listener): Effect.Effect<void> {
    return Effect.sync(() => {
      const connection = this.connection()
      if (this.listeners.remove(listener) && connection !== undefined) {
        ignore(connection.unsubscribe(listener.channel))
      }
    })
  }

  private ask(connection: Redis, channel: string): void {
    connection.subscribe(channel).then(
      () => {
        for (const listener of this.listeners.of(channel)) this.welcome(listener)
      },
      (cause: unknown) => {
        const error = fromRejection(cause, undefined)
        // Other reasons end the connection, and the next connection subscribes again.
        if (error.reason === "Reply") this.refuse(channel, error)
      },
    )
  }

  private welcome(listener: Listener): void {
    if (listener.isSubscribed) return
    listener.isSubscribed = true
    listener.missed = false
    tell(listener, subscribed)
  }

  private refuse(channel: string, error: RedisClientError): void {
    for (const listener of this.listeners.of(channel)) {
      Queue.failCauseUnsafe(listener.queue, Cause.fail(error))
    }
  }

  private readonly deliver = (channel: string, message: string): void => {
    for (const listener of this.listeners.of(channel)) {
      // The confirmation comes before the messages, but its promise resolves one turn later.
      this.welcome(listener)
      tell(listener, { _tag: "Message", channel, message })
    }
  }

  private readonly ended = (): void => {
    this.current = undefined
    for (const listener of this.listeners.all()) {
      if (!listener.isSubscribed) continue
      listener.isSubscribed = false
      tell(listener, lost)
    }
  }

  private readonly connected = (connection: Redis): void => {
    this.current = connection
    this.attempts = 0
    for (const channel of this.listeners.channels()) this.ask(connection, channel)
  }

  /** One connection, from the attempt to connect to its end. */
  private readonly session = Effect.callback<void>((resume) => {
    const connection = this.open()
    if (connection === undefined) {
      resume(Effect.void)
      return undefined
    }
    // `end` follows each error.
    connection.on("error", () => undefined)
    connection.on("message", this.deliver)
    connection.once("end", () => {
      this.ended()
      resume(Effect.void)
    })
    connection.connect().then(
      () => {
        this.connected(connection)
      },
      () => undefined,
    )
    return Effect.sync(() => {
      connection.disconnect()
    })
  })

  private readonly run: Effect.Effect<void> = Effect.suspend(() => this.session).pipe(
    Effect.andThen(Effect.suspend(() => Effect.sleep(this.retry(++this.attempts)))),
    Effect.forever,
    Effect.onExit(() =>
      Effect.sync(() => {
        for (const listener of this.listeners.all()) {
          Queue.failCauseUnsafe(listener.queue, Cause.fail(closed()))
        }
      }),
    ),
  )
}

export const make = (
  open: () => Redis | undefined,
  retry: Backoff,
  scope: Scope.Scope,
): Subscriber => new SharedSubscriber(open, retry, scope)
