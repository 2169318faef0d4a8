/**
 * The rules of writes, of the lines alone: what was acknowledged is at the source at the end, nothing older
 * than it is served as fresh, and all nodes agree.
 */
import { comboIn, gathers, isBehind, logged } from "./keys.ts"
import { comboOf, freshFor, hardTimeout, maxFreshFor, maxPending } from "./Config.ts"
import { type Acknowledged, boundOf, type History } from "./History.ts"

export type RuleName =
  | "acknowledged write lost"
  | "ordered before an earlier write"
  | "applied twice"
  | "older version at the end"
  | "value from nowhere"
  | "older given as fresh"
  | "overtaken in its own process"
  | "nodes disagree"
  | "more lost than waited"
  | "dead letter"
  | "unhandled"

export interface Violation {
  readonly rule: RuleName
  readonly key: string
  readonly text: string
}

type Rule = (history: History) => ReadonlyArray<Violation>

const byKey = <A extends { readonly key: string }>(all: ReadonlyArray<A>) =>
  Map.groupBy(all, ({ key }) => key)

/** Acknowledged writes that the source does not have at the end, nor a later one in their place. */
export const lostWrites = ({ acknowledged, sources }: History): ReadonlyArray<Acknowledged> => {
  const idsOf = new Map([...sources].map(([key, { ids }]) => [key, new Set(ids)]))
  return acknowledged.filter(({ id, key, version }) =>
    gathers(key) ? idsOf.get(key)?.has(id) !== true : (sources.get(key)?.version ?? -1) < version,
  )
}

const losses: Rule = (history) =>
  lostWrites(history)
    .filter((write) => boundOf(history, write) === "none")
    .map(({ id, key, mode, version }) => ({
      rule: "acknowledged write lost",
      key,
      text: `${mode} ${id}, version ${version}; the source has version ${history.sources.get(key)?.version ?? "none"}`,
    }))

/**
 * While the arbiter is away, a node orders by the arbiter's time as it knows it, up to the duration of a
 * trip. On a busy machine a trip may take as long as its time limit, ms.
 */
const orderMillis = 1_000

/** A write that began after another had ended has a higher version: else the source refuses it. */
const order: Rule = ({ acknowledged }) =>
  [...byKey(acknowledged)].flatMap(([key, writes]) => {
    const ended = writes.toSorted((a, b) => a.ended - b.ended)
    let at = 0
    let highest: Acknowledged | undefined
    return writes
      .toSorted((a, b) => a.begun - b.begun)
      .flatMap((write): ReadonlyArray<Violation> => {
        while (ended[at] !== undefined && ended[at].ended < write.begun - orderMillis) {
          if (highest === undefined || ended[at].version > highest.version) highest = ended[at]
          at += 1
        }
        if (highest === undefined || write.version > highest.version) return []
        const text = `${write.mode} ${write.id} has version ${write.version}, and ${highest.id}, which ended before, ${highest.version}`
        return [{ rule: "ordered before an earlier write", key, text }]
      })
  })

const repetitions: Rule = ({ sources }) =>
  [...sources.values()].flatMap(({ ids, key }) => {
    const twice = ids.filter((id, at) => ids.indexOf(id) !== at)
    return twice.length === 0
      ? []
      : [
          {
            rule: "applied twice",
            key,
            text: `${twice.slice(0, 5).join(", ")}, ${twice.length} in all`,
          },
        ]
  })

/** The value at the end is that of its version, and was written by somebody. */
const origins: Rule = ({ acknowledged, begun, sources }) =>
  [...sources.values()].flatMap(({ ids, key, version }): ReadonlyArray<Violation> => {
    const unknown = ids.find((id) => !begun.has(id))
    if (unknown !== undefined) {
      return [{ rule: "value from nowhere", key, text: `nobody wrote ${unknown}` }]
    }
    if (gathers(key)) return []
    const named = acknowledged.filter((write) => write.key === key && write.version === version)
    return named.length === 0 || named.some(({ id }) => ids.includes(id))
      ? []
      : [{ rule: "older version at the end", key, text: `${ids.join()} under version ${version}` }]
  })

/** An entry that a message has missed is asked of Redis again; a lookup that began before may still end. */
const heardMillis = maxFreshFor + hardTimeout + 700

/**
 * Where Redis was away, or its node died before it could say it again, the change was not told: it ends the
 * freshness of older values only with their time.
 */
const untoldMillis = freshFor + heardMillis

const toldAfter = ({ redisOutages }: History, { begun, ended, settled }: Acknowledged): number => {
  if (settled === false) return untoldMillis
  const wasAway = redisOutages.some(({ from, to }) => begun < to && ended > from)
  return wasAway ? untoldMillis : heardMillis
}

/** The place of a write in the order of its key. */
const orderOf = (history: History, key: string): ((id: string) => number | undefined) => {
  if (!gathers(key)) return (id) => history.versions.get(id)
  const ids = history.sources.get(key)?.ids ?? []
  const places = new Map(ids.map((id, at) => [id, at]))
  return (id) => places.get(id)
}

/** Whether an outbox that other nodes do not see holds the write. */
const isOwnOutbox = (key: string): boolean =>
  isBehind(key) && comboOf[comboIn(key)].outbox === "memory"

interface Told {
  readonly at: number
  readonly place: number
  readonly write: Acknowledged
}

/** The highest place told until a time; `told` is in the order of times. */
const newestUntil = (told: ReadonlyArray<Told>, at: number): Told | undefined => {
  let newest: Told | undefined
  for (const one of told) {
    if (one.at > at) break
    if (newest === undefined || one.place > newest.place) newest = one
  }
  return newest
}

const toldOf = (
  writes: ReadonlyArray<Acknowledged>,
  place: (id: string) => number | undefined,
  after: (write: Acknowledged) => number,
): ReadonlyArray<Told> =>
  writes
    .flatMap((write) => {
      const at = place(write.id)
      return at === undefined ? [] : [{ at: write.ended + after(write), place: at, write }]
    })
    .toSorted((a, b) => a.at - b.at)

/**
 * Whether a read may give a put although a newer one was acknowledged. A put that is held up between its
 * version and the outbox, while a newer one is taken and flushed, is read until the source has refused it:
 * the two were under way at the same time.
 */
const mayOvertake = (
  ends: ReadonlyMap<string, number>,
  { begun }: History,
  id: string | undefined,
  from: number,
  { write }: Told,
): boolean => {
  const given = id === undefined ? undefined : begun.get(id)
  if (given === undefined || !isBehind(given.key)) return false
  const ended = ends.get(given.id) ?? Infinity
  return given.at < write.ended && ended > write.begun && from < ended + heardMillis
}

const freshness: Rule = (history) => {
  const ends = new Map(history.acknowledged.map(({ ended, id }) => [id, ended]))
  const reads = byKey(history.reads)
  return [...byKey(history.acknowledged)].flatMap(([key, writes]) => {
    const place = orderOf(history, key)
    const byProcess = Map.groupBy(writes, ({ process }) => process)
    const own = new Map(
      [...byProcess].map(([process, all]) => [process, toldOf(all, place, () => 0)]),
    )
    const told = isOwnOutbox(key) ? [] : toldOf(writes, place, (write) => toldAfter(history, write))
    return (reads.get(key) ?? []).flatMap(({ from, id, isFresh, process, tier }) => {
      const given = id === undefined ? -1 : place(id)
      if (!isFresh || given === undefined) return []
      const older = (rule: RuleName, than: Told | undefined): ReadonlyArray<Violation> =>
        than === undefined || given >= than.place || mayOvertake(ends, history, id, from, than)
          ? []
          : [
              {
                rule,
                key,
                text: `${process} read ${id ?? "nothing"} from ${tier} at ${from.toFixed(1)}, ${(from - than.write.ended).toFixed(0)} ms after ${than.write.id} was acknowledged`,
              },
            ]
      // Another node, which does not see what waits here, may have stored what the source still has.
      const isOwn = tier === "upstream" || !isOwnOutbox(key)
      const mine = isOwn ? newestUntil(own.get(process) ?? [], from) : undefined
      const inOwn = older("overtaken in its own process", mine)
      return inOwn.length > 0 ? inOwn : older("older given as fresh", newestUntil(told, from))
    })
  })
}

const agreement: Rule = ({ finals, sources }) =>
  finals.flatMap(({ id, key, process, why }) => {
    const kept = sources.get(key)?.ids.at(-1)
    if (why !== undefined) {
      return [{ rule: "nodes disagree", key, text: `${process} does not answer: ${why}` }]
    }
    return id === kept
      ? []
      : [
          {
            rule: "nodes disagree",
            key,
            text: `${process} has ${id ?? "nothing"}, the source ${kept ?? "nothing"}`,
          },
        ]
  })

/**
 * The keys that waited in the memory of a process when it was killed: the last put of each that had not
 * been handed to the source.
 */
export const waitedAtKill = ({
  acknowledged,
  faults,
  tried,
}: History): ReadonlyMap<string, number> => {
  const highest = new Map<string, number>()
  for (const { key, process, version } of tried) {
    const name = `${process} ${key}`
    highest.set(name, Math.max(version, highest.get(name) ?? 0))
  }
  const killed = new Set(
    faults.flatMap(({ kind, process }) =>
      kind === "kill worker" && process !== undefined ? [process] : [],
    ),
  )
  const waiting = new Map<string, Set<string>>()
  for (const { key, mode, process, version } of acknowledged) {
    const isKept = mode === "put" && isOwnOutbox(key) && killed.has(process)
    if (!isKept || (highest.get(`${process} ${key}`) ?? 0) >= version) continue
    const keys = waiting.get(process) ?? new Set()
    waiting.set(process, keys.add(key))
  }
  return new Map([...waiting].map(([process, keys]) => [process, keys.size]))
}

const memoryBound: Rule = (history) =>
  [...waitedAtKill(history)]
    .filter(([, count]) => count > maxPending)
    .map(([process, count]) => ({
      rule: "more lost than waited",
      key: logged("memory", "p"),
      text: `${count} keys waited in ${process} when it was killed, and its outbox has ${maxPending}`,
    }))

const troubles: Rule = ({ lines }) =>
  lines.flatMap((line): ReadonlyArray<Violation> => {
    if (line.t === "dead") return [{ rule: "dead letter", key: line.key, text: line.why }]
    return line.t === "unhandled"
      ? [{ rule: "unhandled", key: "", text: `${line.node}: ${line.error}` }]
      : []
  })

const rules: ReadonlyArray<Rule> = [
  losses,
  order,
  repetitions,
  origins,
  freshness,
  agreement,
  memoryBound,
  troubles,
]

/** All that is wrong in the lines of a run. */
export const violationsOf: Rule = (history) => rules.flatMap((rule) => rule(history))
