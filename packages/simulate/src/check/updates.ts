/** Law 25: in what the arbiter holds, no update is lost, and none is applied twice. */
import type { Change, Run } from "../history/History.ts"
import { counterKey } from "../plan/Plan.ts"
import type { Facts } from "./Facts.ts"
import { violation, type Violation } from "./Violation.ts"

/** The runs that led to what a run saw, the latest first. */
const ancestry = (facts: Facts, { seen }: Run): ReadonlyArray<Run> => {
  const all: Array<Run> = []
  for (let run = facts.runOf(seen); run !== undefined; run = facts.runOf(run.seen)) all.push(run)
  return all
}

const appliedTwice = (
  facts: Facts,
  run: Run,
  before: ReadonlyArray<Run>,
): Violation | undefined => {
  const calls = [run.call, ...before.map(({ call }) => call)]
  const twice = calls.find((call, place) => calls.indexOf(call, place + 1) !== -1)
  if (twice === undefined || losesData(facts, twice, run)) return undefined
  const text = `${run.seen} has the update of ${twice.begin.at} ms twice, or before it began`
  return violation("counted", run.at.at, run.call.life, run.key, text)
}

/** Whether the arbiter may have lost what the call has stored. */
const losesData = (facts: Facts, { begin }: Change, { at }: Run): boolean =>
  facts.history.steps.some(
    ({ at: when, step }) =>
      ["flush", "evict", "failover"].includes(step._tag) &&
      when.order > begin.order &&
      when.order < at.order,
  )

/** When an arbiter has lost its marks, what it has stored since goes when a node next tells it of them. */
const losesMarks = (facts: Facts, { at }: Run): boolean =>
  facts.history.steps.some(
    ({ at: when, step }) =>
      (step._tag === "flush" || step._tag === "failover") && when.order < at.order,
  )

/** Whether an update has begun anew, since damaged bytes count as none, between the two. */
const isDamaged = (facts: Facts, done: Change, { at: until, key }: Run): boolean =>
  facts.history.runs.some(
    ({ at, call, key: of, seen }) =>
      of === key &&
      call !== done &&
      seen === undefined &&
      at.order > done.begin.order &&
      at.order <= until.order &&
      facts.mayBeDamaged(call.life, call.begin, at),
  )

/**
 * Whether something else than an update may have ended the value: its life, a clear, or an update that
 * failed or was left, after which the key is expired, sooner or later.
 */
const mayBeGone = (facts: Facts, done: Change, run: Run): boolean => {
  const { config } = facts.history
  const at = facts.vouchedAt(done.value!) ?? done.begin.at
  if (run.at.at >= Math.min(at, done.begin.at) + config.freshFor / facts.stretch) return true
  return facts
    .changesOfKey(run.key)
    .some(
      (other) =>
        other !== done &&
        other.begin.order < run.at.order &&
        !(other.isDone || (other.isIdle && other.end !== undefined)) &&
        !(other.settled && other.end !== undefined && other.end.order < done.begin.order),
    )
}

const isLost = (facts: Facts, run: Run, before: ReadonlyArray<Run>): Violation | undefined => {
  const lost = facts
    .changesOfKey(run.key)
    .find(
      (done) =>
        done.op === "update" &&
        done.isDone &&
        done.end!.order < run.call.begin.order &&
        !before.some(({ call }) => call === done) &&
        !losesData(facts, done, run) &&
        !isDamaged(facts, done, run) &&
        !mayBeGone(facts, done, run),
    )
  if (lost === undefined) return undefined
  const text = `${run.seen ?? "nothing"} does not have the update of ${lost.begin.at} ms, ${lost.value}`
  return violation("counted", run.at.at, run.call.life, run.key, text)
}

/**
 * What the run saw whose value is stored is no older than a change that the arbiter had before the call. A run
 * whose value is refused may see what a mark covers that its node has not heard of.
 */
const isOvertaken = (facts: Facts, run: Run): Violation | undefined => {
  const { at, call, key, seen } = run
  if (seen === undefined || !call.isDone || call.value !== run.made) return undefined
  const value = facts.history.values.get(seen)
  if (value === undefined || value.key !== key) {
    return violation("known", at.at, call.life, key, `${seen} was never made for it`)
  }
  const newer = facts
    .changesOf(value)
    .find(
      (change) =>
        change !== call &&
        facts.isOlder(seen, change) &&
        facts.hasArrived(change, call.begin) &&
        !facts.mayBeLost(change, at) &&
        !losesData(facts, change, run),
    )
  if (newer === undefined) return undefined
  const text = `${seen} is older than the ${newer.op} of ${newer.begin.at} ms, which was settled`
  return violation("counted", at.at, call.life, key, text)
}

export const updates = (facts: Facts): ReadonlyArray<Violation> =>
  facts.history.runs.flatMap((run) => {
    const before = ancestry(facts, run)
    const twice = appliedTwice(facts, run, before)
    if (twice !== undefined) return [twice]
    const overtaken = isOvertaken(facts, run)
    if (overtaken !== undefined) return [overtaken]
    if (run.key !== counterKey || facts.isMixed || losesMarks(facts, run)) return []
    return isLost(facts, run, before) ?? []
  })
