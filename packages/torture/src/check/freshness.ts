/**
 * Nothing older than a change is given as fresh: at once on the node that made
 * it, and once it is settled on all others within their bound.
 */
import type { Change, History, Origin, Read } from "../history/History.ts"
import type { Line } from "../history/Line.ts"
import { observer } from "../history/History.ts"
import { endedBefore, isFresh, isOlder, seenIn } from "./order.ts"
import type { RuleName, Violation } from "./Violation.ts"

/** Marks that other nodes have set are asked for at most this much later. */
const markMaxAge = 5_000
/** What a read that was under way may add to a bound, and a busy machine. */
const slack = 1_500

type Acknowledged = Change & { readonly end: number }

/** From when a change counts for other nodes, and by what. */
interface Effect {
  readonly at: number
  readonly rule: RuleName
  readonly by: string
  /** What shows it, beside the change itself. */
  readonly lines: ReadonlyArray<Line>
}

/**
 * A settled change counts from its acknowledgement. One that did not settle
 * counts when its node has made up for it, or says that a later one is settled.
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

/** `settled` speaks for all earlier changes of the node; what a queue still holds is not meant. */
const laterSettledIn = (history: History) => {
  const settled = new Map<string, Array<Change>>()
  for (const change of history.changes) {
    if (!change.settled) continue
    const of = settled.get(change.session.id)
    if (of === undefined) settled.set(change.session.id, [change])
    else of.push(change)
  }
  return (change: Acknowledged): Change | undefined =>
    change.background
      ? undefined
      : settled.get(change.session.id)?.find(({ begin }) => begin > change.end)
}

/** How long after a change a session may still give what is older. A new one has nothing from before it. */
const boundOf = (history: History, change: Change, effect: Effect, read: Read): number => {
  if (read.by.opened > effect.at) return 0
  return history.round.maxFreshFor + (change.isMark ? markMaxAge : 0) + slack
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

/**
 * What Redis hears of later has its place in the order. An older value that another node expires
 * meanwhile counts as changed then, and stays for error grace.
 */
const mayBeExpired = (history: History, change: Acknowledged, read: Read): boolean =>
  !change.settled &&
  history
    .changesOf(read.key)
    .some(
      ({ begin, end = Infinity, op, session }) =>
        op === "expire" && session !== change.session && end > change.begin && begin < read.begin,
    )

/** On its own node a change counts at once, settled or not. */
const onOwnNode = (
  history: History,
  read: Read,
  origin: Origin,
  change: Acknowledged,
  seen: ReturnType<typeof seenIn>,
): Violation | undefined => {
  // Of what the node had not seen, an unsettled change cannot know that it is older.
  const isKnown =
    change.settled || change.isMark || seen(change.session.id, origin.value) < change.begin
  if (!isKnown) return undefined
  const told = `after its own ${change.op}, ${(read.begin - change.end).toFixed(0)} ms later`
  if (isFresh(read)) {
    const text = `gave an older value as fresh ${told}`
    return violation(history, "overtaken on its own node", read, origin, change, text)
  }
  return change.drops && !mayBeExpired(history, change, read)
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
  // A lookup that ends later is kept, for its bound, from then on.
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
  /** The strongest that the read may be judged by. */
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
