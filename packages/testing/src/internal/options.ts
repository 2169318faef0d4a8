/** Checks of options. Each throws `InvalidOptions`. */
import { InvalidOptions, Tier } from "@larder/core"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"

/** A member for each option of `O`. The compiler keeps it complete. */
export type NamesOf<O> = Readonly<Record<keyof O, true>>

type Names = Readonly<Record<string, true>>

/** Refuses what is no object, and an option of an unknown name: it would be ignored. */
export const checkNames = (module: string, names: Names, got: unknown): void => {
  const mistake = InvalidOptions.ofNames({ module, names, got })
  if (mistake !== undefined) throw mistake
}

/** The layer itself; refuses what is none. */
export const layerOf = <A, E, R>(
  module: string,
  field: string,
  got: Layer.Layer<A, E, R>,
): Layer.Layer<A, E, R> => {
  if (Layer.isLayer(got)) return got
  throw InvalidOptions.of({ module, field, must: "be a layer", got })
}

/** Refuses what is neither a function nor left out. */
export const checkFunction = (module: string, field: string, got: unknown): void => {
  if (got === undefined || typeof got === "function") return
  throw InvalidOptions.of({ module, field, must: "be a function, or be left out", got })
}

/** Refuses limits of a tier that are no object, have an unknown name, or cannot be used. */
export const checkLimits = (module: string, limits: Tier.LimitOptions): void => {
  const checked = Tier.checkLimits(module, limits, {})
  if (Result.isFailure(checked)) throw checked.failure
}
