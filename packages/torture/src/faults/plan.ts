/** Selects the faults of a round and their times. Pure: the same seed gives the same plan. */
import type { Choices } from "@larder/traces/choices"
import type { StackName } from "../run/backend.ts"
import type { Fault } from "./Fault.ts"
import { ofNodes } from "./nodes.ts"
import { ofServers } from "./servers.ts"
import { ofWays } from "./ways.ts"

export const faults: ReadonlyArray<Fault> = [...ofNodes, ...ofServers, ...ofWays]

/** Faults that show most about tiers that come back are more frequent. */
const weightOf = ({ kind }: Fault): number =>
  ({ cut: 4, deaf: 4, failover: 4, mute: 2, flood: 2, burst: 2, queue: 2, delay: 2, away: 2 })[
    kind
  ] ?? 1

export interface Planned {
  readonly fault: Fault
  /** The index of the target node. */
  readonly node: number
  readonly after: number
}

/** Takes so long that one per round is enough. */
const isLong = ({ kind }: Fault): boolean =>
  ["cut", "deaf", "failover", "flood", "burst", "queue", "away"].includes(kind)

const withinMillis = 3_000

export const plan = (
  random: Choices,
  stack: StackName,
  nodes: number,
  only: ReadonlyArray<string>,
): ReadonlyArray<Planned> => {
  const suiting = faults.filter(
    ({ kind, suits }) => suits(stack) && (only.length === 0 || only.includes(kind)),
  )
  if (suiting.length === 0) return []
  const weights = Object.fromEntries(suiting.map((fault) => [fault.kind, weightOf(fault)]))
  const drawn = Array.from({ length: random.between(2, 4) }, () => {
    const kind = random.weighted(weights)
    return {
      fault: suiting.find((fault) => fault.kind === kind)!,
      node: random.between(0, nodes - 1),
      after: random.between(0, withinMillis),
    }
  })
  return drawn.filter(
    ({ fault }, i) => !isLong(fault) || drawn.findIndex((one) => one.fault === fault) === i,
  )
}
