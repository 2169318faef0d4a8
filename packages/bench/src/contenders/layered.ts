/** The libraries over memory and Redis by name, each as it is set up without special measures. Loaded on demand. */
import type { Open } from "./peers/peer.ts"

interface Layered {
  /** It keeps values in its own memory in front of Redis. */
  readonly hasMemory: boolean
  /** It gives a value at once that is due for a refresh. */
  readonly hasGrace: boolean
  readonly open: () => Promise<Open>
  readonly packages: ReadonlyArray<string>
}

const registry = {
  larder: {
    hasMemory: true,
    hasGrace: true,
    open: async () => (await import("./larderLayered.ts")).open,
    packages: ["@larder/core", "@larder/redis", "effect", "ioredis"],
  },
  bentocache: {
    hasMemory: true,
    hasGrace: true,
    open: async () => (await import("./peers/bentocache.ts")).open,
    packages: ["bentocache", "ioredis"],
  },
  cacheable: {
    hasMemory: true,
    hasGrace: false,
    open: async () => (await import("./peers/cacheable.ts")).open,
    packages: ["cacheable", "@keyv/redis"],
  },
  "cache-manager": {
    hasMemory: true,
    hasGrace: true,
    open: async () => (await import("./peers/cacheManager.ts")).open,
    packages: ["cache-manager", "cacheable", "@keyv/redis"],
  },
  "async-cache-dedupe": {
    hasMemory: false,
    hasGrace: true,
    open: async () => (await import("./peers/asyncCacheDedupe.ts")).open,
    packages: ["async-cache-dedupe", "ioredis"],
  },
  "layered-loader": {
    hasMemory: true,
    hasGrace: true,
    open: async () => (await import("./peers/layeredLoader.ts")).open,
    packages: ["layered-loader", "ioredis"],
  },
} satisfies Readonly<Record<string, Layered>>

export type LayeredName = keyof typeof registry

export const isLayered = (name: string): name is LayeredName => Object.hasOwn(registry, name)

export const layeredNames: ReadonlyArray<LayeredName> = Object.keys(registry).filter(isLayered)

export const layered = (name: LayeredName): Layered => registry[name]
