/** The upstream that every contender caches: products in memory, counted as they are looked up. */

/** About 200 bytes as JSON. */
export interface Product {
  readonly id: string
  readonly number: number
  readonly name: string
  readonly category: string
  readonly brand: string
  readonly price: number
  readonly description: string
}

/** How long a lookup takes: no time at all, one turn of the event loop, or milliseconds. */
export type Latency = "none" | "turn" | number

export interface Source {
  readonly keys: ReadonlyArray<string>
  readonly latency: Latency
  /** Looks a product up, at once; a contender adds the latency in its own idiom. */
  readonly take: (key: string) => Product
  /** What a lookup brings, uncounted: to check what a cache answered. */
  readonly expected: (key: string) => Product
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

export const make = (count: number, latency: Latency): Source => {
  const products = new Map<string, Product>(
    Array.from({ length: count }, (_, number) => [`product/${number}`, product(number)] as const),
  )
  const expected = (key: string): Product => {
    const found = products.get(key)
    if (found === undefined) throw new RangeError(`there is no product ${key}`)
    return found
  }
  let lookups = 0
  return {
    keys: [...products.keys()],
    latency,
    expected,
    take: (key) => {
      lookups++
      return expected(key)
    },
    lookups: () => lookups,
  }
}
