/** Checks the arguments of `around`, `through` and `update`. A mistake is a defect, `InvalidOptions`. */
import * as Effect from "effect/Effect"
import { wellFormed } from "../invalidation/tags.ts"
import { updateAttempts } from "../runtime/limits.ts"
import { areOptions, type NamesOf } from "../runtime/optionNames.ts"
import { checkNames, invalidOption } from "../state/settings.ts"
import type { AroundOptions, Checked, Target } from "./around.ts"
import type { Untouched } from "./untouched.ts"
import type { ThroughOptions } from "./through.ts"
import type { UpdateOptions } from "./update.ts"

const aroundNames: NamesOf<AroundOptions> = {
  before: true,
  require: true,
  keepStale: true,
  untouched: true,
}
const throughNames: NamesOf<ThroughOptions> = { untouched: true }
const updateNames: NamesOf<UpdateOptions> = { attempts: true, untouched: true }

/** The keys of a target, unchecked, and its tags. */
export interface Parts {
  readonly keys: ReadonlyArray<unknown>
  readonly tags: ReadonlyArray<string>
}

const targetNames: NamesOf<Target<unknown>> = { keys: true, tags: true }

/**
 * An object that has `keys`, `tags` or both, and nothing else, is a target; anything else is a key. With
 * `hasKeyFunction` a key may be an object too.
 */
export const partsOf = (larder: string, target: unknown, hasKeyFunction: boolean): Parts => {
  if (!isTarget(target)) {
    if (!hasKeyFunction) checkTarget(larder, target)
    return { keys: [target], tags: [] }
  }
  const { keys = [], tags = [] } = target
  if (!Array.isArray(keys)) {
    throw invalidOption(larder, "around", "get an array of keys in `keys`", keys)
  }
  if (typeof tags !== "string" && !Array.isArray(tags)) {
    throw invalidOption(larder, "around", "get a tag or an array of tags in `tags`", tags)
  }
  return { keys, tags: wellFormed(new Set(typeof tags === "string" ? [tags] : tags)) }
}

/** An object that is no key can only be a target with a mistake. */
const checkTarget = (larder: string, target: unknown): void => {
  if (typeof target !== "object" || target === null) return
  if (areOptions(target)) checkNames(larder, target, targetNames, "around")
  const must = "get a key, or an object with `keys`, `tags` or both, such as { keys: [1, 2] }"
  throw invalidOption(larder, "around", must, target)
}

const isTarget = (target: unknown): target is Target<unknown> =>
  areOptions(target) &&
  Object.keys(target).length > 0 &&
  Object.keys(target).every((name) => Object.hasOwn(targetNames, name))

export const aroundOptions = (larder: string, options: AroundOptions = {}): Checked => {
  checkNames(larder, options, aroundNames)
  const { before = "nothing", keepStale = true, require: required = "sent" } = options
  if (before !== "nothing" && before !== "expire") {
    throw invalidOption(larder, "before", 'be "nothing" or "expire"', before)
  }
  if (required !== "sent" && required !== "settled") {
    throw invalidOption(larder, "require", 'be "sent" or "settled"', required)
  }
  if (typeof keepStale !== "boolean") {
    throw invalidOption(larder, "keepStale", "be true or false", keepStale)
  }
  return {
    expiresBefore: before === "expire",
    requiresSettled: required === "settled",
    keepsStale: keepStale,
    untouched: untouchedOf(larder, options.untouched),
  }
}

export const throughOptions = (larder: string, options: ThroughOptions = {}) => {
  checkNames(larder, options, throughNames)
  return untouchedOf(larder, options.untouched)
}

export const updateOptions = (larder: string, options: UpdateOptions = {}) => {
  checkNames(larder, options, updateNames)
  const { attempts = updateAttempts } = options
  if (!Number.isSafeInteger(attempts) || attempts < 1) {
    throw invalidOption(larder, "attempts", "be an integer of at least 1", attempts)
  }
  const { untouched } = options
  return { attempts, untouched: untouched === true || untouchedOf(larder, untouched) }
}

const untouchedOf = (larder: string, untouched: unknown): Untouched | undefined => {
  if (untouched === undefined || typeof untouched === "function") {
    return untouched as Untouched | undefined
  }
  throw invalidOption(larder, "untouched", "be a function of an error", untouched)
}

/** The effect, or the function, that a combinator is applied to. */
export const mustBeEffect = (larder: string, combinator: string, got: unknown): void => {
  if (Effect.isEffect(got)) return
  throw invalidOption(larder, combinator, "be applied to an Effect", got)
}

export const mustBeWriting = (larder: string, got: unknown): void => {
  if (Effect.isEffect(got) || typeof got === "function") return
  const must = "be applied to an Effect, or to a function that returns one"
  throw invalidOption(larder, "through", must, got)
}

export const mustBeFunction = (larder: string, call: string, must: string, got: unknown): void => {
  if (typeof got === "function") return
  throw invalidOption(larder, call, must, got)
}
