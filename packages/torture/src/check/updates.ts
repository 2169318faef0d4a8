/** In what the arbiter holds no update is lost, and none is applied twice. */
import type { Change, History } from "../history/History.ts"
import type { WroteLine } from "../history/Line.ts"
import { counted } from "../keys.ts"
import { dataWasLost } from "./order.ts"
import type { RuleName, Violation } from "./Violation.ts"

/** The function of an update has run once. */
interface Run {
  readonly call: Change
  readonly wrote: WroteLine
}

/** ms. A value past its freshness counts as none. */
const slack = 500

const runsOf = (history: History, key: string): ReadonlyArray<Run> =>
  history
    .changesOf(key)
    .flatMap((call) =>
      call.op === "update" ? call.wrote.map((wrote): Run => ({ call, wrote })) : [],
    )

/** The runs that led to what a run saw, the latest first. */
const ancestry = (made: ReadonlyMap<string, Run>, { wrote: { seen } }: Run): ReadonlyArray<Run> => {
  const all: Array<Run> = []
  let run = seen === undefined ? undefined : made.get(seen)
  while (run !== undefined) {
    all.push(run)
    run = run.wrote.seen === undefined ? undefined : made.get(run.wrote.seen)
  }
  return all
}

/** Nodes that miss more than they remember invalidate everything instead. */
const overflows: ReadonlySet<string> = new Set(["burst", "queue", "flood"])

/** Whether something else than an update may have ended the value. */
const mayBeGone = (history: History, done: Change, { call, wrote }: Run): boolean =>
  wrote.at > done.begin + history.round.freshFor - slack ||
  history.mayBeLost(done) ||
  // An arbiter that has lost its marks covers what it has stored since.
  dataWasLost(history, -Infinity, wrote.at) ||
  history.faults.some(({ kind }) => overflows.has(kind)) ||
  history
    .changesOf(call.key!)
    .some(
      (other) =>
        other.begin < wrote.at &&
        !(other.op === "update" && other.isDone) &&
        !(other.settled && other.end !== undefined && other.end < done.begin),
    )

const violation = (
  history: History,
  rule: RuleName,
  run: Run,
  other: Change,
  text: string,
): Violation => ({
  rule,
  larder: history.larder,
  key: run.call.key,
  at: run.wrote.at,
  text: `${run.call.session.node}'s update saw ${run.wrote.seen ?? "nothing"}, ${text}`,
  about: other.id,
  lines: [...other.lines, ...run.call.lines],
})

const ofKey = (history: History, key: string): ReadonlyArray<Violation> => {
  const runs = runsOf(history, key)
  const made = new Map(runs.map((run) => [run.wrote.value!, run]))
  const done = runs.filter(({ call }) => call.isDone).map(({ call }) => call)
  return runs.flatMap((run): ReadonlyArray<Violation> => {
    const before = ancestry(made, run).map(({ call }) => call)
    const all = [run.call, ...before]
    const twice = all.find((call, place) => all.indexOf(call, place + 1) !== -1)
    if (twice !== undefined && !dataWasLost(history, twice.begin, run.wrote.at)) {
      const text = "which has one update twice"
      return [violation(history, "update applied twice", run, twice, text)]
    }
    if (!counted.includes(key)) return []
    const has = new Set(before)
    const lost = done.find(
      (call) => call.end! < run.call.begin && !has.has(call) && !mayBeGone(history, call, run),
    )
    if (lost === undefined) return []
    const text = `and not ${lost.session.node}'s update that had succeeded before`
    return [violation(history, "update lost", run, lost, text)]
  })
}

export const updates = (history: History): ReadonlyArray<Violation> => {
  const keys = new Set(
    history.changes.flatMap(({ key, op }) => (op === "update" && key !== undefined ? [key] : [])),
  )
  return [...keys].flatMap((key) => ofKey(history, key))
}
