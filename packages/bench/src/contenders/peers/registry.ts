/** The peers by name. Loaded on demand, so that a process holds the one library it measures. */
import type { Open } from "./peer.ts"

export interface Peer {
  readonly open: () => Promise<Open>
  readonly packages: ReadonlyArray<string>
  /** What it talks to Redis with. */
  readonly client: string
}

const registry = {
  bentocache: {
    open: async () => (await import("./bentocache.ts")).open,
    packages: ["bentocache"],
    client: "ioredis",
  },
  cacheable: {
    open: async () => (await import("./cacheable.ts")).open,
    packages: ["cacheable"],
    client: "@keyv/redis",
  },
  "cache-manager": {
    open: async () => (await import("./cacheManager.ts")).open,
    packages: ["cache-manager", "cacheable"],
    client: "@keyv/redis",
  },
  "async-cache-dedupe": {
    open: async () => (await import("./asyncCacheDedupe.ts")).open,
    packages: ["async-cache-dedupe"],
    client: "ioredis",
  },
  "layered-loader": {
    open: async () => (await import("./layeredLoader.ts")).open,
    packages: ["layered-loader"],
    client: "ioredis",
  },
  cachified: {
    open: async () => (await import("./cachified.ts")).open,
    packages: ["@epic-web/cachified", "lru-cache"],
    client: "ioredis",
  },
} as const

export const peers: Readonly<Record<keyof typeof registry, Peer>> = registry
