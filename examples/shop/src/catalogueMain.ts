/**
 * The catalogue's process. Its argument is the seed. It says its address on
 * standard output, in one line, and ends when standard input does: that is when
 * whoever started it has gone, in whatever way.
 */
import { createServer } from "node:http"
// One module at a time: the package's index also wants the drivers this program does without.
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeStdio from "@effect/platform-node/NodeStdio"
import { Console, Effect, Layer, Stdio, Stream } from "effect"
import { HttpServer } from "effect/http"
import * as Catalogue from "./catalogue.ts"

const announce = Layer.effectDiscard(HttpServer.addressFormattedWith(Console.log))

const server = Layer.merge(Catalogue.layer(Number(process.argv[2] ?? 1)), announce).pipe(
  Layer.provide(
    // Nobody is waiting any more when the server closes, so there is nothing to be graceful about.
    NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 0 }),
  ),
)

const starterGone = Effect.flatMap(Stdio.Stdio, (stdio) => Stream.runDrain(stdio.stdin)).pipe(
  Effect.ignore,
  Effect.provide(NodeStdio.layer),
)

NodeRuntime.runMain(Effect.raceFirst(Layer.launch(server), starterGone))
