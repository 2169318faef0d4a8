/** A write of the source that a closing larder waits for. */
import * as Effect from "effect/Effect"
import { closed } from "../state/closed.ts"
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
    Effect.suspend(() => closed(engine)),
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
