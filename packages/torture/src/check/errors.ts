/** A caller gets an error only when no stale value may be served. */
import type { History, Read } from "../history/History.ts"
import { dataWasLost } from "./order.ts"
import type { Violation } from "./Violation.ts"

const strip = ({ by: _, ...line }: Read) => line
const slack = 1_000
/**
 * A Redis that has lost its marks assumes that one of them dropped everything. It notices the loss
 * at its next read of marks, at most this much later.
 */
const marksMillis = 6_000

/**
 * The last value that memory returned in this session before the read began: values from elsewhere
 * may not be stored.
 */
const lastGiven = (before: ReadonlyArray<Read>, read: Read): Read | undefined =>
  before.findLast(
    ({ end, tier, value }) => value !== undefined && tier === "memory" && end < read.begin,
  )

/** No node changed the key from the beginning of one read to the end of the other. */
const isUntouched = (history: History, key: string, from: number, to: number): boolean =>
  history
    .changesOf(key)
    .every(({ begin, end, settled }) => begin > to || (settled && end !== undefined && end < from))

export const errors = (history: History): ReadonlyArray<Violation> => {
  const bySession = Map.groupBy(history.reads, ({ key, session }) => `${session} ${key}`)
  const judge = (read: Read): ReadonlyArray<Violation> => {
    const takesStale = read.op !== "refresh" && read.op !== "read" && read.stale !== "never"
    if (read.error === undefined || read.defect === true || !takesStale) return []
    const given = lastGiven(bySession.get(`${read.session} ${read.key}`) ?? [], read)
    const origin = given?.value === undefined ? undefined : history.origins.get(given.value)
    if (given === undefined || origin === undefined) return []
    if (!isUntouched(history, read.key, origin.begin, read.end)) return []
    if (dataWasLost(history, origin.begin - marksMillis, read.end)) return []
    if (read.end > origin.begin + history.round.life - slack) return []
    return [
      {
        rule: "error instead of stale",
        larder: history.larder,
        key: read.key,
        at: read.begin,
        text: `${read.by.node}'s ${read.op} failed although it had given a value before that may still be given`,
        about: `${read.session} ${origin.value}`,
        lines: [...origin.lines, strip(given), strip(read)],
      },
    ]
  }
  return history.reads.flatMap(judge)
}
