/**
 * The catalogue's process. Its argument is the seed. It prints its address on standard output, in
 * one line, and ends when standard input closes: that is when the parent process ends, in whatever
 * way.
 */
import { createServer } from "node:http"
// Import one module: the package's index also needs drivers that this program does without.
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeStdio from "@effect/platform-node/NodeStdio"
import { Console, Effect, Layer, Stdio, Stream } from "effect"
import { HttpServer } from "effect/http"
import * as Catalogue from "./catalogue.ts"

const announce = Layer.effectDiscard(HttpServer.addressFormattedWith(Console.log))

const server = Layer.merge(Catalogue.layer(Number(process.argv[2] ?? 1)), announce).pipe(
  Layer.provide(
    // No client waits any more when the server closes, so it needs no graceful shutdown.
    NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 0 }),
  ),
)

const starterGone = Effect.flatMap(Stdio.Stdio, (stdio) => Stream.runDrain(stdio.stdin)).pipe(
  Effect.ignore,
  Effect.provide(NodeStdio.layer),
)

NodeRuntime.runMain(Effect.raceFirst(Layer.launch(server), starterGone))
