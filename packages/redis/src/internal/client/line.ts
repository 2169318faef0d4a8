/** One connection to one server for subscriptions, made anew whenever it is lost. */
import { ProcessLife } from "@larder/core"
import type { Redis } from "ioredis"
import * as Effect from "effect/Effect"
import { type Backoff, ignore } from "./connection.ts"
import { fromRejection, type RedisClientError } from "./errors.ts"

/**
 * A channel; a sharded one (Redis 7) belongs to the master of its slot.
 *
 * @category models
 * @since 0.1.0
 */
export interface Channel {
  readonly name: string
  readonly isSharded: boolean
}

/**
 * Listens to some channels of a {@link Line}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Listener {
  readonly channels: ReadonlyArray<Channel>
  /** All channels are subscribed: called once on each connection. */
  readonly subscribed: () => void
  /** The connection ended on which they were subscribed. */
  readonly lost: () => void
  /** The server refused a channel. */
  readonly refused: (error: RedisClientError) => void
  /** The bytes belong to the callee. */
  readonly heard: (message: Buffer) => void
}

/**
 * Learns what happens to the connection of a {@link Line}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Observer {
  /** The server has replied to the subscriptions of all listeners known when it was connected. */
  readonly ready: () => void
  /** The connection ended, or could not be made. */
  readonly down: () => void
  /** The server does not have the slot of a sharded channel, or not any more. */
  readonly moved: () => void
}

/**
 * One connection to one server for subscriptions, made anew whenever it is lost.
 *
 * @category models
 * @since 0.1.0
 */
export interface Line {
  /** The working connection, if any. */
  readonly connection: Redis | undefined
  /** Subscribes the listener, on each connection. */
  readonly add: (listener: Listener) => void
  /** Ends what `add` began. */
  readonly remove: (listener: Listener) => void
  /** Ends the connection, so that another is made. */
  readonly drop: () => void
  /** Connects, and again after each loss, until it is interrupted. Does not keep the process alive. */
  readonly run: Effect.Effect<never>
}

const noop = (): void => undefined

export const noObserver: Observer = { ready: noop, down: noop, moved: noop }

/** A server older than Redis 7 publishes nothing on sharded channels. */
const isUnknownCommand = ({ detail }: RedisClientError): boolean => /unknown command/i.test(detail)

interface Member {
  readonly listener: Listener
  /** The channels that are not subscribed yet on this connection. */
  readonly missing: Set<Channel>
  isSubscribed: boolean
}

type ByChannel = Map<string, Set<Member>>

const commands = {
  plain: ["subscribe", "unsubscribe"],
  sharded: ["ssubscribe", "sunsubscribe"],
} as const

interface Options {
  /** Makes a connection that is not connected yet; undefined when no server is known. */
  readonly open: () => Redis | undefined
  readonly retry: Backoff
  readonly observer: Observer
  /** The lines that run, which the client pings. */
  readonly lines: Set<Line>
}

export class ReconnectingLine implements Line {
  readonly #members = new Map<Listener, Member>()
  readonly #plain: ByChannel = new Map()
  readonly #sharded: ByChannel = new Map()
  readonly #open: () => Redis | undefined
  readonly #retry: Backoff
  readonly #observer: Observer
  /** Connected or not yet connected. */
  #connection: Redis | undefined
  #attempts = 0
  readonly run: Effect.Effect<never>

  constructor({ lines, observer, open, retry }: Options) {
    this.#open = open
    this.#retry = retry
    this.#observer = observer
    this.run = ProcessLife.inBackground(
      Effect.acquireUseRelease(
        Effect.sync(() => lines.add(this)),
        () => this.#sessions,
        () => Effect.sync(() => lines.delete(this)),
      ),
    )
  }

  get connection(): Redis | undefined {
    return this.#connection?.status === "ready" ? this.#connection : undefined
  }

  add(listener: Listener): void {
    const member: Member = { listener, missing: new Set(listener.channels), isSubscribed: false }
    this.#members.set(listener, member)
    for (const { isSharded, name } of listener.channels) {
      const all = isSharded ? this.#sharded : this.#plain
      const others = all.get(name)
      if (others === undefined) all.set(name, new Set([member]))
      else others.add(member)
    }
    const { connection } = this
    if (connection !== undefined) ignore(this.#ask(connection, member))
  }

  remove(listener: Listener): void {
    const member = this.#members.get(listener)
    if (member === undefined) return
    this.#members.delete(listener)
    for (const { isSharded, name } of listener.channels) {
      const all = isSharded ? this.#sharded : this.#plain
      const left = all.get(name)
      left?.delete(member)
      if (left === undefined || left.size > 0) continue
      all.delete(name)
      const { connection } = this
      const unsubscribe = commands[isSharded ? "sharded" : "plain"][1]
      if (connection !== undefined) ignore(connection[unsubscribe](name))
    }
  }

  drop(): void {
    this.#connection?.disconnect()
  }

  #ask(connection: Redis, member: Member): Promise<unknown> {
    return Promise.all(
      member.listener.channels.map((channel) =>
        connection[commands[channel.isSharded ? "sharded" : "plain"][0]](channel.name).then(
          () => this.#confirm(connection, member, channel),
          (cause: unknown) =>
            this.#rejected(connection, member, channel, fromRejection(cause, undefined)),
        ),
      ),
    )
  }

  #confirm(connection: Redis, member: Member, channel: Channel): void {
    if (this.#connection !== connection || !this.#members.has(member.listener)) return
    member.missing.delete(channel)
    if (member.missing.size > 0 || member.isSubscribed) return
    member.isSubscribed = true
    member.listener.subscribed()
  }

  #rejected(connection: Redis, member: Member, channel: Channel, error: RedisClientError): void {
    // Other reasons end the connection, and the next connection subscribes again.
    if (error.reason !== "Reply") return
    if (!channel.isSharded) return member.listener.refused(error)
    if (isUnknownCommand(error)) return this.#confirm(connection, member, channel)
    if (error.code !== "MOVED" && error.code !== "CLUSTERDOWN")
      return member.listener.refused(error)
    if (this.#connection === connection) this.#movedAway(connection)
  }

  /**
   * The slot of a channel has left the server. ioredis may also believe that there is no subscription
   * left, and drop the messages of the others.
   */
  readonly #movedAway = (connection: Redis): void => {
    connection.disconnect()
    this.#observer.moved()
  }

  #deliver(isSharded: boolean, name: unknown, message: unknown, connection: Redis): void {
    // Only a faulty server sends anything else.
    if (!Buffer.isBuffer(name) || !Buffer.isBuffer(message)) return
    const members = (isSharded ? this.#sharded : this.#plain).get(name.toString())
    if (members === undefined) return
    for (const member of [...members]) {
      // The confirmation comes before the messages, but its promise resolves one turn later.
      for (const channel of member.missing) {
        if (channel.isSharded === isSharded && channel.name === name.toString())
          this.#confirm(connection, member, channel)
      }
      member.listener.heard(message)
    }
  }

  #connected(connection: Redis): void {
    this.#attempts = 0
    const asked = Array.from(this.#members.values(), (member) => this.#ask(connection, member))
    void Promise.all(asked).then(() => {
      if (this.#connection === connection && connection.status === "ready") this.#observer.ready()
    })
  }

  #ended(): void {
    this.#connection = undefined
    for (const member of this.#members.values()) {
      const wasSubscribed = member.isSubscribed
      member.isSubscribed = false
      for (const channel of member.listener.channels) member.missing.add(channel)
      if (wasSubscribed) member.listener.lost()
    }
    this.#observer.down()
  }

  /** One connection, from the attempt to connect to its end. */
  readonly #session = Effect.callback<void>((resume) => {
    const connection = this.#open()
    if (connection === undefined) {
      this.#observer.down()
      resume(Effect.void)
      return undefined
    }
    this.#connection = connection
    // `end` follows each error.
    connection.on("error", noop)
    connection.on("messageBuffer", (name: unknown, message: unknown) => {
      this.#deliver(false, name, message, connection)
    })
    connection.on("smessageBuffer", (name: unknown, message: unknown) => {
      this.#deliver(true, name, message, connection)
    })
    connection.on("moved", () => {
      this.#movedAway(connection)
    })
    connection.once("end", () => {
      this.#ended()
      resume(Effect.void)
    })
    connection.connect().then(() => this.#connected(connection), noop)
    return Effect.sync(() => {
      connection.disconnect()
    })
  })

  readonly #sessions: Effect.Effect<never> = Effect.suspend(() => this.#session).pipe(
    Effect.andThen(Effect.suspend(() => Effect.sleep(this.#retry(++this.#attempts)))),
    Effect.forever,
  )
}
