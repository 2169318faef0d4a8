/** The peers by name. Loaded on demand, so that a process holds the one library it measures. */
import type { Open } from "./peer.ts"

export interface Peer {
  readonly open: () => Promise<Open>
  readonly packages: ReadonlyArray<string>
  /** What it talks to Redis with. */
  readonly client: "ioredis" | "@keyv/redis"
  /** It keeps values in its own memory in front of Redis. */
  readonly hasMemory: boolean
  /** It serves a value at once that is due for a refresh. */
  readonly hasGrace: boolean
}

export type PeerName =
  | "bentocache"
  | "cacheable"
  | "cache-manager"
  | "async-cache-dedupe"
  | "layered-loader"
  | "cachified"

export const peers: Readonly<Record<PeerName, Peer>> = {
  bentocache: {
    open: async () => (await import("./bentocache.ts")).open,
    packages: ["bentocache"],
    client: "ioredis",
    hasMemory: true,
    hasGrace: true,
  },
  cacheable: {
    open: async () => (await import("./cacheable.ts")).open,
    packages: ["cacheable"],
    client: "@keyv/redis",
    hasMemory: true,
    hasGrace: false,
  },
  "cache-manager": {
    open: async () => (await import("./cacheManager.ts")).open,
    packages: ["cache-manager", "cacheable"],
    client: "@keyv/redis",
    hasMemory: true,
    hasGrace: true,
  },
  "async-cache-dedupe": {
    open: async () => (await import("./asyncCacheDedupe.ts")).open,
    packages: ["async-cache-dedupe"],
    client: "ioredis",
    hasMemory: false,
    hasGrace: true,
  },
  "layered-loader": {
    open: async () => (await import("./layeredLoader.ts")).open,
    packages: ["layered-loader"],
    client: "ioredis",
    hasMemory: true,
    hasGrace: true,
  },
  cachified: {
    open: async () => (await import("./cachified.ts")).open,
    packages: ["@epic-web/cachified", "lru-cache"],
    client: "ioredis",
    hasMemory: false,
    hasGrace: true,
  },
}
