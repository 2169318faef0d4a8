/** Checks what `LarderTest.nodes` is given. Throws `InvalidOptions`. */
import { InvalidOptions } from "@larder/core"
import * as Context from "effect/Context"
import type * as Layer from "effect/Layer"
import type { NodeInfo, NodesOptions } from "../../LarderTest.ts"
import { checkNames, layerOf, type NamesOf } from "../options.ts"

const module = "LarderTest"

const names: NamesOf<NodesOptions> = { memory: true, file: true, shared: true, skews: true }

export const checkNodes = <E, R>(count: number, options: NodesOptions<E, R>): void => {
  const check = (isValid: boolean, field: string, must: string, got: unknown) => {
    if (!isValid) throw InvalidOptions.of({ module, field, must, got })
  }
  const isCount = Number.isSafeInteger(count) && count >= 1
  check(isCount, "nodes", "be an integer of at least 1", count)
  checkNames(module, names, options)
  const { file = false, shared, skews = [] } = options
  const isFile = typeof file === "boolean" || typeof file === "function"
  check(isFile, "file", "be true or false, or a function from a node to a layer", file)
  if (shared !== undefined) layerOf(module, "shared", shared)
  const areSkews = Array.isArray(skews) && skews.every(Number.isFinite)
  check(areSkews, "skews", "be an array of finite numbers of milliseconds", skews)
  check(skews.length <= count, "skews", `have at most ${count}, one for each node`, skews)
}

/** The layer for a node: `given`, or what the function makes of the node. */
export const layerFor = <A, E, R>(
  field: string,
  given: Layer.Layer<A, E, R> | ((node: NodeInfo) => Layer.Layer<A, E, R>),
  node: NodeInfo,
): Layer.Layer<A, E, R> => {
  if (Context.isKey(given)) {
    const must = "be a layer, such as Products.layer"
    throw InvalidOptions.of({ module, field, must, got: given })
  }
  return layerOf(module, field, typeof given === "function" ? given(node) : given)
}
