/** A settled `set` stays until something newer takes its place, and a queued one arrives. */
import type { Change, History, Read } from "../history/History.ts"
import { observer } from "../history/History.ts"
import { endedBefore, isBefore } from "./order.ts"
import type { Violation } from "./Violation.ts"

const strip = ({ by: _, ...line }: Read) => line

const dataWasLost = (history: History, from: number, to: number): boolean =>
  history.faults.some((fault) => fault.loses && fault.from <= to && fault.to >= from)

/** No lookup may have taken the place of the value: one that began before it is refused. */
const noNewerLookup = (history: History, key: string, since: number, read: Read): boolean =>
  history.lookups(key).every(({ begin }) => begin < since || begin > read.end)

/** What an unsettled mark covers may go when the mark is made up for. */
const mayComeLater = (change: Change): boolean => change.isMark && change.drops && !change.settled

const isUndisturbed = (history: History, set: Change & { end: number }, read: Read): boolean =>
  history
    .changesOf(read.key)
    .every(
      (other) =>
        other === set || other.begin > read.end || (isBefore(other, set) && !mayComeLater(other)),
    ) &&
  noNewerLookup(history, read.key, set.begin, read) &&
  !dataWasLost(history, set.begin, read.end)

/** The last `set` that was settled before the read. */
const lastSettled = (history: History, read: Read): (Change & { end: number }) | undefined =>
  history
    .changesOf(read.key)
    .findLast(
      (change): change is Change & { end: number } =>
        change.op === "set" && change.settled && endedBefore(change, read),
    )

const isMissing = (read: Read): boolean =>
  read.by.node === observer &&
  read.op === "read" &&
  read.freshness === "missing" &&
  read.tierFailed !== true

/** Nodes hear of a mark 5 s later at most: a set that came after it may have been made as if it came before. */
const unheardMillis = 6_000

/** The mark of another node that the one that set the value may not have heard of. */
const unheardMark = (history: History, set: Change): Change | undefined =>
  history
    .changesOf(set.key ?? "")
    .findLast(
      ({ begin, drops, isMark, session }) =>
        isMark &&
        drops &&
        session !== set.session &&
        begin < set.begin &&
        begin > set.begin - unheardMillis,
    )

const settledSet = (history: History, read: Read): ReadonlyArray<Violation> => {
  const set = lastSettled(history, read)
  if (set === undefined || !isUndisturbed(history, set, read)) return []
  if (read.end > set.begin + history.round.life - 500) return []
  const mark = unheardMark(history, set)
  const earlier = history
    .changesOf(read.key)
    .filter((other) => !other.settled && isBefore(other, set))
    .slice(-3)
  const before = mark === undefined ? earlier : [mark]
  const by =
    mark === undefined
      ? "nothing newer has happened to the key"
      : `${mark.session.node} had invalidated its tag before`
  return [
    {
      rule: mark === undefined ? "settled set lost" : "settled set covered by an older mark",
      larder: history.larder,
      key: read.key,
      at: read.begin,
      text: `Redis has nothing ${(read.begin - set.end).toFixed(0)} ms after ${set.session.node}'s set was settled; ${by}`,
      about: set.id,
      lines: [...before.flatMap(({ lines }) => lines), ...set.lines, strip(read)],
    },
  ]
}

/** The set of a key that nothing else has happened to, in the background, by a node that lived on and is quiet. */
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

export const losses = (history: History): ReadonlyArray<Violation> =>
  history.reads
    .filter(isMissing)
    .flatMap((read) => [...settledSet(history, read), ...queuedSet(history, read)])
