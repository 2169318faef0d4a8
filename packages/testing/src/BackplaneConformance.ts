/**
 * The contract that Larder relies on, as tests for any backplane.
 *
 * **When to use**
 *
 * For a backplane of your own, in its test folder; or to check that your servers deliver messages as
 * the backplane that uses them expects. `TierConformance` has the checks of tiers, and of the messages
 * of their arbiters.
 *
 * **Details**
 *
 * Each test builds the layer anew and uses larder names that no other test has. So the server may be
 * shared.
 *
 * **Example**
 *
 * ```ts no-run
 * import { RedisBackplane, RedisClient } from "@larder/redis"
 * import { BackplaneConformance } from "@larder/testing"
 * import { Layer } from "effect"
 *
 * BackplaneConformance.suite({
 *   name: "Redis",
 *   time: "real",
 *   layer: RedisBackplane.layer().pipe(
 *     Layer.provide(RedisClient.layer({ url: "redis://localhost:6379" })),
 *   ),
 * })
 * ```
 *
 * @module
 * @category testing
 * @since 0.1.0
 */
import { Backplane } from "@larder/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { describe, it } from "vitest"
import {
  backplaneChecks,
  type Check,
  type Subject,
} from "./internal/conformance/backplaneChecks.ts"

export type { Check, Subject } from "./internal/conformance/backplaneChecks.ts"
import { checkSuite } from "./internal/conformance/suiteOptions.ts"

/**
 * All checks as values, for another test runner, or to list the checks that a broken backplane fails.
 *
 * **Example**
 *
 * ```ts
 * import { BackplaneConformance } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const names = BackplaneConformance.checks.map(({ name }) => name)
 * assert.ok(names.includes("messages of one larder do not reach another"))
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const checks: ReadonlyArray<Check> = backplaneChecks

/**
 * Options of {@link suite} and {@link subject}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<E> {
  /** The name of the test group. */
  readonly name: string
  /** A layer that provides `Backplane.Backplane`. */
  readonly layer: Layer.Layer<never, E>
  /**
   * `virtual` (default): messages take no real time, and the tests advance Effect's `Clock`. `real`: a
   * server delivers them; a test waits up to 5 seconds for a message, and a quarter of a second to be
   * sure that none comes.
   */
  readonly time?: "virtual" | "real" | undefined
  /** The limit of one test, ms. Default 30,000. */
  readonly timeout?: number | undefined
}

/**
 * The backplane as its layer builds it, and its time: the input of a check, for another test runner.
 *
 * **Example**
 *
 * ```ts
 * import { Backplane } from "@larder/core"
 * import { BackplaneConformance } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const options = { name: "memory", layer: Backplane.layerMemory }
 * const { backplane } = await Effect.runPromise(
 *   Effect.scoped(BackplaneConformance.subject(options)),
 * )
 * assert.strictEqual(backplane.name, "memory")
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const subject = <E>(options: Options<E>): Effect.Effect<Subject, E, Scope.Scope> =>
  Effect.gen(function* () {
    checkSuite("BackplaneConformance", options)
    const { layer, time = "virtual" } = options
    const built = yield* Layer.build(Layer.fresh(layer))
    const backplane = Context.get(built, Backplane.Backplane)
    return time === "virtual"
      ? {
          backplane,
          deliveryMillis: 1_000,
          quietMillis: 100,
          pass: (millis) => TestClock.adjust(millis),
        }
      : {
          backplane,
          deliveryMillis: 5_000,
          quietMillis: 250,
          pass: (millis) => Effect.sleep(millis),
        }
  })

/**
 * Registers the tests in a group.
 *
 * **Example**
 *
 * ```ts
 * import { Backplane } from "@larder/core"
 * import { BackplaneConformance } from "@larder/testing"
 *
 * BackplaneConformance.suite({ name: "the memory backplane", layer: Backplane.layerMemory })
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const suite = <E>(options: Options<E>): void => {
  checkSuite("BackplaneConformance", options)
  const { name, time = "virtual", timeout = 30_000 } = options
  const passed = (check: Check): Promise<void> => {
    const checked = Effect.scoped(Effect.flatMap(subject(options), check.run))
    return Effect.runPromise(
      time === "virtual" ? Effect.provide(checked, TestClock.layer()) : checked,
    )
  }
  describe(`${name} conforms`, () => {
    for (const check of checks) it(check.name, { timeout }, () => passed(check))
  })
}
