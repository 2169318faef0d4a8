/** Every caller is answered in time, memory is bounded, and nothing is left when all larders have closed. */
import type { Call } from "../history/History.ts"
import { closeTimeout, longestWrite, tierBudget, tierTimeout, timesOf } from "../plan/Plan.ts"
import type { Facts } from "./Facts.ts"
import { violation, type Violation } from "./Violation.ts"

/**
 * ms. A mark may fall while a lookup runs, and its caller then waits for the next. Values that are
 * queued in the background are written first.
 */
const boundOf = ({ history: { config }, stretch }: Facts): number => {
  const { leaseWait } = timesOf(config)
  return (tierBudget + leaseWait + 2 * config.hardTimeout + 4 * tierTimeout) * stretch
}

/** ms. What its effect, and its commit or change of the cache, add; updates of a key take turns in a node. */
const writingOf = (facts: Facts, call: Call): number => {
  if (call._tag === "Read" || !writeOps.has(call.op)) return 0
  const own = facts.history.config.leaseTime + 4 * tierBudget + longestWrite
  if (call.op === "around" || call.op === "through") return own
  const { begin, end, key, life } = call
  const others = facts.changes.filter(
    (other) =>
      other.key === key &&
      writeOps.has(other.op) &&
      other.begin.order < (end ?? begin).order &&
      (other.end?.order ?? Infinity) > begin.order,
  )
  const mine = others.filter((other) => other.life === life).length
  return (
    (boundOf(facts) + own) * (1 + mine) +
    others.length * (own + timesOf(facts.history.config).leaseWait)
  )
}

/** ms. A call in a transaction ends with it, after the other calls, and what all of them do at the commit. */
const waitingOf = (facts: Facts, call: Call): number => {
  if (call._tag === "Read" || call.transaction === undefined) return writingOf(facts, call)
  const all = facts.changes.filter(({ transaction }) => transaction === call.transaction)
  const bounds = all.map((one) => boundOf(facts) + writingOf(facts, one))
  return 2 * bounds.reduce((sum, bound) => sum + bound, longestWrite)
}

const writeOps: ReadonlySet<string> = new Set(["around", "through", "update", "setIfPresent"])

const shownCall = ({ _tag, op, ...call }: Call): string =>
  `${op} ${"keys" in call ? call.keys.join(" ") : (call.key ?? "")}`.trim()

const ofCall = (facts: Facts, call: Call): Violation | undefined => {
  const { begin, end, left, life } = call
  const { over } = facts.history
  if (left !== undefined) {
    return end === undefined && life.killed === undefined
      ? violation(
          "inTime",
          over.at,
          life,
          undefined,
          `${shownCall(call)} did not end when its caller left`,
        )
      : undefined
  }
  if (end === undefined) {
    return life.killed === undefined
      ? violation(
          "inTime",
          over.at,
          life,
          undefined,
          `${shownCall(call)} of ${begin.at} ms never ended`,
        )
      : undefined
  }
  if (call._tag === "Change" && call.failure !== undefined && !(call.isClosed && life.closing)) {
    return violation("error", end.at, life, call.key, call.failure.slice(0, 300))
  }
  const took = facts.active(life, begin.at, end.at)
  // A stopped process notices a deadline late, and then waits once more.
  const bound =
    (boundOf(facts) + waitingOf(facts, call)) * (facts.wasStopped(life, begin, end) ? 2 : 1)
  return took > bound
    ? violation("inTime", end.at, life, undefined, `${shownCall(call)} took ${took} ms`)
    : undefined
}

/** A larder opens also where the arbiter is away. */
const opened = ({ history }: Facts): ReadonlyArray<Violation> =>
  history.lives.flatMap((life) => {
    const { failure, from, killed, opened: begin } = life
    if (begin !== undefined || killed !== undefined) return []
    const text = `the larder of ${from.at} ms did not open: ${failure ?? "it waits"}`
    return [violation("inTime", history.over.at, life, undefined, text)]
  })

const closed = (facts: Facts): ReadonlyArray<Violation> =>
  facts.history.lives.flatMap((life) => {
    const { closed: end, closing, killed } = life
    if (killed !== undefined || closing === undefined) return []
    const { at } = facts.history.over
    if (end === undefined) return [violation("closed", at, life, undefined, "it has not closed")]
    const took = facts.active(life, closing.at, end.at)
    const bound = (closeTimeout + tierTimeout) * facts.stretch
    const late =
      took > bound ? [violation("closed", end.at, life, undefined, `closing took ${took} ms`)] : []
    const left = facts.history.leftovers.filter((one) => one.life === life)
    const timers = left.map((one) =>
      violation("closed", at, life, undefined, `${one.timers} timers are left`),
    )
    const running = facts.history.lookups
      .filter((one) => one.life === life && one.end === undefined)
      .map(({ key, number }) => violation("closed", at, life, key, `lookup ${number} still runs`))
    return [...late, ...timers, ...running]
  })

const bounded = ({ history }: Facts): ReadonlyArray<Violation> =>
  history.samples
    .filter(({ entries }) => entries > history.config.maxEntries)
    .map(({ at, entries, life }) =>
      violation("bounded", at.at, life, undefined, `${entries} entries in memory`),
    )

/** A breaker of the arbiter is closed once the arbiter has answered at rest. */
const closedBreakers = (facts: Facts): ReadonlyArray<Violation> => {
  const { over, quiet, samples } = facts.history
  return facts.history.lives.flatMap((life) => {
    const last = samples.findLast((sample) => sample.life === life)
    if (last === undefined || !facts.livesOn(life)) return []
    if (!facts.hasAnswered(life, quiet.at, last.at.at)) return []
    const open = last.openBreakers.filter((name) => name !== "file")
    return open.map((name) =>
      violation("recovered", over.at, life, undefined, `the breaker of ${name} is open`),
    )
  })
}

export const liveness = (facts: Facts): ReadonlyArray<Violation> => [
  ...facts.history.calls.flatMap((call) => ofCall(facts, call) ?? []),
  ...opened(facts),
  ...closed(facts),
  ...bounded(facts),
  ...closedBreakers(facts),
]
