/**
 * The errors and defects of a larder itself, beside the errors of its upstream. `Larder` exports
 * them as well. An error has the key as a member, and not in its message, which logs and spans export.
 *
 * @module
 * @category cache
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Schema from "effect/Schema"

/**
 * A lookup took longer than the policy's `hardTimeout`, and the caller could get no stale value.
 * `millis` is the limit, in milliseconds.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.never as Effect.Effect<number> }),
 *     policy: Policy.make({ freshFor: "1 minute", hardTimeout: "10 millis" })
 *   })
 *   return yield* prices.get("milk").pipe(
 *     Effect.catchTag("LookupTimeout", (error) => Effect.succeed(error))
 *   )
 * })
 * const error = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.ok(error instanceof Larder.LookupTimeout)
 * assert.strictEqual(error.millis, 10)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class LookupTimeout extends Schema.TaggedError<LookupTimeout>()("LookupTimeout", {
  larder: Schema.String,
  key: Schema.String,
  millis: Schema.Finite,
}) {
  override get message(): string {
    return `${this.larder}: a lookup took longer than ${this.millis} ms (Policy hardTimeout)`
  }
}

/**
 * The key is invalid: longer than 1,024 bytes of UTF-8, with control characters or lone surrogates,
 * or no string or number while there is no `key` function. `reason` says which.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const lengths = yield* Larder.make({
 *     name: "lengths",
 *     upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
 *     policy: Policy.make({ freshFor: "1 minute" })
 *   })
 *   return yield* Effect.flip(lengths.get("milk\n"))
 * })
 * const error = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.ok(error instanceof Larder.InvalidKey)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidKey extends Schema.TaggedError<InvalidKey>()("InvalidKey", {
  larder: Schema.String,
  key: Schema.String,
  reason: Schema.String,
}) {
  override get message(): string {
    return `${this.larder}: invalid key: ${this.reason}`
  }
}

/**
 * The bulk lookup answered without this key: the `Exit` of that key in `getMany`. Other keys of the
 * same call are not affected.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Cause, Effect, Exit } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const prices = yield* Larder.make({
 *     name: "prices",
 *     upstream: Upstream.make({
 *       lookup: (_: string) => Effect.succeed(120),
 *       lookupMany: () => Effect.succeed(new Map([["milk", 120]]))
 *     }),
 *     policy: Policy.make({ freshFor: "1 minute" })
 *   })
 *   return yield* prices.getMany(["milk", "jam"])
 * })
 * const prices = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * const jam = prices.get("jam")
 * assert.ok(jam !== undefined && Exit.isFailure(jam))
 * assert.ok(Cause.squash(jam.cause) instanceof Larder.KeyNotReturned)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class KeyNotReturned extends Schema.TaggedError<KeyNotReturned>()("KeyNotReturned", {
  larder: Schema.String,
  key: Schema.String,
}) {
  override get message(): string {
    return `${this.larder}: the bulk lookup returned no value for a key`
  }
}

/**
 * `removeWhere` could not list the keys of a tier. Where the tier is not able to (`unsupported`), nothing
 * has changed. Where it `failed`, `keys` have been removed and others may be left: call `removeWhere` again.
 *
 * **Example**
 *
 * ```ts
 * import { Larder } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const error = new Larder.KeysNotListed({
 *   larder: "prices",
 *   tier: "mine",
 *   reason: "unsupported",
 *   keys: 0
 * })
 * assert.ok(error.message.includes("mine"))
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class KeysNotListed extends Schema.TaggedError<KeysNotListed>()("KeysNotListed", {
  larder: Schema.String,
  tier: Schema.String,
  reason: Schema.Literals(["unsupported", "failed"]),
  /** How many keys were removed before. */
  keys: Schema.Finite,
}) {
  override get message(): string {
    return this.reason === "unsupported"
      ? `${this.larder}: the tier ${this.tier} cannot list keys, so removeWhere changed nothing; use tags such as Larder.prefixTags`
      : `${this.larder}: the tier ${this.tier} did not list all keys; removeWhere removed ${this.keys} so far, call it again`
  }
}

/**
 * The errors of `get` beside those of upstream.
 *
 * @category errors
 * @since 0.1.0
 */
export type LarderError = LookupTimeout | InvalidKey

/**
 * A defect, not an error: the larder's scope is closed. Waiting callers get it too, rather than an
 * interruption.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Cause, Effect, Exit } from "effect"
 * import * as assert from "node:assert"
 *
 * const lengths = Larder.make({
 *   name: "lengths",
 *   upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
 *   policy: Policy.make({ freshFor: "1 minute" })
 * })
 * // The scope ends before the call.
 * const closed = await Effect.runPromise(
 *   lengths.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * const exit = await Effect.runPromiseExit(closed.get("milk"))
 * assert.ok(Exit.isFailure(exit))
 * assert.ok(Cause.squash(exit.cause) instanceof Larder.LarderClosed)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class LarderClosed extends Data.TaggedError("LarderClosed")<{ readonly larder: string }> {
  override get message(): string {
    return `${this.larder} is closed, since its scope has ended; call it only within its scope`
  }
}

/**
 * A defect: a lookup interrupted itself. Its callers were not interrupted, so they get this defect
 * instead of an interruption.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Cause, Effect, Exit } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const lengths = yield* Larder.make({
 *     name: "lengths",
 *     upstream: Upstream.make({ lookup: (_: string): Effect.Effect<number> => Effect.interrupt }),
 *     policy: Policy.make({ freshFor: "1 minute" })
 *   })
 *   return yield* Effect.exit(lengths.get("milk"))
 * })
 * const exit = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.ok(Exit.isFailure(exit))
 * assert.ok(Cause.squash(exit.cause) instanceof Larder.LookupInterrupted)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class LookupInterrupted extends Data.TaggedError("LookupInterrupted")<{
  readonly larder: string
  readonly key: string
}> {
  override get message(): string {
    return `${this.larder}: a lookup interrupted itself`
  }
}

/**
 * A defect: an option function (`tags`, `etag`, `revision`, an adaptive `policy`, the memory tier's
 * `weigh`, ...) threw, or returned an invalid result.
 *
 * **Details**
 *
 * `set` dies with it, and changes nothing. A lookup still returns its value, but the larder does not
 * store it. A stored entry counts as undecodable.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Cause, Effect, Exit } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const lengths = yield* Larder.make({
 *     name: "lengths",
 *     upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *     tags: () => {
 *       throw new Error("no tags today")
 *     }
 *   })
 *   return yield* Effect.exit(lengths.set("milk", 4))
 * })
 * const exit = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.ok(Exit.isFailure(exit))
 * const defect = Cause.squash(exit.cause)
 * assert.ok(defect instanceof Larder.OptionFailed && defect.option === "tags")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class OptionFailed extends Data.TaggedError("OptionFailed")<{
  readonly larder: string
  /** The option's name. */
  readonly option: string
  readonly reason: string
  /** What the function threw, if it threw. */
  readonly cause: unknown
}> {
  override get message(): string {
    return `${this.larder}: the option ${this.option} failed: ${this.reason}`
  }
}

/**
 * An `update` gave up: each time it had computed the new value, or asked for its turn, another change of
 * the key came first. `attempts` is the option. Nothing of it is in the cache.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect, Option } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const counts = yield* Larder.make({
 *     name: "counts",
 *     upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(0) }),
 *     policy: Policy.make({ freshFor: "1 hour" })
 *   })
 *   const interfering = () => Effect.as(counts.set("visits", 7), Option.some(1))
 *   return yield* Effect.flip(counts.update("visits", interfering, { attempts: 3 }))
 * })
 * const error = await Effect.runPromise(
 *   program.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
 * )
 * assert.ok(error instanceof Larder.Contended)
 * assert.strictEqual(error.attempts, 3)
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class Contended extends Schema.TaggedError<Contended>()("Contended", {
  larder: Schema.String,
  key: Schema.String,
  attempts: Schema.Finite,
}) {
  override get message(): string {
    return `${this.larder}: ${JSON.stringify(this.key)} was changed by others during each of ${this.attempts} attempts to update it; raise \`attempts\`, or let fewer callers update one key at a time`
  }
}

/**
 * A change is not certain to have reached the tiers in `pending`. From `around` with
 * `require: "settled"`: the effect has changed the source, and the change of the cache follows once the
 * tiers are back. From `update`: the arbiter did not answer; unless its function has been run, nothing
 * has happened, else the key is dropped once the arbiter is back.
 *
 * **Example**
 *
 * ```ts
 * import { LarderError } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const error = new LarderError.NotSettled({ larder: "prices", pending: ["redis"] })
 * assert.ok(error.message.includes("redis"))
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class NotSettled extends Schema.TaggedError<NotSettled>()("NotSettled", {
  larder: Schema.String,
  pending: Schema.Array(Schema.String),
}) {
  override get message(): string {
    return `${this.larder}: the change has not reached ${this.pending.join(" and ")}; it follows once the tier answers again`
  }
}
