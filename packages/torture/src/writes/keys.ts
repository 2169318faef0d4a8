/** The keys of a run of writes, each written in one way. */
import type { ComboName } from "./Config.ts"
import type { Mode } from "./Line.ts"

const numbered = (letter: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${letter}${i}`)

/** Counts have a key for each node: a count that several nodes put may lose a late one. */
const ofMode: Readonly<Record<Mode, (combo: ComboName) => ReadonlyArray<string>>> = {
  around: () => numbered("a", 4),
  through: () => numbered("t", 4),
  update: () => numbered("u", 2),
  put: (combo) => numbered("p", combo === "memory" ? 64 : 8),
  count: () => ["cA", "cB", "cC"],
}

/** A larder over an outbox in memory differs from others in its puts alone. */
const direct = ["around", "through", "update"] as const
const behind = ["put", "count"] as const

export const directModes = (combo: ComboName): ReadonlyArray<Mode> =>
  combo === "memory" ? [] : direct

export const keysOf = (combo: ComboName, mode: Mode): ReadonlyArray<string> => ofMode[mode](combo)

export const directKeys = (combo: ComboName): ReadonlyArray<string> =>
  directModes(combo).flatMap((mode) => keysOf(combo, mode))

export const allKeys = (combo: ComboName): ReadonlyArray<string> => [
  ...directKeys(combo),
  ...behind.flatMap((mode) => keysOf(combo, mode)),
]

/** A key in the log: keys of different stacks have the same names. */
export const logged = (combo: ComboName, key: string): string => `${combo}/${key}`

export const comboIn = (key: string): ComboName => key.slice(0, key.indexOf("/")) as ComboName

/** Whether the key is put behind. */
export const isBehind = (key: string): boolean => /\/[pc]/.test(key)

/** Whether a value of the key has the ids of all writes so far, not of the last one alone. */
export const gathers = (key: string): boolean => /\/[uc]/.test(key)
