/**
 * The certain part of the order of events: one event is older only if it ended before the other
 * began.
 */
import type { Change, History, Origin, Read } from "../history/History.ts"

/** How far a node may overestimate the clock of Redis, microseconds. */
const overestimate = 1_000_000

/**
 * While Redis is away, a node orders its own change by the latest time that Redis' clock may show. So
 * a change that another node makes soon after it can have a lower version, and is the older one then.
 */
const isOrderedAfter = ({ settled, version }: Origin, change: Change): boolean => {
  if (settled || version === undefined || change.version === undefined) return false
  return version > change.version && version - change.version < overestimate
}

/**
 * A lookup sees the source at its beginning, and an effect at its write; and takes its place in the order before that; a `set`
 * has its place at the latest when it is acknowledged.
 */
export const isOlder = (origin: Origin, change: Change): boolean => {
  if (origin.value === change.value || change.wrote.some(({ value }) => value === origin.value)) {
    return false
  }
  if (origin.kind !== "set") return origin.begin < change.place
  return origin.end !== undefined && origin.end < change.place && !isOrderedAfter(origin, change)
}

/** As `isOlder`, for two changes. */
export const isBefore = (one: Change, other: Change): boolean =>
  one.end !== undefined && one.end < other.begin

export const endedBefore = (change: Change, read: Read): change is Change & { end: number } =>
  change.end !== undefined && change.end < read.begin

/** When Redis surely had the value: a `set` was settled, or somebody read it there. */
const storedAt = ({ reads }: History, { end, settled, value }: Origin): number | undefined => {
  if (settled) return end
  return reads.find((read) => read.value === value && read.tier === "redis")?.end
}

/** Whether a change may have ended what Redis had at the key: what a node had in memory may have stayed. */
const mayEnd = ({ isMark, op }: Change): boolean => !isMark && op !== "expire"

/**
 * Whether a `removeWhere` may not have found the key of a value. It removes the keys that are there when it
 * begins, in Redis or on its own node: what another node alone has in memory stays.
 */
export const mayMiss = (history: History, change: Change, origin: Origin, key: string): boolean => {
  if (change.op !== "removeWhere") return false
  const from = storedAt(history, origin)
  const { begin, end = Infinity } = change
  if (from === undefined || from >= begin || dataWasLost(history, from, end)) return true
  return history
    .changesOf(key)
    .some(
      (other) =>
        other !== change && mayEnd(other) && other.begin < end && (other.end ?? Infinity) > from,
    )
}

export const dataWasLost = (history: History, from: number, to: number): boolean =>
  history.faults.some((fault) => fault.loses && fault.from <= to && fault.to >= from)

/** The value must be fresh: the read reported it as fresh, or the caller demanded a fresh one. */
export const isFresh = (read: Read): boolean =>
  read.freshness === "fresh" || (read.freshness === undefined && read.stale === "never")

/**
 * The time at which a session learned of a value, by making or returning it. An unsettled change may
 * not know that it came after other values.
 */
export const seenIn = (history: History): ((session: string, value: string) => number) => {
  const seen = new Map<string, number>()
  const note = (session: string, value: string, at: number): void => {
    const name = `${session} ${value}`
    seen.set(name, Math.min(at, seen.get(name) ?? Infinity))
  }
  for (const { end, session, value } of history.origins.values()) {
    if (end !== undefined) note(session.id, value, end)
  }
  for (const { end, session, value } of history.reads) {
    if (value !== undefined) note(session, value, end)
  }
  return (session, value) => seen.get(`${session} ${value}`) ?? Infinity
}
