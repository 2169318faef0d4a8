/** What is measured, by name. Loaded on demand, so that a process holds the one library it measures. */
import type { Contender } from "../Contender.ts"
import { overMemory, overRedis } from "./peers/peer.ts"
import { type PeerName, peers } from "./peers/registry.ts"

interface Entry {
  readonly packages: ReadonlyArray<string>
  readonly load: () => Promise<Contender>
}

const own = {
  larder: {
    packages: ["@larder/core", "effect"],
    load: async () => (await import("./larder.ts")).contender,
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
} satisfies Readonly<Record<string, Entry>>

export type ContenderName = keyof typeof own | PeerName | `${PeerName} over redis`

const peersByName = Object.entries(peers).flatMap(
  ([name, { client, open, packages }]): ReadonlyArray<readonly [string, Entry]> => [
    [name, { packages, load: async () => overMemory(await open()) }],
    [
      `${name} over redis`,
      { packages: [...packages, client], load: async () => overRedis(await open()) },
    ],
  ],
)

const registry: ReadonlyMap<string, Entry> = new Map([...Object.entries(own), ...peersByName])

const entry = (name: ContenderName): Entry => {
  const found = registry.get(name)
  if (found === undefined) throw new RangeError(`there is no contender ${name}`)
  return found
}

export const load = (name: ContenderName): Promise<Contender> => entry(name).load()

/** The packages whose versions belong to a result. */
export const packagesOf = (name: ContenderName): ReadonlyArray<string> => entry(name).packages
