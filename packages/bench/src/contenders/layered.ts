/** The libraries over memory and Redis by name, each as it is set up without special measures. Loaded on demand. */
import type { Open } from "./peers/peer.ts"
import { type Peer, peers } from "./peers/registry.ts"

interface Layered {
  /** It keeps values in its own memory in front of Redis. */
  readonly hasMemory: boolean
  /** It gives a value at once that is due for a refresh. */
  readonly hasGrace: boolean
  readonly open: () => Promise<Open>
  readonly packages: ReadonlyArray<string>
}

const of = ({ client, open, packages }: Peer) => ({ open, packages: [...packages, client] })

const registry = {
  larder: {
    hasMemory: true,
    hasGrace: true,
    open: async () => (await import("./larderLayered.ts")).open,
    packages: ["@larder/core", "@larder/redis", "effect", "ioredis"],
  },
  bentocache: { hasMemory: true, hasGrace: true, ...of(peers.bentocache) },
  cacheable: { hasMemory: true, hasGrace: false, ...of(peers.cacheable) },
  "cache-manager": { hasMemory: true, hasGrace: true, ...of(peers["cache-manager"]) },
  "async-cache-dedupe": { hasMemory: false, hasGrace: true, ...of(peers["async-cache-dedupe"]) },
  "layered-loader": { hasMemory: true, hasGrace: true, ...of(peers["layered-loader"]) },
} satisfies Readonly<Record<string, Layered>>

export type LayeredName = keyof typeof registry

export const isLayered = (name: string): name is LayeredName => Object.hasOwn(registry, name)

export const layeredNames: ReadonlyArray<LayeredName> = Object.keys(registry).filter(isLayered)

export const layered = (name: LayeredName): Layered => registry[name]
