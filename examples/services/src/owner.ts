/** The owner of the prices: the one service that has the source, and the only one that changes it by plan. */
import type { Invalidations, TierStack } from "@larder/core"
import { ChangeTable } from "@larder/sql"
import { type Duration, Effect, Layer, type Stream } from "effect"
import type { SqlClient } from "effect/sql"
import * as Feed from "./feed.ts"
import { larderName } from "./price.ts"
import { Prices } from "./prices.ts"
import * as PriceTable from "./priceTable.ts"

export interface Listening<E, R> {
  /** Messages of services that have changed a price. */
  readonly messages: Stream.Stream<Invalidations.Change, E, R>
  /** How often the table of changes is read. */
  readonly pollInterval: Duration.Input
}

/** The larder, and two feeds that tell it of changes by others: one is fast, the other loses nothing. */
export const layer = <E, R>({
  messages,
  pollInterval,
}: Listening<E, R>): Layer.Layer<
  Prices,
  PriceTable.SourceDown,
  R | SqlClient.SqlClient | TierStack.TierStack
> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      yield* PriceTable.migrate
      const recorded = ChangeTable.stream({ consumer: larderName, pollInterval })
      yield* Effect.forkScoped(Feed.keepUp(messages))
      yield* Effect.forkScoped(Feed.keepUp(recorded))
    }),
  ).pipe(Layer.provideMerge(Prices.layer))
