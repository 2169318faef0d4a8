/**
 * How long values live and what to do at the edges of their life: durations,
 * jitter, early refresh, timeouts. A policy is a plain immutable value.
 */
import type * as Duration from "effect/Duration"
import { dual } from "effect/Function"
import * as Result from "effect/Result"
import type { EarlyRefresh } from "./EarlyRefresh.ts"
import { none } from "./EarlyRefresh.ts"
import * as Entry from "./Entry.ts"
import * as problems from "./internal/policy/earlyRefreshProblems.ts"
import * as madePolicies from "./internal/policy/madePolicies.ts"
import { problem } from "./internal/policy/policyProblem.ts"
import { millisOf, mustBeDuration } from "./internal/runtime/duration.ts"
import type { InvalidPolicy } from "./InvalidPolicy.ts"

export { InvalidPolicy } from "./InvalidPolicy.ts"

const TypeId = "~larder/Policy"

/**
 * What {@link make} takes. A resolved `Policy` fits it too, so that
 * `Policy.make({ ...base, freshFor: "1 hour" })` changes one thing.
 */
export interface Options {
  /** How long a value is fresh after upstream gave it. Zero: nothing is kept unless there is grace. */
  readonly freshFor: Duration.Input
  /** How long after that it is given at once while a refresh runs (RFC 5861). Default 0. */
  readonly staleWhileRevalidate?: Duration.Input | undefined
  /** How long after its freshness it is given when upstream fails (RFC 5861). Default 0. */
  readonly staleIfError?: Duration.Input | undefined
  /** Shortens `freshFor` by up to this share, one draw per load, so that values stored together do not end together. 0 to 1, default 0. */
  readonly jitter?: number | undefined
  /** Refresh before the end of freshness. Default `EarlyRefresh.none`. */
  readonly earlyRefresh?: EarlyRefresh | undefined
  /** From the call on: after this long something stale is given if there is any. Default: none. */
  readonly softTimeout?: Duration.Input | undefined
  /** The longest a lookup may take, waiting and retries included. Finite; default 30 seconds. */
  readonly hardTimeout?: Duration.Input | undefined
  /** A failed refresh is not tried again before this has passed. Default 1 second. */
  readonly retryAfterFailure?: Duration.Input | undefined
  /** The longest one step in a tier that is not memory may take. Default 100 ms. */
  readonly tierTimeout?: Duration.Input | undefined
  /** The longest all such steps of one `get` may take together. Default twice `tierTimeout`. */
  readonly tierBudget?: Duration.Input | undefined
  /**
   * What `set` waits for. `"awaited"`: until the tiers behind memory have the value. `"background"`:
   * until memory has it; the tiers follow. Default `"awaited"`.
   *
   * In the background a value keeps the place in the order of changes that it had when it was
   * acknowledged: what another node changes later wins, also where it arrives earlier, and memory
   * then lets the value go. While the tiers do not take it, it is fresh for the memory tier's
   * `maxFreshFor` at most. A write that fails is tried again, for a minute or until the value's
   * life ends; then the key is removed from the tiers. At most 1,000 keys are on their way at once,
   * then `set` waits for room. What is left when the larder closes is written within `closeTimeout`.
   * The `Ack` says `settled: false`. Removals and invalidations are always awaited, and so is
   * everything where there is no memory tier.
   */
  readonly tierWrites?: TierWrites | undefined
}

/** See {@link Options}. */
export type TierWrites = "awaited" | "background"

/**
 * A checked policy. Durations are milliseconds; `Infinity` stands for no end and, in
 * `softTimeout`, for none. A copy made by hand is checked where a larder is given it.
 */
export interface Policy {
  readonly [TypeId]: typeof TypeId
  readonly freshFor: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly jitter: number
  readonly earlyRefresh: EarlyRefresh
  readonly softTimeout: number
  readonly hardTimeout: number
  readonly retryAfterFailure: number
  readonly tierTimeout: number
  readonly tierBudget: number
  readonly tierWrites: TierWrites
}

/** A policy whose times depend on the value; see {@link adaptive}. */
export interface AdaptivePolicy<in A, in K> {
  readonly base: Policy
  readonly of: (value: A, key: K, base: Policy) => Policy
}

type DurationField = Exclude<keyof Options, "jitter" | "earlyRefresh" | "tierWrites">

const millis = (
  field: DurationField,
  input: Duration.Input,
): Result.Result<number, InvalidPolicy> => {
  const value = millisOf(input)
  return value === undefined
    ? Result.fail(problem(field, mustBeDuration, input))
    : Result.succeed(value)
}

const durations = (
  options: Options,
): Result.Result<Readonly<Record<DurationField, number>>, InvalidPolicy> => {
  const tierTimeout = millis("tierTimeout", options.tierTimeout ?? 100)
  if (Result.isFailure(tierTimeout)) return Result.fail(tierTimeout.failure)
  return Result.all({
    freshFor: millis("freshFor", options.freshFor),
    staleWhileRevalidate: millis("staleWhileRevalidate", options.staleWhileRevalidate ?? 0),
    staleIfError: millis("staleIfError", options.staleIfError ?? 0),
    softTimeout: millis("softTimeout", options.softTimeout ?? Infinity),
    hardTimeout: millis("hardTimeout", options.hardTimeout ?? 30_000),
    retryAfterFailure: millis("retryAfterFailure", options.retryAfterFailure ?? 1_000),
    tierTimeout,
    tierBudget: millis("tierBudget", options.tierBudget ?? 2 * tierTimeout.success),
  })
}

/** Values that are shown are those of the options, as they were given. */
const contradiction = (policy: Policy, options: Options): InvalidPolicy | undefined => {
  const { earlyRefresh, hardTimeout, jitter, softTimeout, tierBudget, tierTimeout, tierWrites } =
    policy
  const invalid = (field: keyof Options, must: string) => problem(field, must, options[field])
  if (!(jitter >= 0 && jitter <= 1)) {
    return invalid("jitter", "be a share of freshFor from 0 to 1, such as 0.1")
  }
  if (hardTimeout === 0 || hardTimeout === Infinity) {
    return invalid("hardTimeout", "be a finite duration above 0, since it bounds every lookup")
  }
  if (softTimeout !== Infinity && softTimeout > hardTimeout) {
    return invalid("softTimeout", `be at most hardTimeout, which is ${hardTimeout} ms`)
  }
  const noEarlyRefresh = problems.of(earlyRefresh)
  if (noEarlyRefresh !== undefined) return noEarlyRefresh
  if (tierWrites !== "awaited" && tierWrites !== "background") {
    return invalid("tierWrites", 'be "awaited" or "background"')
  }
  if (tierTimeout === 0 || tierTimeout === Infinity) {
    return invalid(
      "tierTimeout",
      "be a finite duration above 0, since it bounds each step in a tier",
    )
  }
  if (tierBudget < tierTimeout || tierBudget === Infinity) {
    return invalid(
      "tierBudget",
      `be a finite duration of at least tierTimeout, which is ${tierTimeout} ms`,
    )
  }
  return undefined
}

/** {@link make} for options from outside: returns the `InvalidPolicy` instead of throwing it. */
export const makeResult = (options: Options): Result.Result<Policy, InvalidPolicy> => {
  const checked = durations(options)
  if (Result.isFailure(checked)) return Result.fail(checked.failure)
  const policy: Policy = Object.freeze({
    [TypeId]: TypeId,
    ...checked.success,
    jitter: options.jitter ?? 0,
    earlyRefresh: options.earlyRefresh === undefined ? none : options.earlyRefresh,
    tierWrites: options.tierWrites ?? "awaited",
  })
  const contradicts = contradiction(policy, options)
  if (contradicts !== undefined) return Result.fail(contradicts)
  madePolicies.add(policy)
  return Result.succeed(policy)
}

/**
 * Checks options and makes a policy of them.
 *
 * **Details**
 *
 * `revalidateUntil = freshUntil + staleWhileRevalidate`, and
 * `staleUntil = freshUntil + max(staleWhileRevalidate, staleIfError)`.
 *
 * **Gotchas**
 *
 * Throws `InvalidPolicy`, which names the field, for negatives, NaN and
 * contradictions; {@link makeResult} returns it.
 *
 * **Example**
 *
 * ```ts
 * import { EarlyRefresh, Policy } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const policy = Policy.make({
 *   freshFor: "1 minute",
 *   staleWhileRevalidate: "5 minutes",
 *   staleIfError: "1 day",
 *   earlyRefresh: EarlyRefresh.xfetch()
 * })
 * assert.strictEqual(policy.freshFor, 60_000)
 * assert.throws(() => Policy.make({ freshFor: -1 }), { _tag: "InvalidPolicy", field: "freshFor" })
 * ```
 */
export const make = (options: Options): Policy => Result.getOrThrow(makeResult(options))

/**
 * A policy that depends on the value: `of` is called once for each value that
 * is stored, never on a hit. `base` holds where there is no value yet: timeouts
 * of the lookup and the throttle after failures.
 *
 * **When to use**
 *
 * Use to keep "not found" for a shorter time than a value, or to follow an
 * expiry that came with it.
 *
 * **Example**
 *
 * ```ts
 * import { Policy } from "@larder/core"
 * import { Option } from "effect"
 *
 * export const policy = Policy.adaptive(
 *   Policy.make({ freshFor: "10 minutes" }),
 *   (found: Option.Option<string>, _key: string, base) =>
 *     Option.isSome(found) ? base : Policy.make({ ...base, freshFor: "5 seconds" })
 * )
 * ```
 */
export const adaptive: {
  <A, K>(of: (value: A, key: K, base: Policy) => Policy): (base: Policy) => AdaptivePolicy<A, K>
  <A, K>(base: Policy, of: (value: A, key: K, base: Policy) => Policy): AdaptivePolicy<A, K>
} = dual(
  2,
  <A, K>(base: Policy, of: (value: A, key: K, base: Policy) => Policy): AdaptivePolicy<A, K> => ({
    base,
    of,
  }),
)

/** Whether it is a policy, or a copy of one; {@link make} alone checks its fields. */
export const isPolicy = (u: unknown): u is Policy =>
  typeof u === "object" && u !== null && TypeId in u

/** The four times of a value that upstream gave at `now`; `draw` in [0, 1) is the jitter's. */
export const times = (
  policy: Policy,
  now: number,
  draw: number,
): Pick<Entry.Entry<unknown>, "storedAt" | "freshUntil" | "revalidateUntil" | "staleUntil"> => {
  const storedAt = Math.floor(now)
  const freshFor = Math.floor(policy.freshFor * (1 - policy.jitter * draw))
  const { staleIfError, staleWhileRevalidate } = policy
  const freshUntil = Entry.after(storedAt, freshFor)
  return {
    storedAt,
    freshUntil,
    revalidateUntil: Entry.after(freshUntil, Math.floor(staleWhileRevalidate)),
    staleUntil: Entry.after(freshUntil, Math.floor(Math.max(staleWhileRevalidate, staleIfError))),
  }
}
