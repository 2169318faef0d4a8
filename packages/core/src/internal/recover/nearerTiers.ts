/** Changes in tiers that do not arbitrate. Drops that fail are retried. */
import * as Effect from "effect/Effect"
import type { Entry } from "../../Entry.ts"
import type { Engine } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { Budget } from "../tier/budget.ts"
import { missedRetryMillis } from "../runtime/limits.ts"

/** What the node knows of an entry that it stores. */
export interface Known {
  /**
   * When the entry was the latest, in monotonic time: as of its commit, or of the begin of a lookup that
   * the arbiter did not hear of. Race: a gap is found between that and the write to the tier.
   */
  readonly asOf: number
  /** The entry's version is above those of all older entries. */
  readonly isOrdered: boolean
  /**
   * The node chose the version: the arbiter may have stored the value as expired under it. By default the
   * arbiter gave the version, if `isOrdered`.
   */
  readonly isChosen?: boolean
}

/**
 * Stores an entry in a tier that does not arbitrate; says whether the tier took it. If not, drops
 * older entries.
 */
export const keepNearer = (
  engine: Engine,
  tier: FartherTier,
  k: string,
  entry: Entry<unknown>,
  known: Known,
): Effect.Effect<boolean> =>
  Effect.flatMap(kept(tier, k, entry, known), (done) =>
    done
      ? Effect.succeed(true)
      : Effect.as(dropNearer(engine, tier, k, known.isOrdered ? entry.version : undefined), false),
  )

const kept = (
  { copies }: FartherTier,
  k: string,
  entry: Entry<unknown>,
  { asOf: at, isChosen = false, isOrdered }: Known,
): Effect.Effect<boolean> =>
  isOrdered ? copies.put(k, entry, { at, isOrdered: !isChosen }) : copies.replace(k, entry, { at })

/** Drops the entry of a tier that does not arbitrate, up to `version`, by default any. Retries until done. */
export const dropNearer = (
  engine: Engine,
  tier: FartherTier,
  k: string,
  version: number | undefined,
): Effect.Effect<boolean> => orLater(engine, tier, tier.copies.drop(k, version))

/** Expires the entry of a tier that does not arbitrate, up to `version`, by default any; if that fails, drops it. */
export const expireNearer = (
  engine: Engine,
  tier: FartherTier,
  k: string,
  version: number | undefined,
): Effect.Effect<boolean> => {
  const budget = new Budget(engine.settings.policy.tierBudget)
  return orLater(engine, tier, tier.copies.expire(k, version, budget))
}

const orLater = (
  engine: Engine,
  tier: FartherTier,
  followed: Effect.Effect<boolean>,
): Effect.Effect<boolean> =>
  Effect.tap(followed, (done) =>
    Effect.sync(() => {
      if (!done) dropMissedLater(engine, tier)
    }),
  )

const dropMissedLater = (engine: Engine, tier: FartherTier): void => {
  if (engine.missed.tiers.has(tier) || engine.closed) return
  engine.missed.tiers.add(tier)
  engine.timers.schedule(engine.now() + missedRetryMillis, () => {
    engine.missed.tiers.delete(tier)
    engine.fibers.fork(
      Effect.map(tier.copies.dropMissed, (done) => {
        if (!done) dropMissedLater(engine, tier)
      }),
    )
  })
}
