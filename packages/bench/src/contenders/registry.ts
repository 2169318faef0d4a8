/**
 * The contenders by name. Loaded on demand, so that a process loads only the library it measures.
 */
import type { Contender } from "../Contender.ts"
import { overMemory, overRedis } from "./peers/peer.ts"
import { type PeerName, peers } from "./peers/registry.ts"

interface Entry {
  readonly packages: ReadonlyArray<string>
  readonly load: () => Promise<Contender>
}

const entry = (
  packages: ReadonlyArray<string>,
  load: () => Promise<{ readonly contender: Contender }>,
): Entry => ({ packages, load: async () => (await load()).contender })

const own = {
  larder: entry(["@larder/core", "effect"], () => import("./larder.ts")),
  "larder over redis": entry(
    ["@larder/core", "@larder/redis", "effect", "ioredis"],
    () => import("./larderRedis.ts"),
  ),
  "larder over sqlite": entry(
    ["@larder/core", "@larder/sqlite", "effect"],
    () => import("./larderSqlite.ts"),
  ),
  effect: entry(["effect"], () => import("./effect.ts")),
  "bare Map": entry(["effect"], () => import("./bareMap.ts")),
  "effect over redis": entry(
    ["effect", "@larder/redis", "ioredis"],
    () => import("./effectPersisted.ts"),
  ),
  ioredis: entry(["ioredis"], () => import("./ioredis.ts")),
  "node:sqlite": entry([], () => import("./sqlite.ts")),
  "lru-cache": {
    packages: ["lru-cache"],
    load: async () => overMemory((await import("./peers/lruCache.ts")).open),
  },
}

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

const named = (name: ContenderName): Entry => {
  const found = registry.get(name)
  if (found === undefined) throw new RangeError(`there is no contender ${name}`)
  return found
}

export const load = (name: ContenderName): Promise<Contender> => named(name).load()

/** The packages whose versions belong to a result. */
export const packagesOf = (name: ContenderName): ReadonlyArray<string> => named(name).packages
