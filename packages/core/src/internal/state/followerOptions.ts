/** Checks the options of a follower and turns them into those of the larder inside it. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { InvalidOptions } from "../../InvalidOptions.ts"
import * as Policy from "../../Policy.ts"
import * as Upstream from "../../Upstream.ts"
import { millisOf } from "../runtime/duration.ts"
import { followedMillis } from "../runtime/limits.ts"
import type { NamesOf } from "../runtime/optionNames.ts"
import { type AnyOptions, invalidOption } from "./settings.ts"

/**
 * Options of `Larder.follower`.
 *
 * @category options
 * @since 0.1.0
 */
export interface FollowerOptions<S extends Schema.Constraint> {
  /** The name of the owner: the larder whose entries are read. */
  readonly name: string
  /** The schema of the values, as the owner has it. */
  readonly value: S
  /**
   * How long memory serves a value as fresh after the shared tier has given or confirmed it. Changes are
   * heard of at once; this is the safety net for those that nobody told of. Above 0. Default 1 minute.
   */
  readonly maxFreshFor?: Duration.Input | undefined
  /** The `schemaVersion` of the owner. Entries of another one are `None`. Default 0. */
  readonly schemaVersion?: number | undefined
  /** As in `Policy.make`: the longest that one step in a tier behind memory may take. Default 100 ms. */
  readonly tierTimeout?: Duration.Input | undefined
  /** As in `Policy.make`: the longest that all such steps of one `get` may take. Default twice `tierTimeout`. */
  readonly tierBudget?: Duration.Input | undefined
}

type AnyFollowerOptions = FollowerOptions<Schema.Constraint> & Pick<AnyOptions, "key">

const names: NamesOf<AnyFollowerOptions> = {
  name: true,
  value: true,
  maxFreshFor: true,
  schemaVersion: true,
  tierTimeout: true,
  tierBudget: true,
  key: true,
}

/** What makes a larder a follower. */
export interface Following {
  readonly maxFreshFor: number
}

const nowhere = Upstream.make({
  lookup: (_: unknown) => Effect.die(new Error("a follower has no upstream")),
})

/** Throws `InvalidOptions`. */
export const followingOf = (
  options: AnyFollowerOptions,
): { readonly larder: AnyOptions; readonly following: Following } => {
  const mistake = InvalidOptions.ofNames({ module: "Larder", names, got: options })
  if (mistake !== undefined) throw mistake
  const { key, name, schemaVersion, tierBudget, tierTimeout, value } = options
  const { maxFreshFor: longest = followedMillis } = options
  const maxFreshFor = millisOf(longest)
  if (maxFreshFor === undefined || maxFreshFor === 0) {
    const must = 'be a duration above 0, such as "1 minute"'
    throw invalidOption(name, "maxFreshFor", must, options.maxFreshFor)
  }
  // The times of the entries are those that the owner stored.
  const policy = Policy.make({ freshFor: maxFreshFor, tierTimeout, tierBudget })
  const larder = { name, value, key, schemaVersion, policy, upstream: nowhere }
  return { larder, following: { maxFreshFor } }
}

/** A follower of memory alone would never have anything. Throws `InvalidOptions`. */
export const checkShared = (
  name: string,
  tiers: ReadonlyArray<{ readonly kind: string }>,
): void => {
  if (tiers.some(({ kind }) => kind === "bytes")) return
  const must =
    "have a tier that the owner shares, such as RedisTier.layer() or SqliteTier.layer(): what only the memory of a process has, nobody else can read"
  throw invalidOption(name, "TierStack", must, tiers.map((tier) => tier.kind).join(" and "))
}
