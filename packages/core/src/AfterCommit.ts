/**
 * When a change of the source counts for the cache: at once, or, inside a transaction, once the
 * transaction has committed. `around`, `through` and `update` of a larder ask it.
 *
 * @module
 * @category cache
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"

/**
 * Runs an effect once the caller's transaction has committed; never if it rolls back; at once where no
 * transaction is open.
 *
 * @category models
 * @since 0.1.0
 */
export type AfterCommit = (effect: Effect.Effect<void>) => Effect.Effect<void>

/**
 * The `AfterCommit` of the caller. Default: at once.
 *
 * **When to use**
 *
 * Provide {@link layerSql} where the source is a database that is changed in transactions of Effect's
 * `SqlClient`. Provide a function of your own for a client of another kind.
 *
 * **Example** (A transaction that rolls back leaves no trace)
 *
 * ```ts
 * import { AfterCommit, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
 *     policy: Policy.make({ freshFor: "1 minute" })
 *   })
 *   yield* prices.get("milk")
 *   const rolledBack: AfterCommit.AfterCommit = () => Effect.void
 *   yield* Effect.void.pipe(
 *     prices.around("milk"),
 *     Effect.provideService(AfterCommit.AfterCommit, rolledBack)
 *   )
 *   return yield* prices.has("milk")
 * })
 * const has = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.strictEqual(has, true)
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const AfterCommit: Context.Reference<AfterCommit> = Context.Reference(
  "@larder/core/AfterCommit",
  { defaultValue: (): AfterCommit => (effect) => effect },
)

/**
 * {@link AfterCommit} of Effect's `SqlClient`: changes made in `withTransaction` count once the outermost
 * transaction has committed.
 *
 * **Details**
 *
 * A savepoint that rolls back takes the changes made within it with it. Where a `COMMIT` fails, or its
 * outcome is unknown because the connection was lost, nothing counts: values are then as old as their
 * lifetimes allow, and a change table in the same transaction is what tells the cache for certain.
 *
 * **Example**
 *
 * ```ts
 * import { AfterCommit } from "@larder/core"
 * import { Layer } from "effect"
 * import type * as SqlClient from "effect/sql/SqlClient"
 *
 * const application = (database: Layer.Layer<SqlClient.SqlClient>) =>
 *   AfterCommit.layerSql.pipe(Layer.provideMerge(database))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSql: Layer.Layer<never, never, SqlClient.SqlClient> = Layer.effect(
  AfterCommit,
  Effect.map(
    SqlClient.SqlClient,
    (sql): AfterCommit =>
      (effect) =>
        sql.afterCommit(effect),
  ),
)
