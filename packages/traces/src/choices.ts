/** Seeded random choices: the same seed gives the same choices, whatever the machine does. */
import { generator } from "./random.ts"

export interface Choices {
  /** A number in [0, 1). */
  readonly next: () => number
  /** A whole number from `least` to `most`. */
  readonly between: (least: number, most: number) => number
  readonly chance: (share: number) => boolean
  readonly pick: <A>(of: ReadonlyArray<A>) => A
  /** One of the names, with probability proportional to its weight. */
  readonly weighted: <K extends string>(weights: Readonly<Record<K, number>>) => K
}

export const make = (seed: number): Choices => {
  const next = generator(seed)
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return {
    next,
    between,
    chance: (share) => next() < share,
    pick: (of) => {
      const one = of[between(0, of.length - 1)]
      if (one === undefined) throw new Error("nothing to pick from")
      return one
    },
    weighted: (weights) => {
      const entries = Object.entries<number>(weights) as Array<[keyof typeof weights, number]>
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [name, weight] of entries) {
        left -= weight
        if (left < 0) return name
      }
      return entries[entries.length - 1]![0]
    },
  }
}

/** A seed for each of several parts that draw independently of each other. */
export const derived = (seed: number, ...parts: ReadonlyArray<string | number>): number => {
  let hash = seed >>> 0
  for (const character of parts.join("/")) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0
  }
  return hash
}
