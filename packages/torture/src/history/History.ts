/**
 * Combines the lines of a round: sessions, the origins of values, the changes of each key. Pure.
 */
import { tagsOf } from "../keys.ts"
import type * as L from "./Line.ts"

export interface Session {
  readonly id: string
  readonly node: string
  readonly larder: string
  readonly opened: number
  /** When it began to close; undefined if it never did, or if its process was killed. */
  readonly closing: number | undefined
  readonly closed: number | undefined
}

/** The origin of a value: a lookup, a `set`, or an effect that wrote the source. `end` is undefined when no caller got the result. */
export interface Origin {
  readonly kind: "lookup" | "set" | "written"
  readonly value: string
  readonly key: string
  readonly session: Session
  readonly begin: number
  readonly end: number | undefined
  readonly failed: boolean
  /** Redis had the `set` and all before it when it was acknowledged. False for a lookup. */
  readonly settled: boolean
  /** The version of a `set`. */
  readonly version: number | undefined
  readonly lines: ReadonlyArray<L.Line>
}

export interface Change {
  readonly id: string
  readonly op: L.ChangeOp
  readonly session: Session
  readonly key: string | undefined
  readonly value: string | undefined
  readonly background: boolean
  /** Leaves no older value, not even for stale-if-error. */
  readonly drops: boolean
  /** A change of tags or of everything: other nodes learn of it later than of a change of a key. */
  readonly isMark: boolean
  readonly covers: (key: string) => boolean
  readonly begin: number
  /** What is from before this is older: the last write of its effect, else its begin. */
  readonly place: number
  /** Its effect's writes of the source, and the values that it made. */
  readonly wrote: ReadonlyArray<L.WroteLine>
  /** Of a write of the source: whether it has succeeded. */
  readonly isDone: boolean
  /** When it was acknowledged. */
  readonly end: number | undefined
  readonly settled: boolean
  readonly version: number | undefined
  readonly pending: ReadonlyArray<string>
  readonly lines: ReadonlyArray<L.Line>
}

export interface Read extends L.ReadLine {
  readonly by: Session
}

export interface History {
  readonly round: L.RoundLine
  readonly larder: string
  readonly sessions: ReadonlyMap<string, Session>
  readonly origins: ReadonlyMap<string, Origin>
  readonly lookups: (key: string) => ReadonlyArray<Origin>
  /** The changes in the order in which they began. */
  readonly changes: ReadonlyArray<Change>
  readonly changesOf: (key: string) => ReadonlyArray<Change>
  readonly reads: ReadonlyArray<Read>
  readonly pending: ReadonlyArray<L.PendingLine>
  readonly queues: ReadonlyArray<L.QueueLine>
  readonly events: ReadonlyArray<L.EventLine>
  readonly quiet: ReadonlyMap<string, L.QuietLine>
  readonly faults: ReadonlyArray<L.FaultLine>
  readonly unhandled: ReadonlyArray<L.UnhandledLine>
  readonly faultsOver: number
  readonly changesOver: number
  /** How much of the time between two moments the node could run. */
  readonly active: (node: string, from: number, to: number) => number
  /** When the session had applied a message of the change, or a later one of the same kind. */
  readonly heard: (session: string, change: Change) => L.HeardLine | undefined
  /** Whether messages of a server were missing at that moment, as far as the session knew. */
  readonly knewOfGap: (session: string, at: number) => boolean
  /**
   * Whether a failover may have lost the change: a master that dies takes with it what it has
   * acknowledged and not replicated.
   */
  readonly mayBeLost: (change: Change) => boolean
  /** The longest part of the time in which no fault reached the node and all processes ran. */
  readonly calm: (node: string, from: number, to: number) => number
}

/** The observer reads from outside: it has no proxies, no faults and makes no changes. */
export const observer = "observer"

/** The fault in which a replica takes the place of its master. */
export const failoverKind = "failover"

/** The process of the proxies: while it does not run, nothing passes between nodes and servers. */
export const coordinator = "coordinator"

const none: RoundLineDefaults = { round: 0, seed: 0, stack: "", wire: "" }
type RoundLineDefaults = Pick<L.RoundLine, "round" | "seed" | "stack" | "wire">

export const defaultRound: L.RoundLine = {
  t: "round",
  ...none,
  freshFor: 60_000,
  life: 120_000,
  hardTimeout: 2_000,
  tierBudget: 500,
  maxFreshFor: 300,
  heartbeat: 1_000,
}

const of = <T extends L.Line["t"]>(lines: ReadonlyArray<L.Line>, ...kinds: ReadonlyArray<T>) =>
  lines.filter((line): line is Extract<L.Line, { readonly t: T }> =>
    (kinds as ReadonlyArray<L.Line["t"]>).includes(line.t),
  )

const sessionsOf = (lines: ReadonlyArray<L.Line>): ReadonlyMap<string, Session> => {
  const ends = (kind: "closing" | "closed") =>
    new Map(
      of(lines, "closing", "closed")
        .filter(({ t }) => t === kind)
        .map(({ at, session }): [string, number] => [session, at]),
    )
  const [closing, closed] = [ends("closing"), ends("closed")]
  return new Map(
    of(lines, "opened").map(({ at, larder, node, session }) => [
      session,
      {
        id: session,
        node,
        larder,
        opened: at,
        closing: closing.get(session),
        closed: closed.get(session),
      },
    ]),
  )
}

const covering = ({ key, op, prefix, tags }: L.ChangeLine): ((key: string) => boolean) => {
  if (op === "clear") return () => true
  if (op === "removeWhere") return (other) => other.startsWith(prefix!)
  if (op !== "tags") return (other) => other === key
  const marked = new Set(tags)
  return (other) => tagsOf(other).some((tag) => marked.has(tag))
}

const isWriter = (op: L.ChangeOp): boolean => op === "around" || op === "through" || op === "update"

/** Whether a change that has ended leaves no older value, not even for stale-if-error. */
const dropsOlder = ({ drops, op }: L.ChangeLine, end: L.ChangedLine | undefined): boolean => {
  if (op === "tags" || op === "clear") return drops === true
  return isWriter(op) ? end?.outcome === "done" : op !== "expire"
}

const changeOf = (
  session: Session,
  line: L.ChangeLine,
  wrote: ReadonlyArray<L.WroteLine>,
  end: L.ChangedLine | undefined,
): Change => {
  const isMark = line.op === "tags" || line.op === "clear"
  const acknowledged = end !== undefined && end.error === undefined
  return {
    id: line.id,
    op: line.op,
    session,
    key: line.key,
    value: line.value,
    background: line.background === true,
    drops: dropsOlder(line, end),
    isMark,
    covers: covering(line),
    begin: line.at,
    place: wrote.at(-1)?.at ?? line.at,
    wrote,
    isDone: end?.outcome === "done",
    end: acknowledged ? end.at : undefined,
    settled: acknowledged && end.settled,
    version: end?.version,
    pending: end?.pending ?? [],
    lines: [line, ...wrote, ...(end === undefined ? [] : [end])],
  }
}

/** The source has the value when it is written. */
const writtenOrigins = ({ end, key, lines, session, wrote }: Change): ReadonlyArray<Origin> =>
  wrote.flatMap(({ at: begin, value }) => {
    if (key === undefined || value === undefined) return []
    const common = { session, begin, end, failed: false, settled: false, version: undefined, lines }
    return [{ kind: "written" as const, value, key, ...common }]
  })

const setOrigin = ({ key, value, ...change }: Change): ReadonlyArray<Origin> => {
  if (key === undefined || value === undefined) return []
  const { begin, end, lines, session, settled, version } = change
  return [{ kind: "set", value, key, session, begin, end, failed: false, settled, version, lines }]
}

const lookupOrigin = (
  session: Session,
  line: L.LookupLine,
  end: L.AnsweredLine | undefined,
): Origin => ({
  kind: "lookup",
  value: line.value,
  key: line.key,
  session,
  begin: line.at,
  end: end?.at,
  failed: end?.failed === true,
  settled: false,
  version: undefined,
  lines: end === undefined ? [line] : [line, end],
})

/** The sum of the stalls in a range, counting no moment twice. */
const stalled = (stalls: ReadonlyArray<L.StallLine>, from: number, to: number): number => {
  let until = from
  let sum = 0
  for (const stall of stalls) {
    const begin = Math.max(stall.from, until)
    const end = Math.min(stall.to, to)
    if (end <= begin) continue
    sum += end - begin
    until = end
  }
  return sum
}

interface Span {
  readonly from: number
  readonly to: number
}

/** The longest part of a range that none of the spans touches. They are in the order of `from`. */
const longestFree = (spans: ReadonlyArray<Span>, from: number, to: number): number => {
  let [free, longest] = [from, 0]
  for (const span of spans) {
    if (span.to <= free) continue
    if (span.from >= to) break
    longest = Math.max(longest, span.from - free)
    free = span.to
  }
  return Math.max(longest, to - free)
}

const grouped = <A>(
  all: ReadonlyArray<A>,
  keyOf: (a: A) => string,
): ReadonlyMap<string, Array<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const one of all) {
    const group = groups.get(keyOf(one))
    if (group === undefined) groups.set(keyOf(one), [one])
    else group.push(one)
  }
  return groups
}

const memoized = <A>(f: (key: string) => A): ((key: string) => A) => {
  const known = new Map<string, A>()
  return (key) => {
    if (!known.has(key)) known.set(key, f(key))
    return known.get(key) as A
  }
}

/** How far a replica may be behind on a busy machine. */
const replicationMillis = 1_000

/** Marks have no key. */
const nameOfHeard = (session: string, key: string | undefined): string =>
  key === undefined ? session : `${session} ${key}`

const phase = (lines: ReadonlyArray<L.Line>, name: L.PhaseLine["name"]): number =>
  of(lines, "phase").find((line) => line.name === name)?.at ?? Infinity

const historyOf = (lines: ReadonlyArray<L.Line>, larder: string): History => {
  const all = sessionsOf(lines)
  const sessions = new Map([...all].filter(([, session]) => session.larder === larder))
  const inLarder = <A extends { readonly session: string }>(line: A): boolean =>
    sessions.has(line.session)
  const sessionOf = ({ session }: { readonly session: string }): Session => sessions.get(session)!
  const ends = new Map(of(lines, "changed").map((line) => [line.id, line]))
  const wrote = grouped(of(lines, "wrote"), ({ id }) => id)
  const answers = new Map(of(lines, "answered").map((line) => [line.value, line]))
  const changes = of(lines, "change")
    .filter(inLarder)
    .filter(({ id }) => ends.get(id)?.outcome !== "idle")
    .map((line) => changeOf(sessionOf(line), line, wrote.get(line.id) ?? [], ends.get(line.id)))
    .toSorted((a, b) => a.begin - b.begin)
  const lookups = of(lines, "lookup")
    .filter(inLarder)
    .map((line) => lookupOrigin(sessionOf(line), line, answers.get(line.value)))
  const stalls = grouped(
    of(lines, "stall").toSorted((a, b) => a.from - b.from),
    ({ node }) => node,
  )
  const byKey = grouped(lookups, ({ key }) => key)
  const heard = grouped(of(lines, "heard"), ({ key, session }) => nameOfHeard(session, key))
  const gaps = grouped(of(lines, "gap"), ({ session }) => session)
  const faults = of(lines, "fault")
  const disturbed = memoized((node) =>
    [
      ...faults.filter(({ nodes }) => nodes === undefined || nodes.includes(node)),
      ...(stalls.get(node) ?? []),
      ...(stalls.get(coordinator) ?? []),
    ].toSorted((a, b) => a.from - b.from),
  )
  const origins = [...lookups, ...changes.flatMap(setOrigin), ...changes.flatMap(writtenOrigins)]
  return {
    round: of(lines, "round")[0] ?? defaultRound,
    larder,
    sessions,
    origins: new Map(origins.map((origin) => [origin.value, origin])),
    lookups: (key) => byKey.get(key) ?? [],
    changes,
    changesOf: memoized((key) => changes.filter(({ covers }) => covers(key))),
    reads: of(lines, "read")
      .filter(inLarder)
      .map((line) => ({ ...line, by: sessionOf(line) })),
    pending: of(lines, "pending").filter(inLarder),
    queues: of(lines, "queue").filter(inLarder),
    events: of(lines, "event").filter(inLarder),
    quiet: new Map(of(lines, "quiet").map((line) => [line.session, line])),
    faults,
    unhandled: of(lines, "unhandled"),
    faultsOver: phase(lines, "faults over"),
    changesOver: phase(lines, "changes over"),
    active: (node, from, to) =>
      to <= from ? to - from : to - from - stalled(stalls.get(node) ?? [], from, to),
    heard: (session, { isMark, key, version = Infinity }) =>
      heard
        .get(nameOfHeard(session, isMark ? undefined : key))
        ?.find((line) => line.version >= version),
    knewOfGap: (session, at) => {
      const before = (gaps.get(session) ?? []).filter((line) => line.at <= at)
      return before.some(
        ({ isOver, part }, i) =>
          !isOver &&
          // A gap of all servers is over when it is over for all.
          !before.slice(i + 1).some((line) => line.isOver && (line.part ?? part) === part),
      )
    },
    mayBeLost: ({ begin, end = Infinity }) =>
      faults.some(
        ({ from, kind, to }) =>
          kind === failoverKind && begin < to && end > from - replicationMillis,
      ),
    calm: (node, from, to) => longestFree(disturbed(node), from, to),
  }
}

/** One history for each larder by name: larders with different names share nothing. */
export const histories = (lines: ReadonlyArray<L.Line>): ReadonlyArray<History> =>
  [...new Set(of(lines, "opened").map(({ larder }) => larder))].map((larder) =>
    historyOf(lines, larder),
  )
