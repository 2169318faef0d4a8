/** Checks whether a session has nothing left to replay. */
import * as Effect from "effect/Effect"
import { now } from "../clock.ts"
import * as keys from "../keys.ts"
import type { Log } from "../history/log.ts"
import type { Session } from "./Session.ts"

const openBreakers = (session: Session): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(session.larder.stats, ({ breakers }) =>
    Object.entries(breakers)
      .filter(([, state]) => state !== "Closed")
      .map((entry) => entry.join(" ")),
  )

/** Waits until all breakers are closed, at most `millis`. */
export const awaitBreakers = (session: Session, millis: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const end = now() + millis
    while (now() < end && (yield* openBreakers(session)).length > 0) yield* Effect.sleep(20)
  })

/**
 * A change is also not settled because values queued before it are not written yet. Redis has missed
 * nothing then, so no `Recovered` comes; a later change that is settled says that all have arrived.
 */
const settleQueued = (session: Session): Effect.Effect<void> => {
  const [key] = keys.unasked()
  return session.name === "background" && key !== undefined ? session.expire(key) : Effect.void
}

/** The reason why the session is not quiet, or `undefined`. */
const unrest = (session: Session): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    const open = yield* openBreakers(session)
    if (open.length > 0) return `breaker ${open.join(", ")}`
    const { queuedWrites } = yield* session.larder.stats
    if (queuedWrites > 0) return `${queuedWrites} queued writes`
    if (session.owes.size > 0) yield* settleQueued(session)
    if (session.owes.size === 0) return undefined
    return `${session.owes.size} missed changes, and no Recovered: ${[...session.owes.keys()].slice(0, 5).join(", ")}`
  })

/** Missed changes are retried every second: a shorter quiet proves nothing. */
const quietMillis = 1_500

/**
 * A breaker closes only by a call that it lets through: when memory answers every call, it stays
 * open.
 */
const askTiers = (session: Session): Effect.Effect<void> =>
  Effect.forEach(keys.unasked(), (key) => Effect.exit(session.larder.read(key)), { discard: true })

/** Waits until the session is quiet, at most `millis`, and records the result. */
export const awaitQuiet = (session: Session, log: Log, millis: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const end = now() + millis
    let since = now()
    let why = yield* unrest(session)
    while (now() < end && (why !== undefined || now() - since < quietMillis)) {
      yield* Effect.sleep(50)
      if ((yield* openBreakers(session)).length > 0) yield* askTiers(session)
      why = yield* unrest(session)
      if (why !== undefined) since = now()
    }
    const quiet = why === undefined
    log.write({ t: "quiet", session: session.id, at: now(), quiet, detail: why ?? "" })
  })
