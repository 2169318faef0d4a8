/** Changes by others, as the owner takes them: a follower looks nothing up, so the owner does it for all. */
import { Invalidations } from "@larder/core"
import { Effect, Schedule, Stream } from "effect"
import { Prices } from "./prices.ts"
import { larderName } from "./price.ts"
import * as PriceTable from "./priceTable.ts"

/** Which prices a change may concern. */
export type Concerned =
  | { readonly _tag: "All" }
  | { readonly _tag: "Some"; readonly ids: ReadonlyArray<string> }

const all: Concerned = { _tag: "All" }
const some = (ids: ReadonlyArray<string>): Concerned => ({ _tag: "Some", ids })

/** What may have been missed is everything. Prices have no tags: a message that names some is about other values. */
export const concernedBy = (change: Invalidations.Change): Concerned => {
  switch (change._tag) {
    case "Gap":
      return all
    case "Malformed":
      return some([])
    case "Change": {
      const { clear = false, keys = [], larder } = change.message
      if (larder !== larderName) return some([])
      return clear ? all : some(keys)
    }
  }
}

/** What the source has, and what only the larder still has. */
const allIds = Effect.gen(function* () {
  const prices = yield* Prices
  return [...new Set([...(yield* PriceTable.ids), ...(yield* prices.keys)])]
})

/** Looks a price up again; removes one that the source no longer has, which followers would serve stale. */
const renew = (id: string) =>
  Effect.gen(function* () {
    const prices = yield* Prices
    yield* prices.refresh(id).pipe(
      Effect.catchTag("NoSuchPrice", () => prices.remove(id)),
      // `Invalidations.from` has told of it by an event.
      Effect.catchTag("InvalidKey", () => Effect.void),
    )
  })

/** Invalidates what a change concerns, and looks it up again. */
export const apply = (change: Invalidations.Change) =>
  Effect.gen(function* () {
    const prices = yield* Prices
    const concerned = concernedBy(change)
    const ids = concerned._tag === "All" ? yield* allIds : concerned.ids
    yield* Invalidations.from(prices, Stream.succeed(change))
    yield* Effect.forEach(ids, renew, { concurrency: 8, discard: true })
  })

const everySecond = Schedule.spaced("1 second")

/**
 * Applies changes one after the other. While the source does not answer, readers get the prices from before a
 * change, and it is tried again: nobody else would.
 */
export const keepUp = <E, R>(changes: Stream.Stream<Invalidations.Change, E, R>) =>
  Stream.runForEach(changes, (change) => Effect.retry(apply(change), everySecond)).pipe(
    // A feed that has failed begins anew, with a gap or where it was.
    Effect.retry(everySecond),
  )
