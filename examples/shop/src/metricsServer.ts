/** Serves the metrics of the Larder shop at `/metrics`, for Prometheus. */
import { createServer } from "node:http"
// Import one module: the package's index also needs drivers that this program does without.
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Console, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { PrometheusMetrics } from "effect/observability"

/** `port` 0: a free one, which the line that is printed names. */
export const layer = (port: number) =>
  Layer.effectDiscard(
    HttpServer.addressFormattedWith((url) => Console.log(`metrics at ${url}/metrics`)),
  ).pipe(
    Layer.merge(
      HttpRouter.serve(PrometheusMetrics.layerHttp(), {
        disableLogger: true,
        disableListenLog: true,
      }),
    ),
    Layer.provide(
      NodeHttpServer.layer(createServer, { port, host: "127.0.0.1", gracefulShutdownTimeout: 0 }),
    ),
  )
