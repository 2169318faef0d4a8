/** A write of the source that a closing larder waits for. */
import * as Effect from "effect/Effect"
import { LarderClosed } from "../../LarderError.ts"
import type { Engine } from "../state/engine.ts"
import type { Keyed } from "./claim.ts"
import { expire } from "./removeExpire.ts"

/** `doubt` ends the freshness of what the write is to change. */
export const openWrite = <A, E, R>(
  engine: Engine,
  write: Effect.Effect<A, E, R>,
  doubt: Effect.Effect<unknown>,
): Effect.Effect<A, E, R> =>
  engine.openWrites.run(
    write,
    doubt,
    Effect.suspend(() => closedFor(engine)),
  )

/** As `openWrite`, of one key. */
export const openWriteOf = <A, E, R>(
  engine: Engine,
  { k, key }: Keyed,
  write: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> =>
  openWrite(
    engine,
    write,
    Effect.suspend(() => expire(engine, key, k)),
  )

export const closedFor = ({ settings: { name } }: Engine): Effect.Effect<never> =>
  Effect.die(new LarderClosed({ larder: name }))
