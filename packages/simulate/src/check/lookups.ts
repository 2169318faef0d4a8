/** How many lookups of a key may run at once. */
import type { Change, Life, Lookup, Read } from "../history/History.ts"
import { breakerOpenFor, tierBudget, timesOf } from "../plan/Plan.ts"
import type { Facts } from "./Facts.ts"
import { violation, type Violation } from "./Violation.ts"

/** How long a flight may run before it calls upstream, ms. */
const flightsWait = ({ history: { config } }: Facts): number =>
  tierBudget + timesOf(config).leaseWait

const detaches = ({ key, op }: Change, of: string): boolean => op === "clear" || key === of

/** ms. After a disturbance, a breaker may be open, and a lease without a holder. */
const recovery = 3_000 + breakerOpenFor

/**
 * Whether a message may detach the flight of the earlier lookup: that of a change that was not settled at
 * first, or of another node's lookup, where the arbiter has forgotten the lease of the earlier one. Where the
 * arbiter did not answer, and so gave no lease, that of a change about the time when the lookup began.
 */
const isTold = (facts: Facts, { begin, life }: Lookup, later: Lookup): boolean => {
  const messages = facts
    .messagesOf(later.life, later.key, later.begin)
    .filter(({ at }) => facts.active(life, at.at, begin.at) <= flightsWait(facts))
  if (messages.length === 0) return false
  const hasNoLease = !facts.isUndisturbed(life, begin.at - flightsWait(facts), begin.at)
  return (
    facts.hasForgotten(begin, later.begin) ||
    (hasNoLease &&
      messages.some(
        ({ message }) =>
          message._tag === "Changed" && !facts.isSurelyBefore(message.version, life, begin),
      )) ||
    facts
      .changesOfKey(later.key)
      .some((change) => !change.settled && change.begin.order < later.begin.order)
  )
}

/** Whether a change or a refresh makes the later lookup one of a new generation. */
const isNewGeneration = (
  facts: Facts,
  earlier: Lookup,
  later: Lookup,
  counts: (change: Change) => boolean = () => true,
): boolean => {
  const { begin, life } = earlier
  const isRecent = (at: number) => facts.active(life, at, begin.at) <= flightsWait(facts)
  const begins = (call: Change | Read): boolean =>
    call.begin.order < later.begin.order && (call.end === undefined || isRecent(call.end.at))
  return (
    facts
      .changesOfKey(later.key)
      .some((change) => counts(change) && detaches(change, later.key) && begins(change)) ||
    facts.reads.some(
      (read) => read.op === "refresh" && read.keys.includes(later.key) && begins(read),
    )
  )
}

const overlap = (facts: Facts, earlier: Lookup, later: Lookup): boolean => {
  const { begin, behaviour, end } = earlier
  // It may have been given up when its last caller left.
  if (behaviour === "disobeys") return false
  // After its deadline a lookup that disobeys counts no more.
  const until = facts.failedAt(earlier) ?? end?.at ?? Infinity
  return (
    (end === undefined || end.order > later.begin.order) &&
    later.begin.at < until &&
    begin.order < later.begin.order
  )
}

const failedBefore = (facts: Facts, { begin, key }: Lookup): boolean =>
  facts.hasFailed(key, begin.at - flightsWait(facts), begin.at)

/**
 * A node waits for another's lookup no longer than `leaseWait`, and than a lookup may take: for a caller,
 * or for a refresh behind a caller that got a stale value.
 */
const hasWaited = (facts: Facts, { begin, key, life }: Lookup): boolean => {
  const { config } = facts.history
  const longest = Math.min(timesOf(config).leaseWait, config.hardTimeout) / facts.stretch
  const mayWait = (read: Read): boolean => {
    if (read.end === undefined || read.end.at >= begin.at - longest) return true
    return read.end.at >= begin.at - flightsWait(facts) && facts.isStale(read, key)
  }
  return facts.reads.some(
    (read) =>
      read.life === life &&
      read.keys.includes(key) &&
      read.begin.at <= begin.at - longest &&
      mayWait(read),
  )
}

/** Whether the nodes of both lookups, and the arbiter, were well all the time. */
const areWell = (facts: Facts, earlier: Lookup, later: Lookup): boolean => {
  const [from, to] = [earlier.begin.at - flightsWait(facts) - recovery, later.begin.at]
  return [earlier.life, later.life].every(
    (life) =>
      facts.isUndisturbed(life, from, to) &&
      (life.opened?.at ?? Infinity) < earlier.begin.at &&
      life.killed === undefined,
  )
}

/**
 * A process may hear of an earlier clear only while it looks up, which detaches the lookup: where it has just
 * begun, or the clear was not settled at first.
 */
const hearsOfClear = (facts: Facts, { begin, key, life }: Lookup): boolean =>
  facts
    .changesOfKey(key)
    .some(
      (change) =>
        change.op === "clear" &&
        change.begin.order < begin.order &&
        (!change.settled || facts.active(life, life.from.at, begin.at) <= flightsWait(facts)),
    )

const ofPair = (facts: Facts, earlier: Lookup, later: Lookup): Violation | undefined => {
  if (!overlap(facts, earlier, later)) return undefined
  if (isNewGeneration(facts, earlier, later) || isTold(facts, earlier, later)) return undefined
  const text = `lookup ${later.number} began while lookup ${earlier.number} ran`
  const at = later.begin.at
  if (earlier.life === later.life) {
    return hearsOfClear(facts, earlier)
      ? undefined
      : violation("oneLookup", at, later.life, later.key, text)
  }
  // An older release stores nothing over a newer one's entry, so it takes no lease there.
  if (!facts.areOfNewest(earlier.life, later.life)) return undefined
  const isExempt = failedBefore(facts, later) || hasWaited(facts, later)
  if (isExempt || !areWell(facts, earlier, later)) return undefined
  return violation("oneLookupOfAll", at, later.life, later.key, text)
}

/**
 * A lookup is interrupted when its last caller leaves, at its deadline, and with its larder. One that
 * `softTimeout` left behind goes on.
 */
const interrupted = (facts: Facts, lookup: Lookup): Violation | undefined => {
  const { end, key, life, number, outcome } = lookup
  if (outcome !== "interrupted" || end === undefined) return undefined
  if (facts.failedAt(lookup) !== undefined) return undefined
  if ((life.closing ?? life.killed ?? end).order < end.order) return undefined
  const longest = (flightsWait(facts) + facts.history.config.hardTimeout) / facts.stretch
  // Or its time was over, after a lookup before this one.
  const hasLeft = facts.reads.some(
    ({ begin, keys, left, life: by }) =>
      by === life &&
      keys.includes(key) &&
      ((left !== undefined && left.order < end.order) || end.at >= begin.at + longest),
  )
  return hasLeft
    ? undefined
    : violation("leftBehind", end.at, life, key, `lookup ${number} was interrupted`)
}

/** Whether the caller of a lookup wanted more than a fresh value. */
const isDemanded = (facts: Facts, { begin, key, life }: Lookup): boolean =>
  facts.history.config.checked ||
  facts.reads.some(
    ({ begin: came, check, end, keys, life: by, maxAge, op }) =>
      by === life &&
      keys.includes(key) &&
      (check || maxAge !== undefined || op === "refresh") &&
      came.order < begin.order &&
      (end === undefined || end.at >= begin.at - flightsWait(facts)),
  )

/** ms. The arbiter has what a node has looked up by then. */
const storing = tierBudget

/** Whether nothing disturbed what a process got, and was told, between these times. */
const isWell = (facts: Facts, life: Life, from: number, to: number): boolean =>
  facts.isUndisturbed(life, from, to) && facts.isHeard(life, from, to)

/** Whether a write of the source has begun after this time, and has said that it changed nothing. */
const leavesAlone = ({ begin, end, isIdle, op }: Change, from: number): boolean =>
  isIdle && end !== undefined && (op === "around" || op === "through") && begin.at > from

/**
 * A lookup of a key that the arbiter has fresh, by nodes that are well, and that nothing has happened to.
 * What an older release looks up meanwhile replaces nothing.
 */
const needless = (facts: Facts, earlier: Lookup, later: Lookup): Violation | undefined => {
  const { config } = facts.history
  const { end, life, outcome } = earlier
  if (config.earlyRefresh || end === undefined || facts.isLagMixed) return undefined
  if (!facts.areOfNewest(life, later.life)) return undefined
  if (outcome !== "value" && outcome !== "renewed") return undefined
  // Past its deadline, a value is not stored.
  if (facts.failedAt(earlier) !== undefined) return undefined
  const begin = later.begin
  const longest = config.freshFor / facts.stretch - flightsWait(facts)
  if (begin.at < end.at + storing || begin.at > end.at + longest) return undefined
  const from = earlier.begin.at - flightsWait(facts) - recovery
  const counts = (change: Change): boolean => !leavesAlone(change, end.at + storing)
  const isQuiet =
    isWell(facts, life, from, begin.at) &&
    isWell(facts, later.life, from, begin.at) &&
    !isNewGeneration(facts, earlier, later, counts) &&
    facts
      .changesOfKey(later.key)
      .every(
        (change) =>
          change.begin.order > begin.order ||
          !counts(change) ||
          (change.settled && change.end!.at < earlier.begin.at - flightsWait(facts)),
      ) &&
    facts
      .lookups(later.key)
      .every(
        (other) =>
          other.begin.order <= earlier.begin.order ||
          other.begin.order >= begin.order ||
          other.life.release.schemaVersion < life.release.schemaVersion,
      )
  if (!isQuiet || isDemanded(facts, later)) return undefined
  const text = `lookup ${later.number}, though lookup ${earlier.number} brought a value at ${end.at} ms`
  return violation(facts.isMixed ? "repaired" : "needless", begin.at, later.life, later.key, text)
}

export const lookups = (facts: Facts): ReadonlyArray<Violation> => {
  const byKey = Map.groupBy(facts.history.lookups, ({ key }) => key)
  const left = facts.history.lookups.flatMap((lookup) => interrupted(facts, lookup) ?? [])
  const pairs = [...byKey.values()].flatMap((all) =>
    all.flatMap((later, index) =>
      all
        .slice(Math.max(0, index - 8), index)
        .flatMap((earlier) =>
          [ofPair(facts, earlier, later), needless(facts, earlier, later)].filter(
            (found) => found !== undefined,
          ),
        ),
    ),
  )
  return [...left, ...pairs]
}
