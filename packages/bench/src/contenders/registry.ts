/** The libraries by name. Loaded on demand, so that a process holds the one library it measures. */
const registry = {
  larder: async () => (await import("./larder.ts")).contender,
  effect: async () => (await import("./effect.ts")).contender,
}

export type ContenderName = keyof typeof registry

export const isContender = (name: string): name is ContenderName => Object.hasOwn(registry, name)

export const load = (name: ContenderName) => registry[name]()
