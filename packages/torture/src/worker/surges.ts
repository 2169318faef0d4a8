/** What callers do seldom and much at once. */
import * as Effect from "effect/Effect"
import * as keys from "../keys.ts"
import type { Session } from "./Session.ts"

/**
 * Invalidates tags, one call each, until the session has missed exactly so many
 * marks as are kept one by one.
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

/** What comes when the node tries Redis again: the tags that no longer fit, and sets of what it has missed. */
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
 * What comes while the node makes up for what it missed: keys are made up for in
 * the order in which they were missed, and set once more one after the other, in
 * that order or from the end, so that both come to a key at one moment.
 */
export const atReplay = (session: Session, fromTheEnd: boolean): Effect.Effect<void> =>
  Effect.suspend(() => {
    const missed = [...session.owes.keys()].filter((key) => keys.setOnly.includes(key))
    const order = fromTheEnd ? missed.toReversed() : missed.slice(1)
    return Effect.forEach(order, (key) => session.set(key, true), { discard: true })
  })

/** Each key several times, all at once. */
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
