/**
 * Sees all that the larders of a program do, as it happens and in one order: for recorders in tests,
 * and for tools that show decisions. An application uses `larder.events` and metrics instead.
 *
 * @module
 * @category testing
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { Action, Situation } from "./Decision.ts"
import type { Hits, Larder } from "./Larder.ts"
import type { LarderEvent } from "./LarderEvent.ts"
import type { TierStack } from "./TierStack.ts"

/**
 * A decision of `Decision.next` about one caller.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decided {
  /** The larder's name. */
  readonly larder: string
  /** The key as a string. */
  readonly key: string
  /** What the larder knew of the caller and the key. */
  readonly situation: Situation
  /** What the caller gets, or waits for. */
  readonly action: Action
}

/**
 * How a larder was made, for {@link Instrument} `wrap`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Made {
  /** The tiers of its stack, nearest first. */
  readonly tiers: TierStack["Service"]["tiers"]
  /** A key as the string of the events; undefined for an invalid key. */
  readonly keyOf: (key: unknown) => string | undefined
}

/**
 * The functions of an instrument. They are called in the step that they report, and must be
 * synchronous and must not throw.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instrument {
  /** Called for each event, `Opened` included, before any subscriber gets it. */
  readonly event?: ((event: LarderEvent) => void) | undefined
  /** Which hits `event` is called for, as in `subscribeTo` of a larder. Default `"all"`. */
  readonly hits?: Hits | undefined
  /** Called for each decision. A plain hit in memory takes none. */
  readonly decision?: ((decided: Decided) => void) | undefined
  /**
   * Whether the simulated process of the larder was killed. Nothing answers it then, not even its clock, so
   * that a larder that closes waits for no write of the source. Default: never.
   */
  readonly isKilled?: (() => boolean) | undefined
  /** Called with each larder that is made. The result takes the place of the larder. */
  readonly wrap?: (<K, A, E>(larder: Larder<K, A, E>, made: Made) => Larder<K, A, E>) | undefined
}

/**
 * The instrument of the larders made below it. Default: none.
 *
 * **When to use**
 *
 * For a recorder of a test: `Timeline` of `@larder/testing` is one. Provide it to the layer of a larder,
 * or around `Larder.make`.
 *
 * **Details**
 *
 * A larder without an instrument and without subscribers makes no events.
 *
 * **Gotchas**
 *
 * - `Larder.make` dies with `InvalidOptions` for an instrument that it cannot use.
 * - `event` and `decision` run in the step of the call that they tell of: keep them short. One that throws
 *   is a warning in the log.
 *
 * **Example**
 *
 * ```ts
 * import { Instrument, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const seen: Array<string> = []
 * const instrument: Instrument.Instrument = {
 *   event: ({ _tag }) => seen.push(_tag),
 *   decision: ({ action }) => seen.push(action._tag),
 * }
 * const program = Effect.gen(function* () {
 *   const lengths = yield* Larder.make({
 *     name: "lengths",
 *     upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
 *     policy: Policy.make({ freshFor: "1 minute" }),
 *   })
 *   yield* lengths.get("larder")
 * }).pipe(
 *   Effect.provide(TierStack.layer(MemoryTier.layer())),
 *   Effect.provideService(Instrument.Instrument, instrument),
 *   Effect.scoped,
 * )
 * await Effect.runPromise(program)
 * assert.deepStrictEqual(seen.slice(0, 4), ["Opened", "Begin", "Miss", "LookupStarted"])
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const Instrument: Context.Reference<Instrument> = Context.Reference<Instrument>(
  "@larder/core/Instrument",
  { defaultValue: () => ({}) },
)
