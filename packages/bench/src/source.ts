/** The upstream that every contender caches: products in memory, counted as they are looked up. */

export interface Detail {
  readonly name: string
  readonly text: string
  readonly rank: number
}

/** About 200 bytes as JSON, and what its details take. */
export interface Product {
  readonly id: string
  readonly number: number
  readonly name: string
  readonly category: string
  readonly brand: string
  readonly price: number
  readonly description: string
  readonly details?: ReadonlyArray<Detail>
}

/** How long a lookup takes: no time at all, one turn of the event loop, or milliseconds. */
export type Latency = "none" | "turn" | number

/** What a source that fails answers. */
export class Unavailable extends Error {
  readonly key: string
  constructor(key: string) {
    super(`the source of ${key} is unavailable`)
    this.key = key
  }
}

export interface Options {
  /** How many details a product has, of about 100 bytes each. Default: none. */
  readonly details?: number | undefined
  /** Every lookup fails. */
  readonly fails?: boolean | undefined
}

export interface Source {
  readonly keys: ReadonlyArray<string>
  readonly latency: Latency
  /** Looks a product up, at once; a contender adds the latency in its own idiom. Throws {@link Unavailable}. */
  readonly take: (key: string) => Product
  /** What a lookup brings, uncounted: to check what a cache answered. */
  readonly expected: (key: string) => Product
  /** So many keys that nobody has asked for; those of the time before are gone. */
  readonly unasked: (count: number) => ReadonlyArray<string>
  readonly lookups: () => number
  readonly fails: boolean
}

const detail = (number: number, rank: number): Detail => ({
  name: `Review no. ${number}/${rank}`,
  text: "Opened on a winter evening, gone before the snow was.",
  rank,
})

const product = (number: number, details: number): Product => ({
  id: `product/${number}`,
  number,
  name: `Preserved fruit no. ${number}`,
  category: `shelf-${number % 97}`,
  brand: `brand-${number % 31}`,
  price: 100 + (number % 900),
  description: "Picked ripe, cooked slowly, kept in the cool and the dark.",
  ...(details > 0 && {
    details: Array.from({ length: details }, (_, rank) => detail(number, rank)),
  }),
})

const products = (first: number, count: number, details: number): ReadonlyMap<string, Product> =>
  new Map(
    Array.from({ length: count }, (_, place) => {
      const made = product(first + place, details)
      return [made.id, made] as const
    }),
  )

export const make = (
  count: number,
  latency: Latency,
  { details = 0, fails = false }: Options = {},
): Source => {
  const kept = products(0, count, details)
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
    fails,
    expected,
    take: (key) => {
      lookups++
      if (fails) throw new Unavailable(key)
      return expected(key)
    },
    unasked: (some) => {
      unasked = products(made, some, details)
      made += some
      return [...unasked.keys()]
    },
    lookups: () => lookups,
  }
}

/** Whether `error` is the source's own failure for `key`, or was made of it. */
export const tellsUnavailable = (error: unknown, key: string): boolean => {
  if (error instanceof Unavailable) return error.key === key
  return error instanceof Error && error.cause !== undefined && tellsUnavailable(error.cause, key)
}
