/**
 * One shop with several caches: with none, with a plain TTL cache, with Larder, and with steps in
 * between.
 */
import { Coalesce } from "@larder/core"
import { Cache, Cause, Clock, Duration, Effect, Exit, FiberSet, Option, type Scope } from "effect"
import {
  CatalogueClient,
  type CatalogueFault,
  onceMore,
  patience,
  type ProductGone,
} from "./catalogueClient.ts"
import type { Product } from "./product.ts"
import { freshFor, pricesTag, Products, revalidateFor } from "./products.ts"

/**
 * How the cache served a product: fresh, stale, or `missing`, so that the customer waited for a
 * lookup.
 */
export type Source = "fresh" | "stale" | "missing"

/**
 * One product as the customer sees it. Listing pages do not report where each product came from.
 */
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

/**
 * The capacity of a shop unless it is given: more than the products of the generated traffic, so that
 * no shop evicts.
 */
export const defaultCapacity = 20_000

const freshMillis = Duration.toMillis(freshFor)
const graceMillis = Duration.toMillis(revalidateFor)

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

/** Turns a failed lookup into the customer's view. */
const refused = (id: number, cause: Cause.Cause<{ readonly _tag: string }>): View =>
  Option.exists(Cause.findErrorOption(cause), hasTag("ProductGone", "KeyNotReturned"))
    ? gone(id)
    : failed(id, cause)

const pageOf =
  <E extends { readonly _tag: string }>(id: number) =>
  (page: Effect.Effect<View, E>): Effect.Effect<View> =>
    Effect.catchCause(page, (cause) => Effect.succeed(refused(id, cause)))

/** The views of a listing, from the catalogue's answer. */
const listed = <E extends { readonly _tag: string }>(
  ids: ReadonlyArray<number>,
  answer: Exit.Exit<ReadonlyMap<number, Product>, E>,
): ReadonlyArray<View> =>
  ids.map((id) => {
    if (Exit.isFailure(answer)) return failed(id, answer.cause)
    const product = answer.value.get(id)
    return product === undefined ? gone(id) : shown(product)
  })

// The shops without Larder have the same timeouts as the one with it.
type LookupError = CatalogueFault | ProductGone | Cause.TimeoutError

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

/** Does not cache failures, which would prolong every outage; caches "no longer sold". */
const timeToLive = (exit: Exit.Exit<Product, { readonly _tag: string }>) =>
  Exit.isSuccess(exit) || Option.exists(Exit.findErrorOption(exit), hasTag("ProductGone"))
    ? freshFor
    : 0

export const withTtlCache = Effect.fnUntraced(function* (
  capacity = defaultCapacity,
): Effect.fn.Return<Shop, never, CatalogueClient> {
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

  // `Cache` looks up single keys only, so one call beside it fetches the missing products of a
  // listing.
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

/** The features of the hand-written cache below, beyond a TTL. */
export interface OwnCache {
  readonly staleWhileRevalidate: boolean
  readonly coalescing: boolean
}

interface Kept {
  readonly product: Product
  readonly storedAt: number
}

/** The first steps towards a hand-written cache: a map with times, then more. */
export const withOwnCache = (
  options: OwnCache,
): Effect.Effect<Shop, never, CatalogueClient | Scope.Scope> =>
  Effect.gen(function* () {
    const catalogue = yield* CatalogueClient
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const refreshes = yield* FiberSet.make<unknown>()
    const fork = yield* FiberSet.runtime(refreshes)()
    const coalesce = Coalesce.make<number, Product, LookupError>()
    let kept: ReadonlyMap<number, Kept> & Map<number, Kept> = new Map()
    const refreshing = new Set<number>()

    const keep = (product: Product) => kept.set(product.id, { product, storedAt: now() })
    const lookup = (id: number) => {
      const asked = Effect.tap(patiently(catalogue.product(id)), (product) =>
        Effect.sync(() => keep(product)),
      )
      return options.coalescing ? coalesce(id, asked) : asked
    }
    const refresh = (id: number): void => {
      if (refreshing.has(id)) return
      refreshing.add(id)
      fork(
        Effect.ensuring(
          Effect.exit(lookup(id)),
          Effect.sync(() => refreshing.delete(id)),
        ),
      )
    }

    const found = (id: number): View | undefined => {
      const entry = kept.get(id)
      if (entry === undefined) return undefined
      const age = now() - entry.storedAt
      if (age < freshMillis) return shown(entry.product, "fresh")
      if (!options.staleWhileRevalidate || age >= freshMillis + graceMillis) return undefined
      refresh(id)
      return shown(entry.product, "stale")
    }

    const listing = Effect.fnUntraced(function* (ids: ReadonlyArray<number>) {
      const views = ids.flatMap((id) => found(id) ?? [])
      const there = new Set(
        views.map((view) => (view._tag === "Shown" ? view.product.id : view.id)),
      )
      const lacking = ids.filter((id) => !there.has(id))
      if (lacking.length === 0) return views
      const answer = yield* Effect.exit(patiently(catalogue.products(lacking)))
      if (Exit.isSuccess(answer)) answer.value.forEach(keep)
      return [...views, ...listed(lacking, answer)]
    })

    return {
      page: (id) =>
        Effect.suspend(() => {
          const view = found(id)
          return view === undefined
            ? Effect.map(lookup(id), (product) => shown(product, "missing"))
            : Effect.succeed(view)
        }).pipe(pageOf(id)),
      listing,
      newPriceList: Effect.sync(() => {
        kept = new Map()
      }),
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
