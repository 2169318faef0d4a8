/** Finds the node of a Cluster that has a key, as far as the client knows. */
import type { Cluster, Redis } from "ioredis"
import { addressOf } from "./masters.ts"
import { slotOf } from "../keySlot.ts"
import { tagOf } from "../keys.ts"

/**
 * The indexes of the keys, grouped by the node that the client believes has them; under `undefined`
 * those of no known node.
 */
export const byNode = (
  cluster: Cluster,
  keys: ReadonlyArray<string>,
): ReadonlyMap<Redis | undefined, ReadonlyArray<number>> => {
  const nodes = new Map<string, Redis>()
  for (const node of cluster.nodes("master")) {
    if (node.status === "ready") nodes.set(addressOf(node), node)
  }
  const places = new Map<Redis | undefined, Array<number>>()
  for (const [place, key] of keys.entries()) {
    const owner = cluster.slots[slotOf(tagOf(key))]?.[0]
    const node = owner === undefined ? undefined : nodes.get(owner)
    const others = places.get(node)
    if (others === undefined) places.set(node, [place])
    else others.push(place)
  }
  return places
}

const redirected = /^(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/

/** Whether an error says that a slot moves or has moved. The client itself follows such a redirection. */
export const isRedirection = ({ message }: Error): boolean => redirected.test(message)
