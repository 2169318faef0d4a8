/** Lines of a round in which no node hears of another: what the rules of messages cannot judge. */
import type * as L from "../../src/history/Line.ts"

export const deaf = (...sessions: ReadonlyArray<string>): ReadonlyArray<L.Line> => [
  { t: "fault", kind: "deaf", from: 0, to: 1e9, detail: "", loses: false },
  ...sessions.map((session): L.Line => ({ t: "gap", session, at: 0, isOver: false })),
]
