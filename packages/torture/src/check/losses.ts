/** A settled `set` stays until something newer replaces it, and a queued `set` arrives. */
import type { Change, History, Read } from "../history/History.ts"
import { observer } from "../history/History.ts"
import { dataWasLost, endedBefore, isBefore } from "./order.ts"
import type { RuleName, Violation } from "./Violation.ts"

const strip = ({ by: _, ...line }: Read) => line

/** No newer lookup replaced the value: a lookup that began before the set is refused. */
const noNewerLookup = (history: History, key: string, since: number, read: Read): boolean =>
  history.lookups(key).every(({ begin }) => begin < since || begin > read.end)

/** Replaying an unsettled mark may remove the values it covers. */
const mayComeLater = (change: Change, read: Read): boolean =>
  change.isMark && !change.settled && (change.drops || read.freshness !== "missing")

/** Whether a node may miss so many changes that they become one mark that covers everything. */
const mayOverflow = ({ faults }: History): boolean =>
  faults.some(({ kind }) => kind === "burst" || kind === "queue" || kind === "flood")

/** That mark drops everything when one of the marks it replaces drops something. */
const mayDropAll = (history: History, read: Read): boolean =>
  mayOverflow(history) &&
  history.changes.some(
    ({ begin, drops, isMark, settled }) => isMark && drops && !settled && begin < read.end,
  )

const isUndisturbed = (history: History, set: Change & { end: number }, read: Read): boolean =>
  history
    .changesOf(read.key)
    .every(
      (other) =>
        other === set ||
        other.begin > read.end ||
        (isBefore(other, set) && !mayComeLater(other, read)),
    ) &&
  noNewerLookup(history, read.key, set.begin, read) &&
  !mayDropAll(history, read) &&
  !dataWasLost(history, set.begin, read.end)

/** The last `set` that was settled before the read. */
const lastSettled = (history: History, read: Read): (Change & { end: number }) | undefined =>
  history
    .changesOf(read.key)
    .findLast(
      (change): change is Change & { end: number } =>
        change.op === "set" && change.settled && endedBefore(change, read),
    )

/** Redis answered: not where the observer had no processor time, and gave Redis up unjustly. */
const wasAsked = (history: History, { begin, by, end, op, tierFailed }: Read): boolean =>
  by.node === observer &&
  op === "read" &&
  tierFailed !== true &&
  history.active(observer, begin, end) === end - begin

const isMissing = (history: History, read: Read): boolean =>
  wasAsked(history, read) && read.freshness === "missing"

/**
 * Nodes learn of a mark at most 5 s later: until then a set may be made as if it came before the
 * mark.
 */
const unheardMillis = 6_000

/** A mark of another node that the setting node may not have learned of. */
const unheardMark = (history: History, set: Change, read: Read): Change | undefined =>
  history
    .changesOf(read.key)
    .findLast(
      ({ begin, drops, isMark, session }) =>
        isMark &&
        (drops || read.freshness !== "missing") &&
        session !== set.session &&
        begin < set.begin &&
        begin > set.begin - unheardMillis,
    )

/** Events are logged a little later than they happen. */
const loggedMillis = 100

/**
 * The observer has missed a message about marks, as between its first read of them and its subscription.
 * Until it has read them, any of them may cover what it reads.
 */
const isBehind = (history: History, { by, end }: Read): boolean =>
  history.events.some(
    ({ at, event, session }) =>
      session === by.id && event === "GapDetected" && at < end + loggedMillis,
  )

/** The value is stored, but no longer fresh. */
const isCovered = (history: History, read: Read): boolean =>
  wasAsked(history, read) &&
  read.freshness === "error" &&
  !isBehind(history, read) &&
  !mayOverflow(history)

const recoveries = (history: History, session: string): ReadonlyArray<number> =>
  history.events
    .filter((line) => line.session === session && line.event === "Recovered")
    .map(({ at }) => at)

/** A node reports its recovery after the replay, and logs the report a little later. */
const recoveryMillis = 2_000

/**
 * Changes of the key that Redis had missed, and that were replayed between the `set` and the read.
 */
const missedBefore = (
  history: History,
  set: Change,
  read: Read,
): ReadonlyArray<Change & { end: number }> =>
  history.changesOf(read.key).filter((other): other is Change & { end: number } => {
    const { end, session } = other
    if (other.settled || other.isMark || end === undefined || end >= set.begin) return false
    const recovered = recoveries(history, session.id).find((at) => at > end)
    return recovered !== undefined && recovered > set.begin && recovered < read.end + recoveryMillis
  })

interface Loss {
  readonly rule: RuleName
  readonly why: string
  readonly before: ReadonlyArray<Change>
}

const lossOf = (history: History, set: Change, read: Read): Loss => {
  const mark = unheardMark(history, set, read)
  if (mark !== undefined) {
    const why = `${mark.session.node} had invalidated its tag before`
    return { rule: "settled set covered by an older mark", why, before: [mark] }
  }
  const missed = missedBefore(history, set, read)
  const own = missed.filter(({ session }) => session === set.session)
  const others = missed.filter(({ session }) => session !== set.session)
  const before = missed.slice(-3)
  if (others.length > 0 && own.length === 0) {
    const why = `Redis had missed an earlier change of ${others.at(-1)!.session.node}`
    return { rule: "settled set lost to another node's missed change", why, before }
  }
  if (own.length > 0 && others.length === 0) {
    const why = "Redis had missed an earlier change of the same node"
    return { rule: "settled set lost to its own node's missed change", why, before }
  }
  const why =
    missed.length > 0
      ? "Redis had missed earlier changes of the same node and of others"
      : "nothing newer has happened to the key"
  return { rule: "settled set lost", why, before }
}

const settledSet = (history: History, read: Read): ReadonlyArray<Violation> => {
  const set = lastSettled(history, read)
  if (set === undefined || !isUndisturbed(history, set, read)) return []
  const isGone = read.freshness === "missing"
  const { freshFor, life } = history.round
  if (read.end > set.begin + (isGone ? life : freshFor) - 500) return []
  const { before, rule, why } = lossOf(history, set, read)
  if (!isGone && (read.value !== set.value || rule !== "settled set covered by an older mark")) {
    return []
  }
  const has = isGone ? "has nothing" : "has it as no longer fresh"
  return [
    {
      rule,
      larder: history.larder,
      key: read.key,
      at: read.begin,
      text: `Redis ${has} ${(read.begin - set.end).toFixed(0)} ms after ${set.session.node}'s set was settled; ${why}`,
      about: set.id,
      lines: [...before.flatMap(({ lines }) => lines), ...set.lines, strip(read)],
    },
  ]
}

/**
 * A background set of a key without other changes, by a node that kept running and has recovered.
 */
const queuedSet = (history: History, read: Read): ReadonlyArray<Violation> => {
  const changes = history.changesOf(read.key)
  const last = changes.at(-1)
  if (read.final !== true || last === undefined) return []
  const { session } = last
  const isQueued = ({ background, end, op, session: by }: Change): boolean =>
    op === "set" && background && end !== undefined && by === session
  if (!changes.every(isQueued) || history.lookups(read.key).length > 0) return []
  if (read.end > last.begin + history.round.life - 500) return []
  const livedOn = session.closing === undefined && history.quiet.get(session.id)?.quiet === true
  if (!livedOn || dataWasLost(history, changes[0]!.begin, read.end)) return []
  return [
    {
      rule: "queued set lost",
      larder: history.larder,
      key: read.key,
      at: read.begin,
      text: `${session.node} acknowledged a set in the background, and it never reached Redis`,
      about: last.id,
      lines: [...changes.flatMap(({ lines }) => lines), strip(read)],
    },
  ]
}

export const losses = (history: History): ReadonlyArray<Violation> => [
  ...history.reads
    .filter((read) => isMissing(history, read) || isCovered(history, read))
    .flatMap((read) => settledSet(history, read)),
  ...history.reads
    .filter((read) => isMissing(history, read))
    .flatMap((read) => queuedSet(history, read)),
]
