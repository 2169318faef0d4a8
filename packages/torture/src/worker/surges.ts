/** Rare surges of calls. */
import * as Effect from "effect/Effect"
import * as keys from "../keys.ts"
import type { Session } from "./Session.ts"

/**
 * Invalidates tags, one call each, until the session has missed exactly as many marks as are kept
 * one by one.
 */
export const flood = (session: Session): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let i = 0; i < keys.floodTags && session.missedMarks < keys.floodTags; i += 1) {
      yield* session.invalidateTags([keys.floodTag(i)], false)
    }
    for (let i = 0; i < 100 && session.missedMarks < keys.floodTags; i += 1) {
      yield* session.invalidateTags([`extra${i}`], false)
    }
  })

/** Calls made when the node probes Redis: tags beyond the limit, and sets of missed keys. */
export const atProbe = (session: Session): Effect.Effect<void> =>
  Effect.all(
    [
      session.invalidateTags(["late1"], false),
      session.invalidateTags(["late2"], false),
      ...keys.setOnly.slice(0, 3).map((key) => session.set(key, true)),
    ],
    { concurrency: "unbounded", discard: true },
  )

/**
 * Calls made during the replay. The node replays keys in the order in which they were missed. These
 * sets go through them in the same or the opposite order, so that both reach a key at the same
 * moment.
 */
export const atReplay = (session: Session, fromTheEnd: boolean): Effect.Effect<void> =>
  Effect.suspend(() => {
    const missed = [...session.owes.keys()].filter((key) => keys.setOnly.includes(key))
    const order = fromTheEnd ? missed.toReversed() : missed.slice(1)
    return Effect.forEach(order, (key) => session.set(key, true), { discard: true })
  })

/** Sets each key several times, all at once. */
export const burst = (
  session: Session,
  of: ReadonlyArray<string>,
  times: number,
): Effect.Effect<void> =>
  Effect.forEach(
    of.flatMap((key) => Array.from({ length: times }, () => key)),
    (key) => session.set(key, false),
    { concurrency: "unbounded", discard: true },
  )
