/** Checks the options of a conformance suite. Throws `InvalidOptions`. */
import { InvalidOptions } from "@larder/core"
import type * as Layer from "effect/Layer"
import type { Options } from "../../TierConformance.ts"
import { checkNames, layerOf, type NamesOf } from "../options.ts"

const names: NamesOf<Options<never>> = { name: true, layer: true, time: true, timeout: true }

export const checkSuite = <A, E>(
  module: string,
  options: Omit<Options<E>, "layer"> & { readonly layer: Layer.Layer<A, E> },
): void => {
  checkNames(module, names, options)
  const { layer, time = "virtual", timeout = 1 } = options
  layerOf(module, "layer", layer)
  // Anything else would run in real time.
  if (time !== "virtual" && time !== "real") {
    const must = 'be "virtual" or "real"'
    throw InvalidOptions.of({ module, field: "time", must, got: time })
  }
  if (!(typeof timeout === "number" && timeout > 0)) {
    const must = "be a number of milliseconds above 0"
    throw InvalidOptions.of({ module, field: "timeout", must, got: timeout })
  }
}
