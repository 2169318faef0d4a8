/** What becomes of the cache when a write of the source has ended. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Changed } from "../../LarderEvent.ts"
import type { Engine } from "../state/engine.ts"
import type { Ack } from "./ack.ts"
import { expire, remove } from "./removeExpire.ts"
import { tellChanged } from "./tellChanged.ts"

/** A function that names the errors of an effect which say that it has not changed the source. */
export type Untouched = (error: unknown) => boolean

/** Counts and tells a change of one key. */
export const changed = (
  engine: Engine,
  operation: Extract<Changed["operation"], "set" | "expire" | "remove">,
  k: string,
  applied: Effect.Effect<Ack>,
): Effect.Effect<Ack> =>
  Effect.suspend(() => {
    engine.stampedes.changed(k)
    return tellChanged(engine, { operation, key: k }, applied)
  })

/** The source has another value now. */
export const removed = (engine: Engine, key: unknown, k: string): Effect.Effect<Ack> =>
  changed(engine, "remove", k, remove(engine, key, k))

/** The source may have another value now. */
export const expired = (engine: Engine, key: unknown, k: string): Effect.Effect<Ack> =>
  changed(engine, "expire", k, expire(engine, key, k))

/** Whether a failed effect has left the source as it was: it failed with errors alone, which all say so. */
export const isUntouched = (
  engine: Engine,
  exit: Exit.Exit<unknown, unknown>,
  untouched: Untouched | undefined,
): boolean => {
  if (untouched === undefined || Exit.isSuccess(exit)) return false
  const { reasons } = exit.cause
  return reasons.every((reason) => reason._tag === "Fail" && says(engine, untouched, reason.error))
}

const says = (engine: Engine, untouched: Untouched, error: unknown): boolean => {
  try {
    return untouched(error)
  } catch {
    engine.warnings.warn(
      "untouched",
      "the option untouched failed on an error, so the error counts as one after which the source may have changed. Make untouched work for every error",
    )
    return false
  }
}
