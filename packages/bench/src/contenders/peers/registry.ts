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

/** By ioredis, with memory in front of Redis and a grace, unless it says otherwise. */
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
