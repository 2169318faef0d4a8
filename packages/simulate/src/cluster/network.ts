/** The network between the arbiter and its nodes, for messages and heartbeats. */
import type { MemoryTier } from "@larder/core"
import { longestDelay, type MessageCondition, messageConditions, slowMillis } from "../plan/Plan.ts"
import { make, type Choices } from "@larder/traces/choices"

type Sent = Parameters<MemoryTier.Network["deliver"]>[0]

export interface NetworkOptions {
  readonly seed: number
  /** ms. What each message takes to a node where nothing is wrong. */
  readonly delay: (node: number) => number
  /** A heartbeat arrives at a subscription after `delay`, ms. */
  readonly onBeat: (subscription: number, delay: number) => void
}

/** How the network treats one node. */
interface Place {
  condition: MessageCondition
  isPartitioned: boolean
}

const unharmed: Place = { condition: "prompt", isPartitioned: false }

export class SimulatedNetwork implements MemoryTier.Network {
  /** The arbiter sends nothing, not even heartbeats. */
  isSilent = false
  readonly #options: NetworkOptions
  readonly #random: Choices
  readonly #places = new Map<number, Place>()
  /** The node of each subscription; they are numbered from 1. */
  readonly #nodes: Array<number> = []

  constructor(options: NetworkOptions) {
    this.#options = options
    this.#random = make(options.seed)
  }

  /** How the network treats a node, which may be changed. */
  of(node: number): Place {
    const known = this.#places.get(node)
    if (known !== undefined) return known
    const place = { ...unharmed }
    this.#places.set(node, place)
    return place
  }

  /** The next subscription is this node's; returns its number. */
  subscribes(node: number): number {
    return this.#nodes.push(node)
  }

  readonly deliver: MemoryTier.Network["deliver"] = (sent, { number }) => {
    const node = this.#nodes[number - 1]!
    const place = this.of(node)
    if (this.isSilent || place.isPartitioned) return []
    const delays = this.#delays(place.condition, sent).map(
      (delay) => delay + this.#options.delay(node),
    )
    if (sent._tag === "Heartbeat") {
      for (const delay of delays) this.#options.onBeat(number, delay)
    }
    return delays
  }

  #delays(condition: MessageCondition, sent: Sent): ReadonlyArray<number> {
    const { between, chance, pick } = this.#random
    switch (condition) {
      case "prompt":
        return [0]
      case "cut":
        return []
      case "deaf":
        return sent._tag === "Heartbeat" ? [0] : []
      case "lossy":
        return chance(0.5) ? [] : [0]
      case "slow":
        return [3 * slowMillis]
      case "reordering":
        return [between(0, longestDelay)]
      case "twice":
        return [0, between(0, longestDelay)]
      case "chaos":
        return this.#delays(pick(messageConditions.slice(0, -1)), sent)
    }
  }
}
