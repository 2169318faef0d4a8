/**
 * The contenders by name. Loaded on demand, so that a process loads only the library it measures.
 */
import type { Contender } from "../Contender.ts"
import { type Open, overMemory, overRedis } from "./peers/peer.ts"

interface Entry {
  readonly packages: ReadonlyArray<string>
  readonly load: () => Promise<Contender>
}

const entry = (
  packages: ReadonlyArray<string>,
  load: () => Promise<{ readonly contender: Contender }>,
): Entry => ({ packages, load: async () => (await load()).contender })

/**
 * The faults that a library over memory and Redis takes part in. `all`: it has a memory of its own
 * in front of Redis, and stale-while-revalidate. `cold`: those that find nothing in memory.
 * `none`: it has no connection of its own, so that the user's code decides.
 */
type Faults = "all" | "cold" | "none"

const library = (
  packages: ReadonlyArray<string>,
  client: "ioredis" | "@keyv/redis",
  faults: Faults,
  load: () => Promise<{ readonly open: Open }>,
) => ({ packages, client, faults, open: async () => (await load()).open })

type Library = ReturnType<typeof library>

const peers = {
  bentocache: library(["bentocache"], "ioredis", "all", () => import("./peers/bentocache.ts")),
  cacheable: library(["cacheable"], "@keyv/redis", "cold", () => import("./peers/cacheable.ts")),
  "cache-manager": library(
    ["cache-manager", "cacheable"],
    "@keyv/redis",
    "all",
    () => import("./peers/cacheManager.ts"),
  ),
  "async-cache-dedupe": library(
    ["async-cache-dedupe"],
    "ioredis",
    "cold",
    () => import("./peers/asyncCacheDedupe.ts"),
  ),
  "layered-loader": library(
    ["layered-loader"],
    "ioredis",
    "all",
    () => import("./peers/layeredLoader.ts"),
  ),
  cachified: library(
    ["@epic-web/cachified", "lru-cache"],
    "ioredis",
    "none",
    () => import("./peers/cachified.ts"),
  ),
}

const own = {
  larder: entry(["@larder/core", "effect"], () => import("./larder.ts")),
  "larder over redis": entry(
    ["@larder/core", "@larder/redis", "effect", "ioredis"],
    () => import("./larderRedis.ts"),
  ),
  "larder over sqlite": entry(
    ["@larder/core", "@larder/sqlite", "effect"],
    () => import("./larderSqlite.ts"),
  ),
  effect: entry(["effect"], () => import("./effect.ts")),
  "bare Map": entry(["effect"], () => import("./bareMap.ts")),
  "effect over redis": entry(
    ["effect", "@larder/redis", "ioredis"],
    () => import("./effectPersisted.ts"),
  ),
  ioredis: entry(["ioredis"], () => import("./ioredis.ts")),
  "node:sqlite": entry([], () => import("./sqlite.ts")),
  "lru-cache": {
    packages: ["lru-cache"],
    load: async () => overMemory((await import("./peers/lruCache.ts")).open),
  },
}

type PeerName = keyof typeof peers

export type ContenderName = keyof typeof own | PeerName | `${PeerName} over redis`

const registry: Readonly<Record<string, Entry>> = {
  ...own,
  ...Object.fromEntries(
    Object.entries(peers).flatMap(([name, { client, open, packages }]): Array<[string, Entry]> => [
      [name, { packages, load: async () => overMemory(await open()) }],
      [
        `${name} over redis`,
        { packages: [...packages, client], load: async () => overRedis(await open()) },
      ],
    ]),
  ),
}

export const load = (name: ContenderName): Promise<Contender> => registry[name]!.load()

/** The packages whose versions belong to a result. */
export const packagesOf = (name: ContenderName): ReadonlyArray<string> => registry[name]!.packages

/** The libraries whose callers are watched while Redis is sick, by name. */
export const layered: ReadonlyMap<string, Library> = new Map(
  Object.entries({
    larder: library(
      ["@larder/core", "@larder/redis", "effect"],
      "ioredis",
      "all",
      () => import("./larderRedis.ts"),
    ),
    ...peers,
  }).filter(([, { faults }]) => faults !== "none"),
)
