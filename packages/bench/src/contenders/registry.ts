/**
 * The contenders by name. Loaded on demand, so that a process loads only the library it measures.
 */
import type { Contender } from "../Contender.ts"
import { type Open, overMemory, overRedis } from "./peers/peer.ts"

const own = {
  larder: () => import("./larder.ts"),
  "larder over redis": () => import("./larderRedis.ts"),
  "larder checked": () => import("./larderChecked.ts"),
  "larder over sqlite": () => import("./larderSqlite.ts"),
  effect: () => import("./effect.ts"),
  "bare Map": () => import("./bareMap.ts"),
  "effect over redis": () => import("./effectPersisted.ts"),
  ioredis: () => import("./ioredis.ts"),
  "node:sqlite": () => import("./sqlite.ts"),
} satisfies Record<string, () => Promise<{ readonly contender: Contender }>>

/** Libraries that are asked for promises, over memory or Redis. */
const peers = {
  "lru-cache": () => import("./peers/lruCache.ts"),
  bentocache: () => import("./peers/bentocache.ts"),
  cacheable: () => import("./peers/cacheable.ts"),
  "cache-manager": () => import("./peers/cacheManager.ts"),
  "async-cache-dedupe": () => import("./peers/asyncCacheDedupe.ts"),
  "layered-loader": () => import("./peers/layeredLoader.ts"),
  cachified: () => import("./peers/cachified.ts"),
} satisfies Record<string, () => Promise<{ readonly open: Open }>>

type OwnName = keyof typeof own
type PeerName = keyof typeof peers

export type ContenderName = OwnName | PeerName | `${Exclude<PeerName, "lru-cache">} over redis`

const isOwn = (name: string): name is OwnName => Object.hasOwn(own, name)
const isPeer = (name: string): name is PeerName => Object.hasOwn(peers, name)

export const load = async (name: ContenderName): Promise<Contender> => {
  if (isOwn(name)) return (await own[name]()).contender
  const peer = name.replace(" over redis", "")
  if (!isPeer(peer)) throw new RangeError(`there is no contender ${name}`)
  const { open } = await peers[peer]()
  return peer === name ? overMemory(open) : overRedis(open)
}

interface Layered {
  readonly load: () => Promise<{ readonly open: Open }>
  /** Whether it has a memory of its own in front of Redis, and stale-while-revalidate. */
  readonly hasGrace: boolean
}

/**
 * The libraries over memory and Redis whose callers are watched while Redis is sick. Without
 * cachified, which has no connection of its own: its behaviour is up to the user's code.
 */
export const layered: Readonly<Record<string, Layered>> = {
  larder: { load: own["larder over redis"], hasGrace: true },
  bentocache: { load: peers.bentocache, hasGrace: true },
  cacheable: { load: peers.cacheable, hasGrace: false },
  "cache-manager": { load: peers["cache-manager"], hasGrace: true },
  "async-cache-dedupe": { load: peers["async-cache-dedupe"], hasGrace: false },
  "layered-loader": { load: peers["layered-loader"], hasGrace: true },
}
