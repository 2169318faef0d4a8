/** The name of the node that a larder, or a way to a tier, belongs to. */
import * as Context from "effect/Context"

/** The name where a test has one node. */
export const onlyNode = "app"

export const NodeName = Context.Reference<string>("@larder/testing/NodeName", {
  defaultValue: () => onlyNode,
})
