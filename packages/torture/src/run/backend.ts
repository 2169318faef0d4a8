/**
 * The servers behind a stack: one, a Cluster of three, or a master and its replica under a Sentinel.
 * They live for a whole run.
 */
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Place } from "../worker/Config.ts"
import * as Proxy from "./proxy.ts"

export const stacks = [
  "memory+redis",
  "memory+sqlite+redis",
  "memory+cluster",
  "memory+sentinel",
] as const
export type StackName = (typeof stacks)[number]

export interface Backend {
  readonly servers: ReadonlyArray<RedisServer.RedisServer>
  readonly cluster?: RedisServer.RedisCluster | undefined
  readonly replicated?: RedisServer.RedisReplicated | undefined
}

/** The links from one node to all servers, and the addresses to which the node connects. */
export interface Links {
  readonly proxies: ReadonlyArray<Proxy.Proxy>
  readonly place: Place
}

type Started = Effect.Effect<Backend, RedisServer.RedisServerError, Scope.Scope>

const single = (program: string): Started =>
  Effect.map(RedisServer.start({ program }), (server) => ({ servers: [server] }))

const cluster = (program: string): Started =>
  Effect.map(
    RedisServer.startCluster({ program, config: { "cluster-require-full-coverage": "no" } }),
    (cluster) => ({ servers: cluster.masters, cluster }),
  )

/** On a busy machine a master may not answer for a while although it is well, ms. */
const downAfter = 2_000

const replicated = (program: string): Started =>
  Effect.map(RedisServer.startReplicated({ program, downAfter }), (replicated) => ({
    servers: replicated.nodes,
    replicated,
  }))

/** The kinds of servers that stacks need. */
const kinds = { single, cluster, replicated }

export const kindOf = (stack: StackName): keyof typeof kinds =>
  stack === "memory+cluster" ? "cluster" : stack === "memory+sentinel" ? "replicated" : "single"

export const start = (kind: keyof typeof kinds, program: string): Started => kinds[kind](program)

const placeOf = (backend: Backend, through: ReadonlyArray<number>): Place => {
  const ports = backend.servers.map(({ port }) => port)
  const byServer = Object.fromEntries(ports.map((port, i) => [port, through[i]!]))
  if (backend.cluster !== undefined) return { _tag: "Cluster", ports, through: byServer }
  if (backend.replicated === undefined) return { _tag: "Single", port: through[0]! }
  const { name, sentinels } = backend.replicated
  return {
    _tag: "Sentinel",
    name,
    sentinels: sentinels.map(({ port }) => port),
    through: byServer,
  }
}

/** Bypasses all proxies. */
export const directPlace = (backend: Backend): Place =>
  placeOf(
    backend,
    backend.servers.map(({ port }) => port),
  )

export const link = (backend: Backend): Effect.Effect<Links, never, Scope.Scope> =>
  Effect.map(
    Effect.forEach(backend.servers, ({ port }) => Proxy.start(port)),
    (proxies) => ({
      proxies,
      place: placeOf(
        backend,
        proxies.map(({ port }) => port),
      ),
    }),
  )
