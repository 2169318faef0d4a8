/** Effect's own Redis service over ioredis. */
import { ProcessLife } from "@larder/core"
import { Cluster } from "ioredis"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Redis from "effect/persistence/Redis"
import type * as Scope from "effect/Scope"
import * as connection from "./connection.ts"
import { fromRejection, unavailable, type RedisClientError } from "./errors.ts"
import type { Settings } from "./options.ts"
import type { Subscription } from "./subscriber.ts"

const redisError = (cause: unknown) => new Redis.RedisError({ cause })

/** Each node has its own scripts: SCRIPT LOAD goes to every node that may get the EVALSHA. */
const isForAll = (command: string): boolean => command.toUpperCase() === "SCRIPT"

const call = (
  client: connection.Client,
  command: string,
  args: ReadonlyArray<string>,
): Promise<unknown> =>
  client instanceof Cluster && isForAll(command)
    ? Promise.all(connection.masters(client).map((node) => node.call(command, [...args]))).then(
        (answers) => answers[0],
      )
    : client.call(command, [...args])

type Use = <A>(f: (client: connection.Client) => Promise<A>) => Effect.Effect<A, RedisClientError>

const dedicated = (settings: Settings) =>
  Effect.suspend(() => {
    const client = connection.dedicated(settings)
    let connectionError: string | undefined
    client.on("error", (error: Error) => {
      connectionError = error.message
    })
    const failed = (cause: unknown) => redisError(fromRejection(cause, connectionError))
    const close = Effect.sync(() => {
      client.disconnect()
    })
    const asked = <A>(promise: () => Promise<A>) =>
      ProcessLife.during(Effect.tryPromise({ try: promise, catch: failed }))
    return asked(() => client.connect()).pipe(
      Effect.onError(() => close),
      Effect.map(() => {
        connection.liftTimeLimit(client)
        return {
          send: <A>(command: string, ...args: ReadonlyArray<string>) =>
            Effect.map(
              asked(() => call(client, command, args)),
              (reply) => reply as A,
            ),
          close,
        }
      }),
    )
  })

export interface Options {
  readonly settings: Settings
  readonly use: Use
  readonly subscribe: (channel: string) => Effect.Effect<Subscription, never, Scope.Scope>
}

/** Expects a queue whose subscription is in force. */
const listen = (events: Subscription, onMessage: (message: Redis.RedisMessage) => void) =>
  Queue.take(events).pipe(
    Effect.map((event) => {
      if (event._tag === "Message") {
        onMessage({ channel: event.channel, message: event.message })
      }
    }),
    Effect.forever,
    Effect.mapError(redisError),
  )

const subscribeFirst = ({ settings, subscribe }: Options, channel: string) =>
  Effect.tap(subscribe(channel), (events) =>
    Queue.take(events).pipe(
      Effect.timeoutOrElse({
        duration: settings.connectTimeout + settings.commandTimeout,
        orElse: () => Effect.fail(unavailable(`no connection to subscribe to ${channel}`)),
      }),
      Effect.mapError(redisError),
    ),
  )

export const make = (options: Options) =>
  Redis.make({
    send: <A>(command: string, ...args: ReadonlyArray<string>) =>
      options
        .use((client) => call(client, command, args))
        .pipe(
          Effect.map((reply) => reply as A),
          Effect.mapError(redisError),
        ),
    connect: dedicated(options.settings),
    pool: options.settings.pool,
    subscribe: (channel, onMessage) =>
      Effect.map(subscribeFirst(options, channel), (events) => listen(events, onMessage)),
  })
