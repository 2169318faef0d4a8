/** After all faults: the nodes agree, look up together, and keep what was settled last. */
import type { Answer, Change, Moment, Read } from "../history/History.ts"
import { isSameRelease, keysOf, tierTimeout } from "../plan/Plan.ts"
import type { Facts } from "./Facts.ts"
import { violation, type Violation } from "./Violation.ts"

const valueOf = (answer: Answer | undefined): number | undefined =>
  answer?._tag === "Value" ? answer.value : undefined

const isFresh = (answer: Answer | undefined): boolean =>
  answer?._tag === "Value" && answer.freshness === "Fresh"

interface Final {
  readonly reads: ReadonlyArray<Read>
  /** The second answers of the nodes. */
  readonly gets: ReadonlyArray<Read>
}

const finalOf = (facts: Facts, key: string): Final => {
  const all = facts.reads.filter(({ isFinal, keys }) => isFinal && keys[0] === key)
  const gets = all.filter(({ op }) => op === "getWithMeta")
  return {
    reads: all.filter(({ op }) => op === "read"),
    gets: gets.slice(gets.length / 2),
  }
}

/** Whether no value of a key ends its freshness while the nodes are asked. */
const isSteady = (facts: Facts, { gets, reads }: Final): boolean => {
  const end = Math.max(...gets.map(({ end }) => end?.at ?? Infinity))
  return [...reads, ...gets].every(({ answers }) => {
    const value = valueOf(answers[0])
    const at = value === undefined ? undefined : facts.vouchedAt(value)
    if (at === undefined) return true
    const { freshFor } = facts.history.config
    return (
      at + freshFor / facts.stretch > end || at + freshFor * facts.stretch < facts.history.quiet.at
    )
  })
}

/** Whether a node may have the value for itself: the arbiter does not have the `set`. */
const isLocal = (facts: Facts, value: number): boolean =>
  facts.changes.some((change) => change.value === value && !change.settled)

const same = (facts: Facts, key: string, what: string, reads: ReadonlyArray<Read>) => {
  if (facts.isNewestMixed || facts.isLagMixed) return []
  // What an older release looks up, beside a newer one's entry, stays in its node.
  const newest = reads.filter(({ life }) => facts.areOfNewest(life, life))
  const values = newest.flatMap((read) => valueOf(read.answers[0]) ?? [])
  if (new Set(values).size < 2 || values.some((value) => isLocal(facts, value))) return []
  const at = reads[0]!.begin.at
  return [violation("agree", at, undefined, key, `${what}: ${values.join(", ")}`)]
}

/**
 * Whether a failover has lost a mark that a node knows. When that node next asks the arbiter, the floor
 * rises, also for values that others have looked up since.
 */
const isFloorRaised = (facts: Facts): boolean =>
  facts.changes.some(
    (change) => change.key === undefined && facts.mayBeLost(change, facts.history.over),
  )

const lookedUp = (facts: Facts, key: string): ReadonlyArray<Violation> => {
  const { config, quiet } = facts.history
  if (config.earlyRefresh || isFloorRaised(facts)) return []
  if (facts.isNewestMixed || facts.isLagMixed) return []
  const atRest = facts
    .lookups(key)
    .filter(({ begin, life }) => begin.order > quiet.order && facts.areOfNewest(life, life))
  return atRest.slice(1).flatMap(({ begin, life, number }, place) => {
    const freshFrom = atRest[place]!.end?.at ?? begin.at
    if (begin.at >= freshFrom + config.freshFor / facts.stretch) return []
    const law = facts.isMixed ? "repaired" : "oneLookupOfAll"
    return [violation(law, begin.at, life, key, `lookup ${number} at rest`)]
  })
}

type Set = Change & { readonly value: number; readonly end: Moment }

/** ms. Within this, a value that is queued reaches the arbiter, which has answered since. */
const writingMillis = 3_000

/** Whether the arbiter must have a value at rest that was queued. */
const mustArrive = (facts: Facts, { end, life, value }: Set): boolean => {
  const { config, healed } = facts.history
  const isPlaced = facts.vouches(value).every(({ version }) => version !== undefined)
  return isPlaced && facts.livesOn(life) && healed.at + writingMillis < end.at + config.settleTime
}

/**
 * Whether a change is older than a `set`. What the arbiter has not confirmed is placed within a trip, and
 * after what its process has heard of. A missed mark gets its number when it is replayed.
 */
const isBefore = (facts: Facts, change: Change, set: Set): boolean => {
  const { end, isIdle, key, settled } = change
  if (isIdle && end !== undefined) return true
  if (end === undefined || (key === undefined && !settled)) return false
  if (settled && (set.settled || facts.hasHeard(change, set.life, set.begin))) {
    return end.order < set.begin.order
  }
  return end.at + tierTimeout < set.begin.at
}

/** The last change of the key, if it is a `set` that the arbiter must have and that nothing may have touched since. */
const lastSet = (facts: Facts, key: string): Set | undefined => {
  const { history } = facts
  const changes = facts.changesOfKey(key)
  const last = changes.findLast(
    (change): change is Set =>
      change.op === "set" && change.key === key && change.end !== undefined,
  )
  if (last === undefined || !(last.settled || mustArrive(facts, last))) return undefined
  const isAlone = changes.every((other) => other === last || isBefore(facts, other, last))
  const isReplaced = facts
    .lookups(key)
    .some(
      ({ begin, end }) =>
        begin.order < history.quiet.order && (end?.order ?? Infinity) > last.begin.order,
    )
  // A server that has lost its marks covers what is queued before the next node asks it for marks.
  const isLost = history.steps.some(
    ({ at, step }) =>
      (step._tag === "flush" && !last.settled) ||
      (at.order > last.begin.order && (step._tag === "flush" || step._tag === "evict")),
  )
  return isAlone && !isReplaced && !isLost && !facts.mayBeLost(last, history.over)
    ? last
    : undefined
}

const kept = (facts: Facts, key: string, { reads }: Final): ReadonlyArray<Violation> => {
  const set = lastSet(facts, key)
  if (set === undefined) return []
  const { freshFor } = facts.history.config
  return reads
    .filter(
      ({ answers, begin, life }) =>
        isSameRelease(life.release, set.life.release) &&
        begin.at < set.begin.at + freshFor / facts.stretch - 100 &&
        !(isFresh(answers[0]) && valueOf(answers[0]) === set.value),
    )
    .map((read) =>
      violation(
        "kept",
        read.begin.at,
        read.life,
        key,
        `${set.value}, set at ${set.begin.at} ms${set.settled ? " and settled" : ""}, is not fresh`,
      ),
    )
}

export const convergence = (facts: Facts): ReadonlyArray<Violation> =>
  keysOf(facts.history.config).flatMap((key) => {
    const final = finalOf(facts, key)
    const { gets, reads } = final
    const unanswered = gets
      .filter(({ answers }) => valueOf(answers[0]) === undefined)
      .map((read) =>
        violation("recovered", read.begin.at, read.life, key, "has no value when all has healed"),
      )
    const fresh = reads.filter(({ answers }) => isFresh(answers[0]))
    return [
      ...unanswered,
      ...(isSteady(facts, final) && !facts.history.config.earlyRefresh
        ? [...same(facts, key, "fresh at rest", fresh), ...same(facts, key, "got at rest", gets)]
        : []),
      ...lookedUp(facts, key),
      ...kept(facts, key, final),
    ]
  })
