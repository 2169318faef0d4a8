/** Law 30: at most one holder has the newest token of a lease, and a holder learns of its loss. */
import type { LeaseCall, Life, Moment, Tenure } from "../history/History.ts"
import type { Facts } from "./Facts.ts"
import { violation, type Violation } from "./Violation.ts"

/** ms. Clocks are read in whole milliseconds, and each node reads its own. */
const roundingMillis = 3

/** ms. After a disturbance: what was sent before it arrives late, and a lease lasts on without its holder. */
const lateMillis = 1_000

const endOf = ({ call, to }: Tenure): Moment | undefined => to ?? call.life.killed

const broken = (at: number, { life, name }: LeaseCall, text: string): Violation =>
  violation("leased", at, life, name, text)

/** Where the arbiter has forgotten it, a holder learns of that when it next renews, or when its time is over. */
const graceOf = (facts: Facts, earlier: Tenure, later: Tenure): number => {
  const { call } = earlier
  const { begin, lease, life } = call
  // Also on the way to its holder.
  if (!facts.hasForgotten(begin, later.from)) return 0
  const begun = later.from.at
  const isAnswered = facts.isUndisturbed(life, begun + 1, begun + lease)
  return isAnswered ? lease / 3 + 3 * facts.history.config.latency : lease
}

/** Two holders at once: for how long both processes run does not count while the earlier one stands still. */
const together = (facts: Facts, earlier: Tenure, later: Tenure): Violation | undefined => {
  const { call } = earlier
  const end = endOf(earlier) ?? facts.history.over
  const both = facts.active(call.life, later.from.at, end.at)
  const allowed = graceOf(facts, earlier, later) * facts.stretch + roundingMillis
  if (both <= allowed) return undefined
  const text = `still at work under token ${earlier.token}, ${both} ms after token ${later.token}`
  return broken(end.at, call, text)
}

const inOrder = (facts: Facts, earlier: Tenure, later: Tenure): Violation | undefined => {
  if (earlier.token < later.token) return undefined
  // An arbiter that has forgotten a lease on its way to its holder has granted the next one.
  const isLate = facts.hasForgotten(later.call.begin, later.from)
  if (isLate && earlier.token !== later.token) return undefined
  return broken(later.from.at, later.call, `token ${later.token} after token ${earlier.token}`)
}

const isWell = (facts: Facts, life: Life, from: number, to: number): boolean =>
  facts.isUndisturbed(life, from, to)

/** Whether another call may have the lease while this one asks, or has left it to its time. */
const isTaken = (facts: Facts, call: LeaseCall, end: Moment): boolean =>
  facts.history.leases.some((other) => {
    if (other === call || other.name !== call.name || other.begin.order > end.order) return false
    const over = other.end?.at ?? other.life.killed?.at ?? Infinity
    const isReturned = other.end !== undefined && isWell(facts, other.life, other.begin.at, end.at)
    return over + (isReturned ? 0 : call.lease + lateMillis) >= call.begin.at
  })

/** Whether the end of a call has a cause. */
const hasCause = (facts: Facts, call: LeaseCall, end: Moment): boolean => {
  const { begin, life, outcome } = call
  switch (outcome) {
    case "done":
    case "left":
      return true
    case "notAcquired":
      return (
        isTaken(facts, call, end) ||
        !isWell(facts, life, begin.at - lateMillis - call.lease, end.at)
      )
    case "lost":
    case "unanswered":
      return !isWell(facts, life, begin.at - lateMillis, end.at)
    default:
      return false
  }
}

const ofCall = (facts: Facts, call: LeaseCall): Violation | undefined => {
  const { begin, end, lease, life, name, outcome, wait, work } = call
  if (end === undefined) {
    if (life.killed !== undefined) return undefined
    return broken(facts.history.over.at, call, `the call for ${name} never ended`)
  }
  if (!hasCause(facts, call, end)) {
    return broken(end.at, call, `${outcome} without a cause, asked for at ${begin.at} ms`)
  }
  const took = facts.active(life, begin.at, end.at)
  const bound = (wait + work + lease + lateMillis) * facts.stretch
  if (took <= bound * (facts.wasStopped(life, begin, end) ? 2 : 1)) return undefined
  return broken(end.at, call, `the call of ${begin.at} ms took ${took} ms`)
}

export const leases = (facts: Facts): ReadonlyArray<Violation> => {
  const byName = Map.groupBy(facts.history.tenures, ({ call }) => call.name)
  const pairs = [...byName.values()].flatMap((all) =>
    all.flatMap((later, place) =>
      all
        .slice(0, place)
        .flatMap((earlier) =>
          [together(facts, earlier, later), inOrder(facts, earlier, later)].filter(
            (found) => found !== undefined,
          ),
        ),
    ),
  )
  return [...facts.history.leases.flatMap((call) => ofCall(facts, call) ?? []), ...pairs]
}
