/** A background `set` waits only while the write queue is full. */
import type { Change, History } from "../history/History.ts"
import type { Violation } from "./Violation.ts"

/** The queue holds 1,000 keys; at this size it has room. */
const roomy = 900
/** How long a `set` may wait otherwise: for the marks, on a busy machine. */
const waitMillis = 1_500
const leastSamples = 5

/** The sizes of the queue while the set waited, without the first and last 100 ms. */
const sizesDuring = (history: History, { begin, session }: Change, end: number) =>
  history.queues
    .filter((line) => line.session === session.id && line.at > begin + 100 && line.at < end - 100)
    .map(({ size }) => size)

export const room = (history: History): ReadonlyArray<Violation> => {
  const over = new Map(history.pending.map(({ at, session }) => [session, at]))
  return history.changes.flatMap((change) => {
    const { background, begin, lines, op, session } = change
    // Without an acknowledgement, the wait lasted until the session listed its pending calls.
    const end = change.end ?? over.get(session.id)
    if (op !== "set" || !background || end === undefined) return []
    if (history.active(session.node, begin, end) <= waitMillis) return []
    const sizes = sizesDuring(history, change, end)
    if (sizes.length < leastSamples || sizes.some((size) => size > roomy)) return []
    const text = `${session.node}'s set waited ${(end - begin).toFixed(0)} ms for room in a queue of ${Math.max(...sizes)} keys at most`
    return [
      {
        rule: "waits although there is room" as const,
        larder: history.larder,
        key: undefined,
        at: begin,
        text,
        about: session.id,
        lines,
      },
    ]
  })
}
