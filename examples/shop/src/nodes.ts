/**
 * Several nodes of the shop over one Redis, each a process: how long the new prices take to all of
 * them. The news of the price change reaches the first node alone.
 */
import { fileURLToPath } from "node:url"
import { Clock, Duration, Effect, Queue, Random, Schema, Stream, type Scope } from "effect"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import { RedisClient, RedisTier } from "@larder/redis"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Protocol from "./nodeProtocol.ts"
import { freshFor } from "./products.ts"
import type { Spread } from "./report.ts"

export class NodeFailed extends Schema.TaggedError<NodeFailed>()("NodeFailed", {
  reason: Schema.String,
}) {
  override get message(): string {
    return `A node's process cannot be used: ${this.reason}`
  }
}

export class NoRedis extends Schema.TaggedError<NoRedis>()("NoRedis", {}) {
  override get message(): string {
    return "--nodes needs a Redis server: install redis-server or valkey-server, or give the address of one with --redis redis://127.0.0.1:6379"
  }
}

const failed = (cause: unknown) => new NodeFailed({ reason: String(cause) })

interface Node {
  /** The address of its metrics, if it serves them. */
  readonly metrics: string | null
  readonly ask: (command: Protocol.Command) => Effect.Effect<Protocol.Answer, NodeFailed>
}

const patience = Duration.seconds(20)
const freshMillis = Duration.toMillis(freshFor)

const startNode = Effect.fnUntraced(function* (
  begin: Protocol.Begin,
): Effect.fn.Return<Node, NodeFailed, ChildProcessSpawner.ChildProcessSpawner | Scope.Scope> {
  const main = fileURLToPath(new URL("./nodeMain.ts", import.meta.url))
  const argument = yield* Effect.orDie(Schema.encodeEffect(Protocol.Begin)(begin))
  const commands = yield* Queue.unbounded<string>()
  const lines = yield* Queue.unbounded<string, NodeFailed>()
  const child = yield* ChildProcess.make(process.execPath, [main, argument], {
    stdin: Stream.encodeText(Stream.fromQueue(commands)),
    stderr: "inherit",
    forceKillAfter: Duration.seconds(1),
  }).pipe(Effect.mapError(failed))
  yield* child.stdout.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((line) => Queue.offer(lines, line)),
    Effect.mapError(failed),
    Effect.andThen(Effect.fail(failed("it ended"))),
    Effect.catch((error) => Queue.fail(lines, error)),
    Effect.forkScoped,
  )
  const line = Queue.take(lines).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.fail(failed(`no answer within ${Duration.format(patience)}`)),
    }),
  )
  const answer = Effect.flatMap(line, (text) =>
    Effect.mapError(Schema.decodeEffect(Protocol.Answer)(text), failed),
  )
  const { metrics } = yield* Effect.flatMap(line, (text) =>
    Effect.mapError(Schema.decodeEffect(Protocol.Ready)(text), failed),
  )
  return {
    metrics,
    ask: (command) => Effect.andThen(Queue.offer(commands, `${command}\n`), answer),
  }
})

/** The server that was named, or one of this run's own. */
const serverUrl = (named: string | undefined) =>
  Effect.gen(function* () {
    if (named !== undefined) return named
    if ((yield* RedisServer.find) === undefined) return yield* new NoRedis()
    return (yield* RedisServer.start()).url
  })

export interface Nodes {
  /** The addresses of their metrics; none unless they serve them. */
  readonly metrics: ReadonlyArray<string>
  /** All nodes begin to read products, one after the other, so that their TTLs end at different times. */
  readonly watch: Effect.Effect<void, NodeFailed>
  /** Tells the first node of the new price list. */
  readonly change: Effect.Effect<void, NodeFailed>
  /** The times, once all nodes show the new prices. */
  readonly spreads: Effect.Effect<ReadonlyArray<Spread>, NodeFailed>
}

export interface Options {
  /** The most products in the memory of a shop. */
  readonly capacity: number
  /** The address of the catalogue. */
  readonly catalogue: string
  /** The server that all nodes share; one of this run's own by default. */
  readonly redis: string | undefined
  /** The port of the first node's metrics, the others have the next ones; 0 for free ones, none by default. */
  readonly metrics: number | undefined
}

const portOf = (first: number | undefined, at: number): number | null => {
  if (first === undefined) return null
  return first === 0 ? 0 : first + at
}

export const start = Effect.fnUntraced(function* (
  count: number,
  { capacity, catalogue, metrics, redis: named }: Options,
) {
  const redis = yield* serverUrl(named)
  const prefix = `larder-shop-${yield* Random.nextIntBetween(0, 2 ** 48)}-${yield* Clock.currentTimeMillis}`
  yield* Effect.addFinalizer(() =>
    RedisTier.removeAll({ prefix }).pipe(
      Effect.provide(RedisClient.layer({ url: redis })),
      Effect.ignore,
    ),
  )
  const nodes = yield* Effect.forEach(
    Array.from({ length: count }, (_, at) => portOf(metrics, at)),
    (port) => startNode({ capacity, catalogue, redis, prefix, metrics: port }),
    { concurrency: "unbounded" },
  )
  const askAll = (command: Protocol.Command) =>
    Effect.forEach(nodes, ({ ask }) => ask(command), { concurrency: "unbounded" })
  let settled = Protocol.noMoments
  const self: Nodes = {
    metrics: nodes.flatMap(({ metrics }) => metrics ?? []),
    watch: Effect.forEach(
      nodes,
      ({ ask }, at) => Effect.delay(ask("watch"), (at * freshMillis) / count),
      { concurrency: "unbounded", discard: true },
    ),
    change: Effect.map(nodes[0]!.ask("change"), (moments) => {
      settled = moments
    }),
    spreads: Effect.map(askAll("report"), (changed) =>
      Protocol.shopNames.map((shop) => ({
        shop,
        millis: changed.map((moments) => after(settled[shop], moments[shop])),
      })),
    ),
  }
  return self
})

/** Not below 0: a node may have had a new price before the change, since the old one had expired. */
const after = (settled: number | null, changed: number | null): number | undefined =>
  settled === null || changed === null ? undefined : Math.max(0, changed - settled)
