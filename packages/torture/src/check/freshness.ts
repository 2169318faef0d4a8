/**
 * No node serves a value older than a change as fresh: the changing node at once, and all other
 * nodes within their bound once the change is settled.
 */
import type { Change, History, Origin, Read } from "../history/History.ts"
import type { Line } from "../history/Line.ts"
import { observer } from "../history/History.ts"
import { endedBefore, isFresh, isOlder, mayMiss, seenIn } from "./order.ts"
import type { RuleName, Violation } from "./Violation.ts"

/** Nodes read the marks of other nodes at most this much later. */
const markMaxAge = 5_000
/** The time, ms, that a running read and a busy machine may add to a bound. */
const slack = 1_500

type Acknowledged = Change & { readonly end: number }

/** When a change begins to count for other nodes, and why. */
interface Effect {
  readonly at: number
  readonly rule: RuleName
  readonly by: string
  /** The evidence beside the change itself. */
  readonly lines: ReadonlyArray<Line>
}

/**
 * A settled change counts from its acknowledgement. An unsettled one counts once its node has
 * replayed it, or reports a later change as settled.
 */
const effectsOf = (
  history: History,
  change: Acknowledged,
  laterSettled: (change: Acknowledged) => Change | undefined,
): ReadonlyArray<Effect> => {
  const rule = "stale given as fresh"
  if (change.settled) return [{ at: change.end, rule, by: "was settled", lines: [] }]
  const quiet = history.quiet.get(change.session.id)
  const made: ReadonlyArray<Effect> =
    quiet?.quiet === true ? [{ at: quiet.at, rule, by: "was made up for", lines: [quiet] }] : []
  const later = laterSettled(change)
  if (later?.end === undefined) return made
  const by = `was followed by a settled ${later.op}`
  const { end, lines } = later
  return [...made, { at: end, rule: "settled although earlier changes wait", by, lines }]
}

/** `settled` covers all earlier changes of the node, except those still in a queue. */
const laterSettledIn = (history: History) => {
  const settled = new Map<string, Array<Change>>()
  for (const change of history.changes) {
    // A removeWhere that has found nothing is settled without an answer of Redis to a change.
    if (!change.settled || change.op === "removeWhere") continue
    const of = settled.get(change.session.id)
    if (of === undefined) settled.set(change.session.id, [change])
    else of.push(change)
  }
  return (change: Acknowledged): Change | undefined =>
    change.background
      ? undefined
      : settled.get(change.session.id)?.find(({ begin }) => begin > change.end)
}

/**
 * How long after a change a session may still serve an older value. A new session has no older
 * value.
 */
const boundOf = (history: History, change: Change, effect: Effect, read: Read): number => {
  if (read.by.opened > effect.at) return 0
  return (history.round.maxFreshFor ?? Infinity) + (change.isMark ? markMaxAge : 0) + slack
}

const violation = (
  history: History,
  rule: RuleName,
  read: Read,
  origin: Origin,
  change: Acknowledged,
  text: string,
  more: ReadonlyArray<Line> = [],
): Violation => ({
  rule,
  larder: history.larder,
  key: read.key,
  at: read.begin,
  text: `${read.by.node} ${text}`,
  about: `${origin.value} ${change.id}`,
  lines: [...origin.lines, ...change.lines, ...more, strip(read)],
})

const strip = ({ by: _, ...line }: Read) => line

/** On its own node a change counts at once, settled or not. */
const onOwnNode = (
  history: History,
  read: Read,
  origin: Origin,
  change: Acknowledged,
  seen: ReturnType<typeof seenIn>,
): Violation | undefined => {
  // An unsettled change cannot know that a value is older if its node had not seen that value.
  const isKnown =
    change.settled || change.isMark || seen(change.session.id, origin.value) < change.begin
  if (!isKnown) return undefined
  const told = `after its own ${change.op}, ${(read.begin - change.end).toFixed(0)} ms later`
  if (isFresh(read)) {
    const text = `gave an older value as fresh ${told}`
    return violation(history, "overtaken on its own node", read, origin, change, text)
  }
  return change.drops
    ? violation(
        history,
        "given after it was replaced",
        read,
        origin,
        change,
        `gave an older value ${told}`,
      )
    : undefined
}

const onOthers = (
  history: History,
  read: Read,
  origin: Origin,
  change: Acknowledged,
  effect: Effect,
): Violation | undefined => {
  if (!isFresh(read)) return undefined
  // The result of a lookup that ends later is stored, within its bound, from then on.
  const from = Math.max(effect.at, origin.end ?? 0)
  const elapsed = history.active(read.by.node, from, read.begin)
  const bound = boundOf(history, change, effect, read)
  if (elapsed <= bound) return undefined
  const node = read.by.node === observer ? "(which is new and asks Redis itself) " : ""
  const text = `${node}gave an older value as fresh, from ${read.tier ?? "?"}, ${elapsed.toFixed(0)} ms after ${change.session.node}'s ${change.op} ${effect.by} (bound ${bound} ms)`
  return violation(history, effect.rule, read, origin, change, text, effect.lines)
}

export const freshness = (history: History): ReadonlyArray<Violation> => {
  const seen = seenIn(history)
  const laterSettled = laterSettledIn(history)
  const effects = new Map<string, ReadonlyArray<Effect>>()
  /** The strongest effect that applies to the read. */
  const effect = (change: Acknowledged, read: Read): Effect | undefined => {
    const known = effects.get(change.id) ?? effectsOf(history, change, laterSettled)
    effects.set(change.id, known)
    return known.find(({ at }) => at < read.begin)
  }
  const judge = (read: Read): Violation | undefined => {
    const origin = read.value === undefined ? undefined : history.origins.get(read.value)
    if (origin === undefined || read.op === "refresh") return undefined
    for (const change of history.changesOf(read.key)) {
      if (change.begin > read.begin) break
      if (!endedBefore(change, read) || !isOlder(origin, change)) continue
      if (history.mayBeLost(change) || mayMiss(history, change, origin, read.key)) continue
      if (change.session.id === read.by.id) {
        const found = onOwnNode(history, read, origin, change, seen)
        if (found !== undefined) return found
        continue
      }
      const counts = effect(change, read)
      if (counts === undefined) continue
      const isKnown =
        change.settled || change.isMark || seen(change.session.id, origin.value) < change.begin
      const found = isKnown ? onOthers(history, read, origin, change, counts) : undefined
      if (found !== undefined) return found
    }
    return undefined
  }
  return history.reads.flatMap((read) => judge(read) ?? [])
}
