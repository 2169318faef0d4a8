/** ioredis writes some of what it meets to the console: here it goes to the log, or nowhere. */
import type { Redis } from "ioredis"

const noop = (): void => undefined

type Callback<A> = (error: Error | null | undefined, answer?: A) => void

/** What ioredis runs by itself, and tells the console of. */
interface Inner {
  _readyCheck: (this: unknown, callback: Callback<unknown>) => void
  info: (callback: Callback<string>) => Promise<string>
  auth: (...args: ReadonlyArray<unknown>) => Promise<unknown>
  hello: (...args: ReadonlyArray<unknown>) => Promise<unknown>
}

const mayNot = (error: Error | null | undefined): boolean =>
  error?.message.includes("NOPERM") === true

/** A user without INFO cannot be told that the server is loading: its commands will say so. */
const quietReadyCheck = (client: Inner): void => {
  const check = client._readyCheck
  client._readyCheck = (callback) => {
    const asking = Object.assign(Object.create(client) as Inner, {
      info: (answer: Callback<string>) =>
        client.info((error, info) => (mayNot(error) ? answer(null, "") : answer(error, info))),
    })
    check.call(asking, callback)
  }
}

const needless =
  /no password is set|without any password configured for the default user|wrong number of arguments for 'auth' command/

/** A password for a server that has none is no reason not to use the server. */
const quietAuth = (client: Inner, say: (text: string) => void): void => {
  for (const name of ["auth", "hello"] as const) {
    const send = client[name].bind(client)
    client[name] = (...args) =>
      send(...args).catch((cause: unknown) => {
        if (!(cause instanceof Error) || !needless.test(cause.message)) throw cause
        say(
          cause.message.includes("wrong number")
            ? "the server knows no usernames: leave username out"
            : "a password is given, but the server asks its default user for none: give it one (requirepass), or leave password out",
        )
      })
  }
}

/** `say` gets what an operator should know, perhaps often. */
export const quiet = (client: Redis, say: (text: string) => void = noop): void => {
  const inner = client as unknown as Inner
  quietReadyCheck(inner)
  quietAuth(inner, say)
}
