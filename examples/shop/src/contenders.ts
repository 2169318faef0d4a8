/** The same shop three times: without a cache, with a plain TTL cache, with Larder. */
import { Cache, Cause, Effect, Exit, Option } from "effect"
import {
  CatalogueClient,
  type CatalogueFault,
  onceMore,
  patience,
  type ProductGone,
} from "./catalogueClient.ts"
import type { Product } from "./product.ts"
import { freshFor, pricesTag, Products } from "./products.ts"

/** Where a product came from: still fresh, stale, or `missing` from the cache and so waited for. */
export type Source = "fresh" | "stale" | "missing"

/** What a customer gets to see of one product. Listing pages do not say where each product came from. */
export type View =
  | { readonly _tag: "Shown"; readonly product: Product; readonly source: Source | undefined }
  | { readonly _tag: "Gone"; readonly id: number }
  | { readonly _tag: "Failed"; readonly id: number; readonly reason: string }

export interface Shop {
  /** The page of one product. */
  readonly page: (id: number) => Effect.Effect<View>
  /** A listing page: several products, one view each. */
  readonly listing: (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<View>>
  /** The catalogue has announced a new price list. */
  readonly newPriceList: Effect.Effect<void>
}

/** More than there are products, so that no shop loses anything for want of room. */
export const capacity = 20_000

const shown = (product: Product, source?: Source): View => ({ _tag: "Shown", product, source })
const gone = (id: number): View => ({ _tag: "Gone", id })
const failed = (id: number, cause: Cause.Cause<{ readonly _tag: string }>): View => ({
  _tag: "Failed",
  id,
  reason: Option.match(Cause.findErrorOption(cause), {
    onNone: () => "defect",
    onSome: ({ _tag }) => _tag,
  }),
})

const hasTag =
  (...tags: ReadonlyArray<string>) =>
  (error: { readonly _tag: string }): boolean =>
    tags.includes(error._tag)

/** A failed lookup as the customer sees it. */
const refused = (id: number, cause: Cause.Cause<{ readonly _tag: string }>): View =>
  Option.exists(Cause.findErrorOption(cause), hasTag("ProductGone", "KeyNotReturned"))
    ? gone(id)
    : failed(id, cause)

const pageOf =
  <E extends { readonly _tag: string }>(id: number) =>
  (page: Effect.Effect<View, E>): Effect.Effect<View> =>
    Effect.catchCause(page, (cause) => Effect.succeed(refused(id, cause)))

/** The views of a listing, from what the catalogue said of its products. */
const listed = <E extends { readonly _tag: string }>(
  ids: ReadonlyArray<number>,
  answer: Exit.Exit<ReadonlyMap<number, Product>, E>,
): ReadonlyArray<View> =>
  ids.map((id) => {
    if (Exit.isFailure(answer)) return failed(id, answer.cause)
    const product = answer.value.get(id)
    return product === undefined ? gone(id) : shown(product)
  })

// The shops without Larder have the same patience with the catalogue as the one with it.
const patiently = <A, E extends CatalogueFault | ProductGone>(lookup: Effect.Effect<A, E>) =>
  lookup.pipe(Effect.retry(onceMore), Effect.timeout(patience))

export const withoutCache: Effect.Effect<Shop, never, CatalogueClient> = Effect.map(
  CatalogueClient,
  (catalogue) => ({
    page: (id) =>
      patiently(catalogue.product(id)).pipe(
        Effect.map((product) => shown(product, "missing")),
        pageOf(id),
      ),
    listing: (ids) =>
      Effect.map(Effect.exit(patiently(catalogue.products(ids))), (answer) => listed(ids, answer)),
    newPriceList: Effect.void,
  }),
)

/** Failures are not kept, for that would prolong every outage; "no longer sold" is. */
const timeToLive = (exit: Exit.Exit<Product, { readonly _tag: string }>) =>
  Exit.isSuccess(exit) || Option.exists(Exit.findErrorOption(exit), hasTag("ProductGone"))
    ? freshFor
    : 0

export const withTtlCache: Effect.Effect<Shop, never, CatalogueClient> = Effect.gen(function* () {
  const catalogue = yield* CatalogueClient
  const cache = yield* Cache.makeWith((id: number) => patiently(catalogue.product(id)), {
    capacity,
    timeToLive,
  })

  const page = Effect.fnUntraced(function* (id: number) {
    const cached = yield* Cache.getSuccess(cache, id)
    if (Option.isSome(cached)) return shown(cached.value, "fresh")
    return shown(yield* Cache.get(cache, id), "missing")
  })

  // `Cache` knows single keys only, so what a listing lacks is fetched in one call beside it.
  const listing = Effect.fnUntraced(function* (ids: ReadonlyArray<number>) {
    const views = new Map<number, View>()
    for (const id of ids) {
      const cached = yield* Cache.getSuccess(cache, id)
      if (Option.isSome(cached)) views.set(id, shown(cached.value))
    }
    const lacking = ids.filter((id) => !views.has(id))
    if (lacking.length === 0) return Array.from(views.values())
    const answer = yield* Effect.exit(patiently(catalogue.products(lacking)))
    if (Exit.isSuccess(answer)) {
      for (const [id, product] of answer.value) yield* Cache.set(cache, id, product)
    }
    return [...views.values(), ...listed(lacking, answer)]
  })

  return {
    page: (id) => page(id).pipe(pageOf(id)),
    listing,
    newPriceList: Cache.invalidateAll(cache),
  }
})

export const withLarder: Effect.Effect<Shop, never, Products> = Effect.map(Products, (larder) => ({
  page: (id) =>
    larder.getWithMeta(id).pipe(
      Effect.map(({ freshness, tier, value }) =>
        shown(
          value,
          tier === "upstream" ? "missing" : freshness._tag === "Fresh" ? "fresh" : "stale",
        ),
      ),
      pageOf(id),
    ),
  listing: (ids) =>
    Effect.map(larder.getMany(ids), (products) =>
      Array.from(products, ([id, exit]) =>
        Exit.isSuccess(exit) ? shown(exit.value) : refused(id, exit.cause),
      ),
    ),
  newPriceList: Effect.asVoid(larder.invalidateTags([pricesTag])),
}))
