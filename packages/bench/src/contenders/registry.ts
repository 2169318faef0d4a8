/** What is measured, by name. Loaded on demand, so that a process holds the one library it measures. */
import type { Contender } from "../Contender.ts"
import { overMemory, overRedis } from "./peers/peer.ts"
import { type Peer, peers } from "./peers/registry.ts"

interface Entry {
  readonly packages: ReadonlyArray<string>
  readonly load: () => Promise<Contender>
}

const inMemory = ({ open, packages }: Peer): Entry => ({
  packages,
  load: async () => overMemory(await open()),
})

const inRedis = ({ client, open, packages }: Peer): Entry => ({
  packages: [...packages, client],
  load: async () => overRedis(await open()),
})

const registry = {
  larder: {
    packages: ["@larder/core", "effect"],
    load: async () => (await import("./larder.ts")).contender,
  },
  "larder with a listener": {
    packages: ["@larder/core", "effect"],
    load: async () => (await import("./larderListened.ts")).contender,
  },
  "larder over redis": {
    packages: ["@larder/core", "@larder/redis", "effect", "ioredis"],
    load: async () => (await import("./larderRedis.ts")).contender,
  },
  "larder over sqlite": {
    packages: ["@larder/core", "@larder/sqlite", "effect"],
    load: async () => (await import("./larderSqlite.ts")).contender,
  },
  effect: {
    packages: ["effect"],
    load: async () => (await import("./effect.ts")).contender,
  },
  "bare Map": {
    packages: ["effect"],
    load: async () => (await import("./bareMap.ts")).contender,
  },
  "effect over redis": {
    packages: ["effect", "@larder/redis", "ioredis"],
    load: async () => (await import("./effectPersisted.ts")).contender,
  },
  ioredis: {
    packages: ["ioredis"],
    load: async () => (await import("./ioredis.ts")).contender,
  },
  "node:sqlite": {
    packages: [],
    load: async () => (await import("./sqlite.ts")).contender,
  },
  "lru-cache": {
    packages: ["lru-cache"],
    load: async () => overMemory((await import("./peers/lruCache.ts")).open),
  },
  bentocache: inMemory(peers.bentocache),
  cacheable: inMemory(peers.cacheable),
  "cache-manager": inMemory(peers["cache-manager"]),
  "async-cache-dedupe": inMemory(peers["async-cache-dedupe"]),
  "layered-loader": inMemory(peers["layered-loader"]),
  cachified: inMemory(peers.cachified),
  "bentocache over redis": inRedis(peers.bentocache),
  "cacheable over redis": inRedis(peers.cacheable),
  "cache-manager over redis": inRedis(peers["cache-manager"]),
  "async-cache-dedupe over redis": inRedis(peers["async-cache-dedupe"]),
  "layered-loader over redis": inRedis(peers["layered-loader"]),
  "cachified over redis": inRedis(peers.cachified),
} satisfies Readonly<Record<string, Entry>>

export type ContenderName = keyof typeof registry

export const load = (name: ContenderName): Promise<Contender> => registry[name].load()

/** The packages whose versions belong to a result. */
export const packagesOf = (name: ContenderName): ReadonlyArray<string> => registry[name].packages
