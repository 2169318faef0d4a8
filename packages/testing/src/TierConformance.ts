/**
 * The contract that Larder relies on, as tests for any tier. A tier that only stores bytes has
 * fewer checks than one that arbitrates.
 *
 * **When to use**
 *
 * For a tier of your own, in its test folder; or to check that your servers behave as the tier that
 * uses them expects.
 *
 * **Details**
 *
 * Each test builds the layer anew and uses larder names that no other test has. So the server may
 * be shared, and need not be empty. Times of the tier must be near those of the clock it is tested
 * with.
 *
 * **Example**
 *
 * ```ts no-run
 * import { SqliteTier } from "@larder/sqlite"
 * import { TierConformance } from "@larder/testing"
 *
 * TierConformance.suite({
 *   name: "SQLite",
 *   layer: SqliteTier.layer({ filename: ":memory:" }),
 * })
 * ```
 *
 * @module
 * @category testing
 * @since 0.1.0
 */
import { Tier } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { describe, it } from "vitest"
import { arbiterChecks } from "./internal/conformance/arbiterChecks.ts"
import { batchChecks } from "./internal/conformance/batchChecks.ts"
import { larderChecks } from "./internal/conformance/larderChecks.ts"
import { markChecks } from "./internal/conformance/markChecks.ts"
import { messageChecks, versionChecks } from "./internal/conformance/messageChecks.ts"
import { objectChecks } from "./internal/conformance/objectChecks.ts"
import { sequenceChecks } from "./internal/conformance/sequenceChecks.ts"
import { storeChecks } from "./internal/conformance/storeChecks.ts"
import type { Check, Needs, Subject } from "./internal/conformance/subject.ts"

export type { Check, Needs, Subject } from "./internal/conformance/subject.ts"
import { checkSuite } from "./internal/conformance/suiteOptions.ts"

/**
 * All checks as values, for another test runner, or to list the checks that a broken tier fails.
 *
 * **Example**
 *
 * ```ts
 * import { TierConformance } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const names = TierConformance.checks.map(({ name }) => name)
 * assert.ok(names.length > 0)
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const checks: ReadonlyArray<Check> = [
  ...objectChecks,
  ...storeChecks,
  ...arbiterChecks,
  ...batchChecks,
  ...markChecks,
  ...messageChecks,
  ...versionChecks,
  ...sequenceChecks,
  ...larderChecks,
]

/**
 * Whether a check applies to the tier.
 *
 * **Example**
 *
 * ```ts
 * import { MemoryTier } from "@larder/core"
 * import { TierConformance } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const options = { name: "shared", layer: MemoryTier.layerShared }
 * const subject = await Effect.runPromise(Effect.scoped(TierConformance.subject(options)))
 * const left = TierConformance.checks.filter((check) => !TierConformance.applies(check, subject))
 * assert.ok(left.every(({ needs }) => needs === "objects"))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const applies = ({ needs }: Check, { arbitrates, tier }: Subject): boolean => {
  if (needs === "any") return true
  if (tier.kind === "objects" || needs === "objects") return tier.kind === needs
  if (needs === "bytes") return true
  return arbitrates && (needs === "arbiter" || tier.abilities.notifies)
}

/**
 * Options of {@link suite} and {@link subject}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<E> {
  /** The name of the test group. */
  readonly name: string
  /** The tier to test. */
  readonly layer: Layer.Layer<Tier.Tier, E>
  /**
   * The clock of the tier. `virtual` (default): Effect's `Clock`, which the tests advance, so that
   * no test waits. `real`: a server's clock; the tests run in real time, and tests that need time
   * to pass take a second or two.
   */
  readonly time?: "virtual" | "real" | undefined
  /** The limit of one test, ms. Default 30,000. */
  readonly timeout?: number | undefined
}

/** Waits in real time, until the tier's time has advanced as far. */
const passReally = (tier: Tier.ObjectTier | Tier.ByteTier, millis: number) => {
  const time =
    tier.kind === "bytes"
      ? Effect.scoped(
          Effect.flatMap(tier.open({ larder: "time" }), ({ arbiter }) =>
            arbiter === undefined
              ? Clock.currentTimeMillis
              : Effect.map(arbiter.marks(0), ({ time }) => time),
          ),
        ).pipe(Effect.orDie)
      : Clock.currentTimeMillis
  return Effect.gen(function* () {
    const begin = yield* time
    do yield* Effect.sleep(Duration.millis(Math.min(millis, 50)))
    while ((yield* time) - begin < millis)
  })
}

const hasArbiter = (tier: Tier.ObjectTier | Tier.ByteTier): Effect.Effect<boolean> =>
  tier.kind === "bytes"
    ? Effect.scoped(
        Effect.map(tier.open({ larder: "arbiter" }), ({ arbiter }) => arbiter !== undefined),
      )
    : Effect.succeed(false)

/**
 * The tier as its layer builds it, and its time: the input of a check, for another test runner.
 *
 * **Example**
 *
 * ```ts
 * import { MemoryTier } from "@larder/core"
 * import { TierConformance } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const options = { name: "memory", layer: MemoryTier.layer() }
 * const { tier } = await Effect.runPromise(Effect.scoped(TierConformance.subject(options)))
 * assert.strictEqual(tier.name, "memory")
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const subject = <E>(options: Options<E>): Effect.Effect<Subject, E, Scope.Scope> =>
  Effect.gen(function* () {
    checkSuite("TierConformance", options)
    const { layer, time = "virtual" } = options
    const tier = Context.get(yield* Layer.build(Layer.fresh(layer)), Tier.Tier)
    const of = { tier, arbitrates: yield* hasArbiter(tier) }
    return time === "virtual"
      ? { ...of, isVirtual: true, rounds: 200, pass: (millis) => TestClock.adjust(millis) }
      : { ...of, isVirtual: false, rounds: 10, pass: (millis) => passReally(tier, millis) }
  })

const lacking: Readonly<Record<Needs, string>> = {
  any: "",
  objects: "the tier keeps bytes",
  bytes: "the tier keeps no bytes",
  arbiter: "the tier has no arbiter",
  notifies: "the tier does not declare that it notifies",
}

/** A time that a tier may have in its numbers: microseconds since 1970. */
const someTime = 1_790_000_000_000

/**
 * Registers the tests in a group. Tests of abilities that the tier does not have are skipped, and
 * name the missing ability.
 *
 * **Example**
 *
 * ```ts
 * import { MemoryTier } from "@larder/core"
 * import { TierConformance } from "@larder/testing"
 *
 * TierConformance.suite({ name: "the shared memory tier", layer: MemoryTier.layerShared })
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const suite = <E>(options: Options<E>): void => {
  checkSuite("TierConformance", options)
  const { name, time = "virtual", timeout = 30_000 } = options
  /** Runs a check; returns the ability that the tier lacks for it, undefined when the check has passed. */
  const outcome = (check: Check): Promise<string | undefined> => {
    const checked = Effect.scoped(
      Effect.gen(function* () {
        if (time === "virtual") yield* TestClock.setTime(someTime)
        const given = yield* subject(options)
        if (!applies(check, given)) return lacking[check.needs]
        yield* check.run(given)
        return undefined
      }),
    )
    return Effect.runPromise(
      time === "virtual" ? Effect.provide(checked, TestClock.layer()) : checked,
    )
  }
  describe(`${name} conforms`, () => {
    for (const check of checks) {
      it(check.name, { timeout }, (context) =>
        outcome(check).then((lack) => {
          if (lack !== undefined) context.skip(lack)
        }),
      )
    }
  })
}
