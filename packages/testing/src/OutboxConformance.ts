/**
 * The contract that `Outbox` and `WriteBehind` rely on, as tests for any store of outboxes.
 *
 * **When to use**
 *
 * For an `OutboxStore` of your own, in its test folder; or to check that your servers behave as the store
 * that uses them expects.
 *
 * **Details**
 *
 * Each test builds the layer anew and uses names of outboxes that no other test has. So the database may
 * be shared, and need not be empty.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxStore } from "@larder/core"
 * import { OutboxConformance } from "@larder/testing"
 *
 * OutboxConformance.suite({ name: "memory", layer: OutboxStore.layerMemory })
 * ```
 *
 * @module
 * @category testing
 * @since 0.1.0
 */
import { OutboxStore } from "@larder/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { describe, it } from "vitest"
import { outboxChecks, type Check, type Subject } from "./internal/conformance/outboxChecks.ts"

export type { Check, Subject } from "./internal/conformance/outboxChecks.ts"
import { checkSuite } from "./internal/conformance/suiteOptions.ts"

/**
 * All checks as values, for another test runner, or to list the checks that a broken store fails.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxConformance } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const names = OutboxConformance.checks.map(({ name }) => name)
 * assert.ok(names.includes("ten writes of a key are one to flush"))
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const checks: ReadonlyArray<Check> = outboxChecks

/**
 * Options of {@link suite} and {@link subject}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<E> {
  /** The name of the test group. */
  readonly name: string
  /** The store to test. */
  readonly layer: Layer.Layer<OutboxStore.OutboxStore, E>
  /**
   * The clock of the store. `virtual` (default): Effect's `Clock`, which the tests advance. `real`: a
   * server's clock; tests that need time to pass take up to half a second.
   */
  readonly time?: "virtual" | "real" | undefined
  /** The limit of one test, ms. Default 30,000. */
  readonly timeout?: number | undefined
}

/**
 * The store as its layer builds it, and its time: the input of a check, for another test runner.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxStore } from "@larder/core"
 * import { OutboxConformance } from "@larder/testing"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const options = { name: "memory", layer: OutboxStore.layerMemory }
 * const { store } = await Effect.runPromise(Effect.scoped(OutboxConformance.subject(options)))
 * assert.strictEqual(store.name, "memory")
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const subject = <E>(options: Options<E>): Effect.Effect<Subject, E, Scope.Scope> =>
  Effect.gen(function* () {
    checkSuite("OutboxConformance", options)
    const { layer, time = "virtual" } = options
    const built = yield* Layer.build(Layer.fresh(layer))
    const store = Context.get(built, OutboxStore.OutboxStore)
    return time === "virtual"
      ? { store, rounds: 200, pass: (millis) => TestClock.adjust(millis) }
      : { store, rounds: 10, pass: (millis) => Effect.sleep(millis) }
  })

/**
 * Registers the tests in a group.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxStore } from "@larder/core"
 * import { OutboxConformance } from "@larder/testing"
 *
 * OutboxConformance.suite({ name: "the memory store", layer: OutboxStore.layerMemory })
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const suite = <E>(options: Options<E>): void => {
  checkSuite("OutboxConformance", options)
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
