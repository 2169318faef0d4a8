/** What is certain about the order of things that took time: only what ended before the other began is older. */
import type { Change, History, Origin, Read } from "../history/History.ts"

/**
 * A lookup sees the source as it is when it begins, and takes its place in the
 * order before that; a `set` has its place at the latest when it is acknowledged.
 */
export const isOlder = (origin: Origin, change: Change): boolean => {
  if (origin.value === change.value) return false
  if (origin.kind === "lookup") return origin.begin < change.begin
  return origin.end !== undefined && origin.end < change.begin
}

/** As `isOlder`, of two changes. */
export const isBefore = (one: Change, other: Change): boolean =>
  one.end !== undefined && one.end < other.begin

export const endedBefore = (change: Change, read: Read): change is Change & { end: number } =>
  change.end !== undefined && change.end < read.begin

export const dataWasLost = (history: History, from: number, to: number): boolean =>
  history.faults.some((fault) => fault.loses && fault.from <= to && fault.to >= from)

/** The value must be fresh: it was said to be, or the caller took nothing else. */
export const isFresh = (read: Read): boolean =>
  read.freshness === "fresh" || (read.freshness === undefined && read.stale === "never")

/**
 * For each session, from when it was known there that a value exists: it made it
 * or gave it. Of other values an unsettled change may not know that they came before it.
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
