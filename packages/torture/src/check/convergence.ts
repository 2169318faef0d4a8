/** After all faults and changes, every node recovers and all nodes return the same values. */
import { coordinator, type History, type Read } from "../history/History.ts"
import type { Violation } from "./Violation.ts"

const strip = ({ by: _, ...line }: Read) => line

/** A process without processor time cannot recover. */
const wasStarved = (history: History, node: string, at: number): boolean =>
  history.active(node, at - windowMillis, at) < 0.8 * windowMillis

const windowMillis = 15_000

const recovered = (history: History): ReadonlyArray<Violation> =>
  [...history.sessions.values()].flatMap((session) => {
    const line = history.quiet.get(session.id)
    if (line === undefined || line.quiet || wasStarved(history, session.node, line.at)) return []
    const text = `${session.node} has not recovered: ${line.detail}`
    return [
      {
        rule: "not recovered",
        larder: history.larder,
        key: undefined,
        at: line.at,
        text,
        about: session.id,
        lines: [line],
      },
    ]
  })

/** A failover may have lost the last changes of the key, which some nodes have kept in memory. */
const endedWithLoss = (history: History, key: string): boolean => {
  const last = history.changesOf(key).findLast(({ settled }) => settled)
  return last !== undefined && history.mayBeLost(last)
}

/**
 * Since all was quiet, a node has looked the key up, and some process had no processor time: Redis
 * may not have answered in time, and then a node answers by itself.
 */
const lookedUpInStall = (history: History, key: string, until: number): boolean => {
  const sessions = [...history.sessions.values()]
  const quietAt = sessions.flatMap(({ id }) => history.quiet.get(id)?.at ?? [])
  const since = Math.min(...quietAt)
  const processes = new Set([...sessions.map(({ node }) => node), coordinator])
  const wasStalled = [...processes].some(
    (node) => history.active(node, since, until) < until - since,
  )
  return wasStalled && history.lookups(key).some(({ begin }) => begin > since)
}

/** With lives longer than a round, the last reads of all nodes must be equal. */
const agreement = (history: History): ReadonlyArray<Violation> => {
  if (history.round.freshFor < 30_000) return []
  const isCompared = ({ error, final, op, tierFailed }: Read): boolean =>
    final === true && op === "getWithMeta" && error === undefined && tierFailed !== true
  const last = Map.groupBy(history.reads.filter(isCompared), ({ key }) => key)
  return [...last].flatMap(([key, reads]) => {
    const given = new Set(reads.map(({ value }) => value))
    if (given.size < 2 || endedWithLoss(history, key)) return []
    if (lookedUpInStall(history, key, Math.max(...reads.map(({ end }) => end)))) return []
    const origins = [...given].flatMap((value) =>
      value === undefined ? [] : (history.origins.get(value)?.lines ?? []),
    )
    const text = `the nodes give ${given.size} different values when all is over`
    return [
      {
        rule: "nodes disagree" as const,
        larder: history.larder,
        key,
        at: reads[0]!.begin,
        text,
        about: key,
        lines: [...origins, ...reads.map(strip)],
      },
    ]
  })
}

export const convergence = (history: History): ReadonlyArray<Violation> => [
  ...recovered(history),
  ...agreement(history),
]
