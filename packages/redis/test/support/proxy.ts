import * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A way to a server that can fall silent: connections stay open, new ones are taken, and nothing comes through. */
export interface Proxy {
  readonly port: number
  readonly silence: Effect.Effect<void>
  /** As `silence`, for connections that subscribe alone. */
  readonly silenceSubscriptions: Effect.Effect<void>
  /** As `silence`, for connections that do not subscribe alone. */
  readonly silenceCommands: Effect.Effect<void>
  readonly restore: Effect.Effect<void>
}

interface State {
  silent: "none" | "all" | "subscriptions" | "commands"
}

/** `delayMillis`: how long what is sent takes, each way. */
export const start = (to: number, delayMillis = 0): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly server: net.Server; readonly state: State }>((resume) => {
        const state: State = { silent: "none" }
        const server = net.createServer((near) => {
          const far = net.connect({ host: "127.0.0.1", port: to })
          // Bytes that arrive in silence are lost, as in a partition that ends by a reset.
          const later = (send: () => void) => {
            if (delayMillis === 0) send()
            else setTimeout(send, delayMillis)
          }
          let kind: State["silent"] = "commands"
          const isSilent = () => state.silent === "all" || state.silent === kind
          near.on("data", (chunk) => {
            if (/subscribe\r\n/i.test(chunk.toString())) kind = "subscriptions"
            if (!isSilent()) later(() => far.write(chunk))
          })
          far.on("data", (chunk) => !isSilent() && later(() => near.write(chunk)))
          for (const [one, other] of [
            [near, far],
            [far, near],
          ] as const) {
            one.on("error", () => undefined)
            one.on("close", () => other.destroy())
          }
        })
        server.listen(0, "127.0.0.1", () => {
          resume(Effect.succeed({ server, state }))
        })
      }),
      ({ server }) => Effect.sync(() => server.close()),
    ),
    ({ server, state }) => ({
      port: (server.address() as net.AddressInfo).port,
      silence: Effect.sync(() => {
        state.silent = "all"
      }),
      silenceSubscriptions: Effect.sync(() => {
        state.silent = "subscriptions"
      }),
      silenceCommands: Effect.sync(() => {
        state.silent = "commands"
      }),
      restore: Effect.sync(() => {
        state.silent = "none"
      }),
    }),
  )
