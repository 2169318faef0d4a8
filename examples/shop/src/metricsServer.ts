/** Serves the metrics of this process at `/metrics`, for Prometheus. */
import { createServer } from "node:http"
// Import one module: the package's index also needs drivers that this program does without.
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { PrometheusMetrics } from "effect/observability"

const layer = (port: number) =>
  HttpRouter.serve(PrometheusMetrics.layerHttp(), {
    disableLogger: true,
    disableListenLog: true,
  }).pipe(
    Layer.provideMerge(
      NodeHttpServer.layer(createServer, { port, host: "127.0.0.1", gracefulShutdownTimeout: 0 }),
    ),
  )

/** Serves until the scope closes, and returns the address. `port` 0: a free one. */
export const start = Effect.fnUntraced(function* (port: number) {
  const server = yield* Layer.build(layer(port))
  return yield* HttpServer.addressFormattedWith((url) => Effect.succeed(`${url}/metrics`)).pipe(
    Effect.provide(server),
  )
})
