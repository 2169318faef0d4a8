/** One call of `get`: tries the plain hit, then asks. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { type Question, anything, withChecks } from "./question.ts"
import { ask } from "./getOne.ts"
import type { Engine } from "../state/engine.ts"
import type { Candidate, Demand } from "../state/flight.ts"
import { hit, isHit } from "./fastPath.ts"
import type { NamesOf } from "../runtime/optionNames.ts"
import { checkNames, durationOf, flagOf, invalidOption } from "../state/settings.ts"

/**
 * Options of one `get`.
 *
 * @category options
 * @since 0.1.0
 */
export interface GetOptions {
  /**
   * The caller does not accept a value that upstream validated longer ago than this, neither as
   * fresh nor in revalidate grace. It waits for a lookup, and may still get the value if the
   * lookup fails (stale-if-error).
   */
  readonly maxAge?: Duration.Input | undefined
  /** `"never"`: no grace at all. Default `"allow"`. */
  readonly stale?: "allow" | "never" | undefined
  /**
   * A version-checked read: memory's value is served only after the arbiter has confirmed its version
   * since the call. While the arbiter does not answer, the value serves for stale-if-error. A plain
   * read on a stack without an arbiter. See `Policy.checked`. Default false.
   */
  readonly check?: boolean | undefined
}

const getNames: NamesOf<GetOptions> = { maxAge: true, stale: true, check: true }

const demandOf = (engine: Engine, options: GetOptions | undefined, now: number): Demand => {
  if (options === undefined) return anything
  const { name } = engine.settings
  checkNames(name, options, getNames)
  const { check, maxAge, stale = "allow" } = options
  if (stale !== "allow" && stale !== "never") {
    throw invalidOption(name, "stale", 'be "allow" or "never"', stale)
  }
  const isChecked = flagOf(name, "check", check, false) && engine.stack.arbiter !== undefined
  const calledAt = isChecked ? engine.moment() : undefined
  return {
    notBefore: maxAge === undefined ? -Infinity : now - durationOf(name, "maxAge", maxAge),
    allowStale: stale !== "never",
    confirmedAfter: calledAt ?? -Infinity,
    calledAt,
  }
}

/** One `get` as a custom effect, so that a hit allocates only this object. */
class Get {
  readonly engine: Engine
  readonly key: unknown
  readonly options: GetOptions | undefined
  constructor(engine: Engine, key: unknown, options: GetOptions | undefined) {
    this.engine = engine
    this.key = key
    this.options = options
  }
}

export const exitOf = (given: Candidate): Exit.Exit<unknown> => given.exit

export const question = (
  engine: Engine,
  key: unknown,
  k: string | undefined,
  options: GetOptions | undefined,
  now: number,
  fiber: Fiber.Fiber<unknown, unknown>,
  reply: Question["reply"],
): Question => ({
  key,
  k,
  demand: withChecks(engine, demandOf(engine, options, now)),
  span: fiber.cache.span,
  since: now,
  reply,
})

Object.setPrototypeOf(
  Get.prototype,
  Effectable.Prototype<Effect.Effect<unknown, unknown> & Get>({
    label: "Larder.get",
    evaluate(fiber) {
      const { engine, key, options } = this
      const k = engine.settings.keyOf(key)
      const now = engine.now()
      const slot = k === undefined ? 0 : engine.near.find(k)
      if (options === undefined && k !== undefined && isHit(engine, slot, now)) {
        hit(engine, k, slot, now)
        return engine.near.exit(slot)
      }
      return ask(engine, question(engine, key, k, options, now, fiber, exitOf), slot)
    },
  }),
)

/** The value of a key as an effect. */
export const get = (
  engine: Engine,
  key: unknown,
  options: GetOptions | undefined,
): Effect.Effect<unknown, unknown> =>
  // The prototype set above makes the object an effect.
  new Get(engine, key, options) as unknown as Effect.Effect<unknown, unknown>
