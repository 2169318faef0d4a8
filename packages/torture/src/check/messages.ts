/**
 * Nodes hear of each other's changes: no node serves as fresh what is older than a change that it
 * was told of, nor, once everything has run for a while, than any settled change. A node that is not
 * told knows that within three heartbeats.
 */
import type { Change, History, Origin, Read } from "../history/History.ts"
import { observer } from "../history/History.ts"
import type { Line } from "../history/Line.ts"
import { endedBefore, isFresh, isOlder, mayMiss } from "./order.ts"
import type { RuleName, Violation } from "./Violation.ts"

/** Time in which network, servers and reader ran, after which a reader has heard, ms. */
const heardMillis = 1_000
/** What a busy machine may add, ms. */
const slack = 1_000

interface Broken {
  readonly rule: RuleName
  readonly why: string
  readonly lines: ReadonlyArray<Line>
}

/** The message of the change was applied before the read began. */
const told = (history: History, read: Read, change: Change): Broken | undefined => {
  const line = history.heard(read.by.id, change)
  if (line === undefined || line.at >= read.begin) return undefined
  const why = `${(read.begin - line.at).toFixed(0)} ms after it was told of it`
  return { rule: "fresh although it was told", why, lines: [line] }
}

/** A result that was on its way when the change was made is stored later. */
const countsFrom = (origin: Origin, end: number): number => Math.max(end, origin.end ?? 0)

const undisturbed = (
  history: History,
  read: Read,
  origin: Origin,
  end: number,
): Broken | undefined => {
  const calm = history.calm(read.by.node, countsFrom(origin, end), read.begin)
  if (calm <= heardMillis + slack) return undefined
  const why = `after ${calm.toFixed(0)} ms in which network, servers and node ran`
  return { rule: "fresh although nothing was in the way", why, lines: [] }
}

/**
 * Whatever happened to the messages. A node that knew of a gap when the change was settled may serve
 * what it has read or looked up since the gap began.
 */
const unnoticed = (
  history: History,
  read: Read,
  origin: Origin,
  end: number,
): Broken | undefined => {
  if (history.knewOfGap(read.by.id, end)) return undefined
  const elapsed = history.active(read.by.node, countsFrom(origin, end), read.begin)
  const bound = 3 * history.round.heartbeat + heardMillis + slack
  if (elapsed <= bound) return undefined
  const why = `${elapsed.toFixed(0)} ms later (bound ${bound} ms), without having heard`
  return { rule: "gap not noticed", why, lines: [] }
}

const strip = ({ by: _, ...line }: Read) => line

const judge = (history: History, read: Read): Violation | undefined => {
  const origin = read.value === undefined ? undefined : history.origins.get(read.value)
  if (origin === undefined || !isFresh(read) || read.op === "refresh") return undefined
  if (read.by.node === observer) return undefined
  for (const change of history.changesOf(read.key)) {
    if (change.begin > read.begin) break
    if (!change.settled || change.session.id === read.by.id || history.mayBeLost(change)) continue
    if (!endedBefore(change, read) || !isOlder(origin, change)) continue
    if (mayMiss(history, change, origin, read.key)) continue
    const broken =
      told(history, read, change) ??
      undisturbed(history, read, origin, change.end) ??
      unnoticed(history, read, origin, change.end)
    if (broken === undefined) continue
    return {
      rule: broken.rule,
      larder: history.larder,
      key: read.key,
      at: read.begin,
      text: `${read.by.node} gave a value older than ${change.session.node}'s settled ${change.op} as fresh, from ${read.tier ?? "?"}, ${broken.why}`,
      about: `${origin.value} ${change.id}`,
      lines: [...origin.lines, ...change.lines, ...broken.lines, strip(read)],
    }
  }
  return undefined
}

export const messages = (history: History): ReadonlyArray<Violation> =>
  history.reads.flatMap((read) => judge(history, read) ?? [])
