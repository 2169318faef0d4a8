/** A network between a shared tier and its nodes, whose behaviour a sequence of steps changes, and which notes what arrives. */
import type { MemoryTier } from "@larder/core"

/** How messages and heartbeats reach one node. */
export const conditions = [
  "prompt",
  "cut",
  "deaf",
  "lossy",
  "slow",
  "reordering",
  "twice",
  "chaos",
] as const

export type Condition = (typeof conditions)[number]

/** A message or heartbeat that arrives at a node. */
interface Arrival {
  readonly sentAt: number
  readonly at: number
  /** The place in the order of everything, where it arrives in the step that sends it. */
  readonly order: number | undefined
}

interface Arrived {
  readonly beats: Array<Arrival>
  /** By key, each version that a message told of. */
  readonly versions: Map<string, Array<Arrival & { readonly version: number }>>
  /** By number of a mark. */
  readonly marks: Map<number, Array<Arrival>>
}

/** One node's side of the network, from when it subscribes until it closes. */
export class Link {
  readonly openedAt: number
  readonly #arrived: Arrived = { beats: [], versions: new Map(), marks: new Map() }

  constructor(openedAt: number) {
    this.openedAt = openedAt
  }

  note(sent: Parameters<MemoryTier.Network["deliver"]>[0], arrival: Arrival): void {
    const { beats, marks, versions } = this.#arrived
    switch (sent._tag) {
      case "Heartbeat":
        beats.push(arrival)
        return
      case "Changed":
        versions.set(sent.key, [
          ...(versions.get(sent.key) ?? []),
          { ...arrival, version: sent.version },
        ])
        return
      case "Marked":
        for (const { number } of sent.page.marks) {
          marks.set(number, [...(marks.get(number) ?? []), arrival])
        }
    }
  }

  /** Whether a message that the key has this version, or a higher one, has arrived before a moment. */
  hasHeard(key: string, version: number, at: number, order: number): boolean {
    const heard = this.#arrived.versions.get(key) ?? []
    return heard.some((arrival) => arrival.version >= version && isBefore(arrival, at, order))
  }

  hasHeardMark(number: number, at: number, order: number): boolean {
    return (this.#arrived.marks.get(number) ?? []).some((arrival) => isBefore(arrival, at, order))
  }

  /** When the last heartbeat that arrived before this moment was sent; the begin counts as one. */
  lastBeat(before: number): number {
    const sent = this.#arrived.beats.filter(({ at }) => at < before).map(({ sentAt }) => sentAt)
    return Math.max(this.openedAt, ...sent)
  }
}

const isBefore = (arrival: Arrival, at: number, order: number): boolean =>
  arrival.order === undefined ? arrival.at < at : arrival.order < order

/** Numbers in [0, 1) from a seed. */
const drawn = (seed: number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export interface Surroundings {
  readonly now: () => number
  readonly order: () => number
  /** The unit of delays, ms. */
  readonly unit: number
  readonly seed: number
}

/** The network of all nodes. Subscriptions are numbered; the node that subscribes last is told by `opens`. */
export class Network implements MemoryTier.Network {
  readonly #options: Surroundings
  readonly #draw: () => number
  readonly #conditions: Array<Condition>
  readonly #links: Array<Link> = []
  /** The node of each subscription. */
  readonly #nodes: Array<number> = []

  constructor(nodes: number, options: Surroundings) {
    this.#options = options
    this.#draw = drawn(options.seed)
    this.#conditions = Array.from({ length: nodes }, () => "prompt")
  }

  turn(node: number, condition: Condition): void {
    this.#conditions[node] = condition
  }

  /** The next subscription is that of this node. */
  opens(node: number): Link {
    const link = new Link(this.#options.now())
    this.#links.push(link)
    this.#nodes.push(node)
    return link
  }

  readonly deliver: MemoryTier.Network["deliver"] = (sent, { number }) => {
    const node = this.#nodes[number - 1]!
    const delays = this.#delaysOf(this.#conditions[node]!, sent._tag === "Heartbeat")
    const now = this.#options.now()
    for (const delay of delays) {
      const order = delay > 0 ? undefined : this.#options.order()
      this.#links[number - 1]!.note(sent, { sentAt: now, at: now + delay, order })
    }
    return delays
  }

  #delay(upTo: number): number {
    return Math.floor(this.#draw() * (upTo + 1)) * this.#options.unit
  }

  #delaysOf(condition: Condition, isBeat: boolean): ReadonlyArray<number> {
    switch (condition) {
      case "prompt":
        return [0]
      case "cut":
        return []
      case "deaf":
        return isBeat ? [0] : []
      case "lossy":
        return this.#draw() < 0.5 ? [] : [0]
      case "slow":
        return [3 * this.#options.unit]
      case "reordering":
        return [this.#delay(4)]
      case "twice":
        return [0, this.#delay(6)]
      case "chaos": {
        const others = conditions.slice(0, -1)
        return this.#delaysOf(others[Math.floor(this.#draw() * others.length)]!, isBeat)
      }
    }
  }
}
