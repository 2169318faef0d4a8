import * as net from "node:net"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

const free = (port: number): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const probe = net.createServer()
    probe.once("error", () => {
      resume(Effect.succeed(false))
    })
    probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      probe.close(() => {
        resume(Effect.succeed(true))
      })
    })
  })

/**
 * A port without a listener. It is below the ports that systems give to outgoing connections, so
 * that a server can return to it after a while. The bus of a cluster node, 10,000 above, is below
 * them too.
 */
export const freePort: Effect.Effect<number> = Effect.gen(function* () {
  while (true) {
    const port = yield* Random.nextIntBetween(11_000, 22_000)
    if ((yield* free(port)) && (yield* free(port + 10_000))) return port
  }
})
