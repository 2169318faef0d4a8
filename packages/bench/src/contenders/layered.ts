/** The libraries over memory and Redis by name, each in its plain setup. */
import { type Peer, peers } from "./peers/registry.ts"

const larder: Peer = {
  open: async () => (await import("./larderLayered.ts")).open,
  packages: ["@larder/core", "@larder/redis", "effect"],
  client: "ioredis",
  hasMemory: true,
  hasGrace: true,
}

// cachified has one tier and no connection of its own: its behaviour without Redis is up to the
// user's code.
const { cachified: _, ...others } = peers

const registry = { larder, ...others }

export type LayeredName = keyof typeof registry

export const isLayered = (name: string): name is LayeredName => Object.hasOwn(registry, name)

export const layeredNames: ReadonlyArray<LayeredName> = Object.keys(registry).filter(isLayered)

export const layered = (name: LayeredName): Peer => registry[name]

/** The packages whose versions belong to its figures. */
export const packagesOf = (name: LayeredName): ReadonlyArray<string> => {
  const { client, packages } = layered(name)
  return [...packages, client]
}
