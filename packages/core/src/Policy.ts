/**
 * A policy: how long values are fresh and how long stale values may be served. It has durations,
 * jitter, early refresh and timeouts, and is a plain immutable value.
 *
 * @module
 * @category policies
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import { dual } from "effect/Function"
import * as Result from "effect/Result"
import type { EarlyRefresh } from "./EarlyRefresh.ts"
import { none } from "./EarlyRefresh.ts"
import * as Entry from "./Entry.ts"
import * as problems from "./internal/policy/earlyRefreshProblems.ts"
import * as madePolicies from "./internal/policy/madePolicies.ts"
import { misnamed, problem } from "./internal/policy/policyProblem.ts"
import { millisOf, mustBeDuration } from "./internal/runtime/duration.ts"
import type { NamesOf } from "./internal/runtime/optionNames.ts"
import type { InvalidPolicy } from "./InvalidPolicy.ts"

export { InvalidPolicy } from "./InvalidPolicy.ts"

const TypeId = "~larder/Policy"

/**
 * Options of {@link make}. The fields of a `Policy` are valid options too, so that
 * `Policy.make({ ...base, freshFor: "1 hour" })` changes one field.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * How long a value is fresh after upstream returned it (TTL). With 0, and without grace, the
   * larder stores nothing.
   */
  readonly freshFor: Duration.Input
  /**
   * For how long after its freshness callers get the value at once while a refresh runs (RFC 5861).
   * Default 0.
   */
  readonly staleWhileRevalidate?: Duration.Input | undefined
  /**
   * For how long after its freshness callers get the value when upstream fails (RFC 5861). Default
   * 0.
   */
  readonly staleIfError?: Duration.Input | undefined
  /**
   * Shortens `freshFor` by up to this share, drawn for each load, so that values stored together do not expire together. From 0 to 1, default 0.
   */
  readonly jitter?: number | undefined
  /** Whether a read refreshes a value before its freshness ends. Default `EarlyRefresh.none`. */
  readonly earlyRefresh?: EarlyRefresh | undefined
  /**
   * How long a caller waits, from its call on, before it gets a stale value if there is one.
   * Default: no such timeout.
   */
  readonly softTimeout?: Duration.Input | undefined
  /** The longest a lookup may take, waiting and retries included. Finite. Default 30 seconds. */
  readonly hardTimeout?: Duration.Input | undefined
  /** How long after a failed refresh the larder waits before it tries again. Default 1 second. */
  readonly retryAfterFailure?: Duration.Input | undefined
  /** The longest one step in a tier behind memory may take. Default 100 ms. */
  readonly tierTimeout?: Duration.Input | undefined
  /** The longest all such steps of one `get` may take together. Default twice `tierTimeout`. */
  readonly tierBudget?: Duration.Input | undefined
  /**
   * Whether `set` waits for the tiers behind memory. `"awaited"`: until they have the value.
   * `"background"`: only until memory has it; the tiers follow. Default `"awaited"`.
   *
   * A value written in the background keeps the place in the order of changes that it had when it
   * was acknowledged: a later change by another node wins even if it reaches the tiers first, and
   * memory then drops the value. Until the tiers have the value, it is fresh for at most the memory
   * tier's `maxFreshFor`. A failed write is retried for a minute (the arbiter's `settleTime`) or
   * until the value's life ends; then the key is removed from the tiers. At most 1,000 keys are being
   * written at once; beyond that `set` waits for room. Closing the larder writes the rest within
   * `closeTimeout`. The `Ack` has `settled: false`. Removals and invalidations are always awaited, and
   * so are all writes of a stack without a memory tier.
   */
  readonly tierWrites?: TierWrites | undefined
  /**
   * How long the arbiter's confirmation of a value in memory counts: see {@link checked}. Default
   * `Infinity`: memory's values are served without one.
   */
  readonly checkEvery?: Duration.Input | undefined
}

/**
 * Whether `set` waits for the tiers behind memory: see `tierWrites` of {@link Options}.
 *
 * @category models
 * @since 0.1.0
 */
export type TierWrites = "awaited" | "background"

/**
 * A checked policy. Durations are milliseconds; `Infinity` means no end. A larder that gets a policy
 * copied by hand checks it again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  readonly [TypeId]: typeof TypeId
  /** How long a value is fresh, ms. */
  readonly freshFor: number
  /** Stale-while-revalidate after the freshness, ms. */
  readonly staleWhileRevalidate: number
  /** Stale-if-error after the freshness, ms. */
  readonly staleIfError: number
  /** The share by which `freshFor` may be shortened, from 0 to 1. */
  readonly jitter: number
  readonly earlyRefresh: EarlyRefresh
  /** The soft timeout from the call on, ms; `Infinity` for none. */
  readonly softTimeout: number
  /** The longest a lookup may take, ms. */
  readonly hardTimeout: number
  /** The pause after a failed refresh, ms. */
  readonly retryAfterFailure: number
  /** The longest one step in a tier behind memory may take, ms. */
  readonly tierTimeout: number
  /** The longest all such steps of one `get` may take together, ms. */
  readonly tierBudget: number
  readonly tierWrites: TierWrites
  /** How long the arbiter's confirmation of a value in memory counts, ms; `Infinity` without checks. */
  readonly checkEvery: number
}

/**
 * A policy whose times depend on the value; see {@link adaptive}.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptivePolicy<in A, in K> {
  readonly base: Policy
  readonly of: (value: A, key: K, base: Policy) => Policy
}

/** A policy is the options of another one, with its type id: `Policy.make({ ...policy, jitter: 0 })`. */
const names: NamesOf<Options> & Readonly<Record<typeof TypeId, true>> = {
  freshFor: true,
  staleWhileRevalidate: true,
  staleIfError: true,
  jitter: true,
  earlyRefresh: true,
  softTimeout: true,
  hardTimeout: true,
  retryAfterFailure: true,
  tierTimeout: true,
  tierBudget: true,
  tierWrites: true,
  checkEvery: true,
  [TypeId]: true,
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
    checkEvery: millis("checkEvery", options.checkEvery ?? Infinity),
    tierTimeout,
    tierBudget: millis("tierBudget", options.tierBudget ?? 2 * tierTimeout.success),
  })
}

/** Values that are shown are those of the options, as they were given. */
const contradiction = (policy: Policy, options: Options): InvalidPolicy | undefined => {
  const { earlyRefresh, hardTimeout, jitter, softTimeout, tierBudget, tierTimeout, tierWrites } =
    policy
  const invalid = (field: keyof Options, must: string) => problem(field, must, options[field])
  if (!(typeof jitter === "number" && jitter >= 0 && jitter <= 1)) {
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

/**
 * {@link make} for options from outside: returns the `InvalidPolicy` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { Policy } from "@larder/core"
 * import { Result } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.ok(Result.isSuccess(Policy.makeResult({ freshFor: "1 minute" })))
 * assert.ok(Result.isFailure(Policy.makeResult({ freshFor: Number.NaN })))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeResult = (options: Options): Result.Result<Policy, InvalidPolicy> => {
  const mistake = misnamed(options, names)
  if (mistake !== undefined) return Result.fail(mistake)
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
 * Makes a policy from options, and checks them.
 *
 * **Details**
 *
 * `revalidateUntil = freshUntil + staleWhileRevalidate`, and
 * `staleUntil = freshUntil + max(staleWhileRevalidate, staleIfError)`.
 *
 * **Gotchas**
 *
 * Throws `InvalidPolicy`, which names the field, for negatives, NaN and contradictions;
 * {@link makeResult} returns it.
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
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Policy => Result.getOrThrow(makeResult(options))

/**
 * Makes a policy that depends on the value. The larder calls `of` once for each value that it
 * stores, never on a hit. While there is no value, `base` applies: the timeouts of the lookup, and
 * the pause after failures.
 *
 * **When to use**
 *
 * Use to cache "not found" for a shorter time than a value, or to follow an expiry that came with
 * the value.
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
 *
 * @category combinators
 * @since 0.1.0
 */
export const adaptive: {
  <A, K>(of: (value: A, key: K, base: Policy) => Policy): (base: Policy) => AdaptivePolicy<A, K>
  <A, K>(base: Policy, of: (value: A, key: K, base: Policy) => Policy): AdaptivePolicy<A, K>
} = dual(
  2,
  <A, K>(base: Policy, of: (value: A, key: K, base: Policy) => Policy): AdaptivePolicy<A, K> => {
    if (typeof of !== "function") throw problem("adaptive", "get a function of the value", of)
    return { base, of }
  },
)

/**
 * Options of {@link checked}.
 *
 * @category options
 * @since 0.1.0
 */
export interface CheckedOptions {
  /** How long a confirmation counts. Default 0: each `get` asks. */
  readonly every?: Duration.Input | undefined
}

const checkedNames: NamesOf<CheckedOptions> = { every: true }

/**
 * Makes a policy with version-checked reads: memory's value is served only after the arbiter, the
 * shared tier that orders writes, has confirmed its version.
 *
 * **When to use**
 *
 * Use for values that must not be older than the last settled change of any node, such as prices and
 * rights. `get(key, { check: true })` checks a single call.
 *
 * **Details**
 *
 * A check reads the version alone, and the marks of invalidations. Callers of one turn of the event
 * loop share it, and keys share a request. After a `set` on any node is settled, no checked read that
 * begins later returns an older value, whether or not messages between nodes arrive. With `every`, a
 * value may be older by that time. While the arbiter does not answer, the larder looks the key up, and
 * serves the value if that fails (stale-if-error).
 *
 * **Gotchas**
 *
 * On a stack without an arbiter, reads are plain. Throws `InvalidPolicy` with the field `every` for an
 * invalid duration.
 *
 * **Example**
 *
 * ```ts
 * import { Policy } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const prices = Policy.checked(Policy.make({ freshFor: "1 hour" }), { every: "1 second" })
 * assert.strictEqual(prices.checkEvery, 1_000)
 * assert.strictEqual(Policy.checked(prices).checkEvery, 0)
 * assert.throws(() => Policy.checked(prices, { every: -1 }), { _tag: "InvalidPolicy", field: "every" })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const checked: {
  (options?: CheckedOptions): (policy: Policy) => Policy
  (policy: Policy, options?: CheckedOptions): Policy
} = dual(
  (args) => isPolicy(args[0]),
  (policy: Policy, options: CheckedOptions = {}): Policy => {
    const mistake = misnamed(options, checkedNames)
    if (mistake !== undefined) throw mistake
    const { every = 0 } = options
    const checkEvery = millisOf(every)
    if (checkEvery === undefined) throw problem("every", mustBeDuration, every)
    return make({ ...policy, checkEvery })
  },
)

/**
 * Whether a value is a policy, or a copy of one. Only {@link make} checks its fields.
 *
 * **Example**
 *
 * ```ts
 * import { Policy } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.ok(Policy.isPolicy(Policy.make({ freshFor: "1 minute" })))
 * assert.ok(!Policy.isPolicy({ freshFor: 60_000 }))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isPolicy = (u: unknown): u is Policy =>
  typeof u === "object" && u !== null && TypeId in u

/**
 * The four times of a value that upstream returned at `now` (ms since the Unix epoch), for a cache
 * of your own. `draw` is a random number in [0, 1) for the jitter.
 *
 * **Example**
 *
 * ```ts
 * import { Policy } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const policy = Policy.make({ freshFor: "10 seconds", staleIfError: "1 minute" })
 * assert.deepStrictEqual(Policy.times(policy, 1_000, 0), {
 *   storedAt: 1_000,
 *   freshUntil: 11_000,
 *   revalidateUntil: 11_000,
 *   staleUntil: 71_000
 * })
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
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
