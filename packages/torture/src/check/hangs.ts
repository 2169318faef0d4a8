/** Each call ends within its bound, counting only time in which its node could run. */
import type { History } from "../history/History.ts"
import type { Line } from "../history/Line.ts"
import type { Violation } from "./Violation.ts"

const leaseMillis = 10_000
const margin = 3_000
const changeMillis = 10_000
/** A walk asks for many pages, and each of them for a few changes. */
const walkMillis = 30_000
/** The limit for queue room once the tiers work again. */
const queuedMillis = 5_000
const closeMillis = 5_000

interface Call {
  readonly op: string
  readonly session: string
  readonly key: string | undefined
  readonly begin: number
  /** When the bound begins to count. */
  readonly from: number
  readonly to: number
  readonly bound: number
  readonly hasEnded: boolean
  readonly lines: ReadonlyArray<Line>
}

const readMillis = ({ round }: History): number =>
  2 * round.tierBudget + leaseMillis + round.hardTimeout + margin

const reads = (history: History): ReadonlyArray<Call> =>
  history.reads.map(({ by: _, ...line }) => ({
    ...line,
    from: line.begin,
    to: line.end,
    bound: readMillis(history),
    hasEnded: true,
    lines: [line],
  }))

/** A set that waits for room in the queue waits as long as the tiers are slow. */
const changeFrom = (history: History, begin: number, background: boolean): number =>
  background ? Math.max(begin, history.faultsOver) : begin

const changes = (history: History): ReadonlyArray<Call> =>
  history.changes.flatMap(({ background, begin, end, key, lines, op, session }) =>
    end === undefined
      ? []
      : [
          {
            op,
            session: session.id,
            key,
            begin,
            from: changeFrom(history, begin, background),
            to: end,
            bound: changeBound(history, op, background),
            hasEnded: true,
            lines,
          },
        ],
  )

const isWriter = (op: string): boolean => op === "around" || op === "through" || op === "update"

/** An update waits for another node's, and asks until it knows whether its value is stored; two take turns. */
const writerMillis = (history: History): number => 2 * (readMillis(history) + 2 * leaseMillis)

const changeBound = (history: History, op: string, background: boolean): number => {
  if (isWriter(op)) return writerMillis(history)
  if (op === "removeWhere") return walkMillis
  return background ? queuedMillis : changeMillis
}

const isRead = (op: string): boolean => op.startsWith("get") || op === "read" || op === "refresh"

const unended = (history: History): ReadonlyArray<Call> =>
  history.pending.map((line) => {
    const { at, background = false, begin, op } = line
    const written = changeBound(history, op, background)
    return {
      ...line,
      key: line.key,
      from: changeFrom(history, begin, background),
      to: at,
      bound: isRead(op) ? readMillis(history) : written,
      hasEnded: false,
      lines: [line],
    }
  })

const closings = ({ sessions }: History): ReadonlyArray<Call> =>
  [...sessions.values()].flatMap(({ closed, closing, id }) =>
    closing === undefined || closed === undefined
      ? []
      : [
          {
            op: "close",
            session: id,
            key: undefined,
            begin: closing,
            from: closing,
            to: closed,
            bound: closeMillis + margin / 2,
            hasEnded: true,
            lines: [],
          },
        ],
  )

export const hangs = (history: History): ReadonlyArray<Violation> =>
  [...reads(history), ...changes(history), ...unended(history), ...closings(history)].flatMap(
    ({ begin, bound, from, hasEnded, key, lines, op, session, to }) => {
      const { node } = history.sessions.get(session)!
      const took = history.active(node, from, to)
      if (took <= bound) return []
      const end = hasEnded ? "" : ", and has not ended"
      return [
        {
          rule: "hangs" as const,
          larder: history.larder,
          key,
          at: begin,
          text: `${node}'s ${op} took ${took.toFixed(0)} ms (bound ${bound} ms)${end}`,
          about: `${session} ${op} ${begin}`,
          lines,
        },
      ]
    },
  )
