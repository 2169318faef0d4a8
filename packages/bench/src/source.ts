/** The upstream that every contender caches: products in memory, with a count of lookups. */

import type { Product as Schema } from "./contenders/product.ts"

/** Keys that every case draws from. */
export const keyCount = 10_000

/** The capacity of every memory. */
export const maxEntries = 50_000

export type Product = (typeof Schema)["Type"]

/** How long a lookup takes: no time, one turn of the event loop, or milliseconds. */
export type Latency = "none" | "turn" | number

export interface Source {
  readonly keys: ReadonlyArray<string>
  readonly latency: Latency
  /** Looks a product up, at once; a contender adds the latency in its own idiom. */
  readonly take: (key: string) => Product
  /** The product that a lookup returns, uncounted: to check a cache's answer. */
  readonly expected: (key: string) => Product
  /** This many keys never requested before; drops those of the previous call. */
  readonly unasked: (count: number) => ReadonlyArray<string>
  readonly lookups: () => number
}

const product = (number: number): Product => ({
  id: `product/${number}`,
  number,
  name: `Preserved fruit no. ${number}`,
  category: `shelf-${number % 97}`,
  brand: `brand-${number % 31}`,
  price: 100 + (number % 900),
  description: "Picked ripe, cooked slowly, kept in the cool and the dark.",
})

const products = (first: number, count: number): ReadonlyMap<string, Product> =>
  new Map(
    Array.from({ length: count }, (_, place) => {
      const made = product(first + place)
      return [made.id, made] as const
    }),
  )

export const make = (count: number, latency: Latency): Source => {
  const kept = products(0, count)
  let made = count
  let unasked: ReadonlyMap<string, Product> = new Map()
  let lookups = 0
  const expected = (key: string): Product => {
    const found = kept.get(key) ?? unasked.get(key)
    if (found === undefined) throw new RangeError(`there is no product ${key}`)
    return found
  }
  return {
    keys: [...kept.keys()],
    latency,
    expected,
    take: (key) => {
      lookups++
      return expected(key)
    },
    unasked: (some) => {
      unasked = products(made, some)
      made += some
      return [...unasked.keys()]
    },
    lookups: () => lookups,
  }
}
