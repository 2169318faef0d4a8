/** No value is fresh for longer than its policy allows, and none is served after its end. */
import type { History } from "../history/History.ts"
import { isFresh } from "./order.ts"
import type { Violation } from "./Violation.ts"

const slack = 1_000

export const lives = (history: History): ReadonlyArray<Violation> => {
  const { freshFor, life } = history.round
  return history.reads.flatMap(({ by, ...read }) => {
    const origin = read.value === undefined ? undefined : history.origins.get(read.value)
    if (origin?.end === undefined) return []
    const fresh = isFresh({ ...read, by })
    const most = fresh ? freshFor : life
    // A node that stops right after the answer records its time later.
    const age = history.active(origin.session.node, origin.end, read.begin)
    if (age <= most + slack) return []
    const text = `${by.node} gave a value ${fresh ? "as fresh " : ""}${age.toFixed(0)} ms after it was ${origin.kind === "set" ? "set" : "looked up"}; ${most} ms are its ${fresh ? "freshness" : "life"}`
    const lines = [...origin.lines, read]
    return [
      {
        rule: "lived too long",
        larder: history.larder,
        key: read.key,
        at: read.begin,
        text,
        about: origin.value,
        lines,
      },
    ]
  })
}
