/**
 * A lease without a cached value: an effect runs on one node at a time, for as long as its node
 * renews the lease.
 *
 * It is for efficiency: one node of many runs the nightly report, warms a cache, or reads a change
 * feed. No lease keeps a node that was stopped for longer than the lease from going on where it
 * stopped: a lease alone is no proof that nobody else is at work. Where two at work would do harm,
 * write the token with each change, and let what is written to refuse a lower token than it has seen.
 *
 * @module
 * @category building blocks
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { acquire, release } from "./internal/lease/acquire.ts"
import type { LeaseLost, LeaseNotAcquired } from "./internal/lease/errors.ts"
import { hold } from "./internal/lease/hold.ts"
import { invalidEffect, type Settings, settingsOf } from "./internal/lease/settings.ts"
import { leaseNamespace } from "./internal/state/namespace.ts"
import { steadyClock } from "./internal/runtime/steadyClock.ts"
import { InvalidOptions } from "./InvalidOptions.ts"
import { type Arbiter, Tier, type TierError } from "./Tier.ts"

export { LeaseLost, LeaseNotAcquired } from "./internal/lease/errors.ts"

/**
 * Options of {@link withLease}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * How long the lease of a node that dies keeps others out. A holder renews it after each quarter.
   * From 100 milliseconds to 24 days; some seconds suit most work.
   */
  readonly lease: Duration.Input
  /** How long the caller waits for a lease that another has. Default 0: not at all. */
  readonly wait?: Duration.Input | undefined
}

/**
 * What grants leases, for {@link withLeaseOf}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Lessor {
  /** The arbiter of the tier, opened as {@link namespace}. */
  readonly arbiter: Arbiter
  /** The name of the tier in a `TierError`. */
  readonly name: string
}

/**
 * The name under which a tier keeps the leases of {@link withLease}, where others have the name of a
 * larder. No larder may have this name.
 *
 * **When to use**
 *
 * To find the leases in a server, or to open a tier for {@link withLeaseOf}.
 *
 * **Example**
 *
 * ```ts
 * import { Lease } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Lease.namespace, "~lease")
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const namespace: string = leaseNamespace

const checked = (module: string, key: string, options: Options): Effect.Effect<Settings> =>
  Effect.orDie(Effect.fromResult(settingsOf(module, key, options)))

const run = <A, E, R>(
  lessor: Lessor,
  key: string,
  settings: Settings,
  effect: (token: number) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E | LeaseNotAcquired | LeaseLost | TierError, R> =>
  Effect.flatMap(steadyClock, (clock) => {
    if (typeof effect !== "function") {
      const must = "be a function that takes the token and returns an Effect"
      return Effect.die(invalidEffect(must, effect))
    }
    const { arbiter, name } = lessor
    const wanted = { arbiter, tier: name, clock, key, settings }
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(acquire(wanted, restore), (granted) =>
        Effect.ensuring(restore(hold(wanted, granted, effect)), release(wanted, granted.token)),
      ),
    )
  })

const invalidTier = (got: string): InvalidOptions =>
  InvalidOptions.of({
    module: "Lease",
    field: "tier",
    must: "be a tier that leases, such as RedisTier.layer, SqliteTier.layer or MemoryTier.layerShared",
    got,
  })

/**
 * Runs an effect while this caller holds the lease of `key`, over the tier in the context. The effect
 * gets the token of the lease, a number that rises with each holder.
 *
 * **When to use**
 *
 * Use for work that one node at a time should do, so that others need not.
 *
 * **Details**
 *
 * - Without the lease it fails with `LeaseNotAcquired`, at once or after `wait`. Waiting callers ask
 *   again when the holder returns the lease and the tier tells of it, when the lease's time is over,
 *   and at least once a second. They get the lease in no order.
 * - The lease is renewed after each quarter. A holder that no longer has it is interrupted, and the
 *   result is `LeaseLost`: when the tier says so, which takes at most a third of the lease if the tier
 *   answers, and when the lease's time is over without a confirmed renewal. The caller gets `LeaseLost`
 *   once the effect has ended, its finalizers included.
 * - Whatever ends the effect, the lease is returned, unless it has passed on to another.
 * - A tier that does not answer the request for the lease is asked again until `wait` is over; then
 *   its `TierError` is the result. While the effect runs, renewals that fail are tried again until the
 *   lease's time is over.
 * - The tokens are below 2^53, and are those of the tier: microseconds since 1970, or more.
 * - `key` follows the rules of a larder's keys. Keys of leases and of larders are apart.
 *
 * **Gotchas**
 *
 * A lease cannot be taken twice: a second `withLease` of the key inside the effect waits in vain. The
 * effect must let itself be interrupted: an uninterruptible part runs on after the loss.
 *
 * Dies with `InvalidOptions` for invalid options, an invalid key, an `effect` that is no function or
 * returns no Effect, and a tier that does not lease, such as `MemoryTier.layer`.
 *
 * **Example**
 *
 * ```ts
 * import { Lease, MemoryTier } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * let reports = 0
 * const report = Lease.withLease("nightly-report", { lease: "30 seconds" })((token) =>
 *   Effect.sync(() => {
 *     reports += 1
 *     return token
 *   }),
 * )
 *
 * const program = Effect.all([report, report])
 * const [first, second] = await Effect.runPromise(Effect.provide(program, MemoryTier.layerShared))
 * assert.ok(second > first)
 * assert.strictEqual(reports, 2)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withLease =
  (key: string, options: Options) =>
  <A, E, R>(
    effect: (token: number) => Effect.Effect<A, E, R>,
  ): Effect.Effect<A, E | LeaseNotAcquired | LeaseLost | TierError, R | Tier> =>
    Effect.flatMap(checked("Lease", key, options), (settings) =>
      Effect.flatMap(Tier, (tier) => {
        if (tier.kind === "objects") return Effect.die(invalidTier(tier.name))
        const opened = Effect.map(tier.open({ larder: leaseNamespace }), ({ arbiter }) => arbiter)
        return Effect.scopedWith((scope) =>
          Effect.flatMap(Effect.provideService(opened, Scope.Scope, scope), (arbiter) =>
            arbiter === undefined
              ? Effect.die(invalidTier(tier.name))
              : run({ arbiter, name: tier.name }, key, settings, effect),
          ),
        )
      }),
    )

/**
 * {@link withLease} over an arbiter in hand, for clients that are no tier in the context.
 *
 * **When to use**
 *
 * In a package for a server of its own: `RedisLease.withLease` is this over a Redis client.
 *
 * **Example**
 *
 * ```ts
 * import { Lease, MemoryTier, Tier } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const tier = yield* Tier.Tier
 *   if (tier.kind !== "bytes") return
 *   const { arbiter } = yield* tier.open({ larder: Lease.namespace })
 *   if (arbiter === undefined) return
 *   const lessor = { arbiter, name: tier.name }
 *   return yield* Lease.withLeaseOf(lessor, "report", { lease: "30 seconds" })((token) =>
 *     Effect.succeed(token > 0),
 *   )
 * })
 * const done = program.pipe(Effect.scoped, Effect.provide(MemoryTier.layerShared))
 * assert.ok(await Effect.runPromise(done))
 * ```
 *
 * @category tier authors
 * @since 0.1.0
 */
export const withLeaseOf =
  (lessor: Lessor, key: string, options: Options) =>
  <A, E, R>(
    effect: (token: number) => Effect.Effect<A, E, R>,
  ): Effect.Effect<A, E | LeaseNotAcquired | LeaseLost | TierError, R> =>
    Effect.flatMap(checked("Lease", key, options), (settings) => run(lessor, key, settings, effect))
