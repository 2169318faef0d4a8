/** The libraries by name. Loaded on demand, so that a process holds the one library it measures. */
import { overRedis } from "./peers/peer.ts"

const registry = {
  larder: {
    packages: ["@larder/core", "effect"],
    load: async () => (await import("./larder.ts")).contender,
  },
  effect: {
    packages: ["effect"],
    load: async () => (await import("./effect.ts")).contender,
  },
  "larder over redis": {
    packages: ["@larder/core", "@larder/redis", "effect", "ioredis"],
    load: async () => (await import("./larderRedis.ts")).contender,
  },
  "larder over sqlite": {
    packages: ["@larder/core", "@larder/sqlite", "effect"],
    load: async () => (await import("./larderSqlite.ts")).contender,
  },
  ioredis: {
    packages: ["ioredis"],
    load: async () => (await import("./ioredis.ts")).contender,
  },
  "node:sqlite": {
    packages: [],
    load: async () => (await import("./sqlite.ts")).contender,
  },
  bentocache: {
    packages: ["bentocache", "ioredis"],
    load: async () => overRedis("bentocache", (await import("./peers/bentocache.ts")).open),
  },
  cacheable: {
    packages: ["cacheable", "@keyv/redis"],
    load: async () => overRedis("cacheable", (await import("./peers/cacheable.ts")).open),
  },
  "cache-manager": {
    packages: ["cache-manager", "cacheable", "@keyv/redis"],
    load: async () => overRedis("cache-manager", (await import("./peers/cacheManager.ts")).open),
  },
  "async-cache-dedupe": {
    packages: ["async-cache-dedupe", "ioredis"],
    load: async () =>
      overRedis("async-cache-dedupe", (await import("./peers/asyncCacheDedupe.ts")).open),
  },
  "layered-loader": {
    packages: ["layered-loader", "ioredis"],
    load: async () => overRedis("layered-loader", (await import("./peers/layeredLoader.ts")).open),
  },
} as const

export type ContenderName = keyof typeof registry

export const isContender = (name: string): name is ContenderName => Object.hasOwn(registry, name)

export const load = (name: ContenderName) => registry[name].load()

/** The packages whose versions belong to a result. */
export const packagesOf = (name: ContenderName): ReadonlyArray<string> => registry[name].packages
