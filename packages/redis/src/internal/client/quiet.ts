/** Sends console output of ioredis to the log, or drops it. */
import type { Redis } from "ioredis"

const noop = (): void => undefined

type Callback<A> = (error: Error | null | undefined, answer?: A) => void

/** The private methods of ioredis that write to the console. */
interface Inner {
  _readyCheck: (this: unknown, callback: Callback<unknown>) => void
  info: (callback: Callback<string>) => Promise<string>
  auth: (...args: ReadonlyArray<unknown>) => Promise<unknown>
  hello: (...args: ReadonlyArray<unknown>) => Promise<unknown>
}

/**
 * Whether a server that answers INFO is loading its data. ioredis would then ask again after a pause that
 * keeps the process alive.
 */
const isLoading = (info: string | undefined): boolean =>
  info !== undefined && /^loading:1/m.test(info)

const loading = () => new Error("LOADING Redis is loading the dataset in memory")

const mayNot = (error: Error | null | undefined): boolean =>
  error?.message.includes("NOPERM") === true

/**
 * A server that is loading fails the attempt to connect. A user without INFO cannot learn of it: its
 * commands fail with LOADING.
 */
const checkReadiness = (client: Inner): void => {
  const check = client._readyCheck
  client._readyCheck = (callback) => {
    const asking = Object.assign(Object.create(client) as Inner, {
      info: (answer: Callback<string>) =>
        client.info((error, info) => {
          if (mayNot(error)) answer(null, "")
          else if (isLoading(info)) answer(loading())
          else answer(error, info)
        }),
    })
    check.call(asking, callback)
  }
}

const needless =
  /no password is set|without any password configured for the default user|wrong number of arguments for 'auth' command/

/** A server without a password stays usable when the options give one. */
const quietAuth = (client: Inner, say: (text: string) => void): void => {
  for (const name of ["auth", "hello"] as const) {
    const send = client[name].bind(client)
    client[name] = (...args) =>
      send(...args).catch((cause: unknown) => {
        if (!(cause instanceof Error) || !needless.test(cause.message)) throw cause
        say(
          cause.message.includes("wrong number")
            ? "the server knows no usernames: leave username out"
            : "the options have a password, but the server's default user has none: set one on the server (requirepass), or leave password out",
        )
      })
  }
}

/** `say` receives notices for the operator, perhaps often. */
export const quiet = (client: Redis, say: (text: string) => void = noop): void => {
  const inner = client as unknown as Inner
  checkReadiness(inner)
  quietAuth(inner, say)
}
