/** Ways to change a price, of which one is right. Each may be held up on its way, as any program may. */
import { type Duration, Effect } from "effect"
import { Prices } from "./prices.ts"
import * as PriceTable from "./priceTable.ts"
import type { Way } from "./way.ts"

export interface Wanted {
  readonly id: string
  readonly cents: number
  /** A collection of garbage, a slow connection, a suspended machine. */
  readonly heldUp: Duration.Input
}

const isOvertaken = (error: unknown) => error instanceof PriceTable.Overtaken

/**
 * The token of the write is the version of the row, and the source keeps what is newer. A change that comes
 * too late fails with `Overtaken`. Nothing has changed then, and readers keep what they have.
 */
export const guarded = ({ cents, heldUp, id }: Wanted) =>
  Effect.gen(function* () {
    const prices = yield* Prices
    const saving = prices.through(id, { untouched: isOvertaken })(({ version }) =>
      Effect.andThen(Effect.sleep(heldUp), PriceTable.save({ id, cents, version })),
    )
    const price = yield* saving
    // Where something came in between, or Redis did not answer, the price was removed. Followers look
    // nothing up, so the owner does.
    yield* prices.get(id)
    return price
  })

/** The same without `WHERE version < $version`: who comes last wins, also who is late. */
export const unguarded = ({ cents, heldUp, id }: Wanted) =>
  Effect.gen(function* () {
    const prices = yield* Prices
    const price = yield* prices.through(id)(({ version }) =>
      Effect.andThen(Effect.sleep(heldUp), PriceTable.overwrite({ id, cents, version })),
    )
    yield* prices.get(id)
    return price
  })

/** Saves, and then sets: the source is right, and who is held up in between sets an old price. */
export const setAfterwards = ({ cents, heldUp, id }: Wanted) =>
  Effect.gen(function* () {
    const prices = yield* Prices
    const price = yield* PriceTable.setCents(id, cents)
    yield* Effect.sleep(heldUp)
    yield* prices.set(id, price)
    return price
  })

export const changing = { guarded, unguarded, set: setAfterwards } satisfies Record<Way, unknown>
