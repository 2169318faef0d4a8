/** The peers by name. Loaded on demand, so that a process loads only the library it measures. */
import type { Open } from "./peer.ts"

export interface Peer {
  readonly open: () => Promise<Open>
  readonly packages: ReadonlyArray<string>
  /** The library's Redis client. */
  readonly client: "ioredis" | "@keyv/redis"
  /** The library keeps values in its own memory in front of Redis. */
  readonly hasMemory: boolean
  /** The library has stale-while-revalidate. */
  readonly hasGrace: boolean
}

/** Defaults: ioredis, memory in front of Redis, and stale-while-revalidate. */
const peer = (
  packages: ReadonlyArray<string>,
  open: () => Promise<{ readonly open: Open }>,
  other: Partial<Peer> = {},
): Peer => ({
  open: async () => (await open()).open,
  packages,
  client: "ioredis",
  hasMemory: true,
  hasGrace: true,
  ...other,
})

const registry = {
  bentocache: peer(["bentocache"], () => import("./bentocache.ts")),
  cacheable: peer(["cacheable"], () => import("./cacheable.ts"), {
    client: "@keyv/redis",
    hasGrace: false,
  }),
  "cache-manager": peer(["cache-manager", "cacheable"], () => import("./cacheManager.ts"), {
    client: "@keyv/redis",
  }),
  "async-cache-dedupe": peer(["async-cache-dedupe"], () => import("./asyncCacheDedupe.ts"), {
    hasMemory: false,
  }),
  "layered-loader": peer(["layered-loader"], () => import("./layeredLoader.ts")),
  cachified: peer(["@epic-web/cachified", "lru-cache"], () => import("./cachified.ts"), {
    hasMemory: false,
  }),
}

export type PeerName = keyof typeof registry

export const peers: Readonly<Record<PeerName, Peer>> = registry
