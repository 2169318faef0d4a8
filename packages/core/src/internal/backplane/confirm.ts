/** After a gap: confirms the entries in memory that are read most, before callers ask for them. */
import * as Effect from "effect/Effect"
import { isBelieved } from "../recover/believed.ts"
import {
  confirmingJitterMillis,
  keysConfirmedAfterGap,
  keysPerHeaderRequest,
} from "../runtime/limits.ts"
import type { Engine } from "../state/engine.ts"
import type { HeaderReads } from "../state/headerReads.ts"

/** Begins after a random pause, so that nodes that lost the same server do not come back as a herd. */
export const confirmHotSoon = (engine: Engine): void => {
  const { gaps, headers, near } = engine
  if (headers === undefined || gaps.isConfirmingDue || near.size === 0) return
  gaps.isConfirmingDue = true
  const pause = confirmingJitterMillis * engine.random.nextDoubleUnsafe()
  engine.timers.after(engine.stopwatch(), Math.ceil(pause), () => {
    gaps.isConfirmingDue = false
    const hot = near.hot(keysConfirmedAfterGap).map(({ key }) => key)
    engine.fibers.fork(confirmEach(engine, headers, hot, 0))
  })
}

/** Few keys at a time, so that keys for which callers wait have their turn in between. */
const confirmEach = (
  engine: Engine,
  headers: HeaderReads,
  keys: ReadonlyArray<string>,
  from: number,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (from >= keys.length) return Effect.void
    const to = from + keysPerHeaderRequest
    const suspect = keys.slice(from, to).filter((k) => isConfirmable(engine, k))
    const confirmed = Effect.forEach(suspect, (k) => confirmOne(engine, headers, k), {
      discard: true,
      concurrency: "unbounded",
    })
    return Effect.andThen(confirmed, confirmEach(engine, headers, keys, to))
  })

/** A flight of the key confirms its entry itself, or has a newer value on its way. */
const isConfirmable = (engine: Engine, k: string): boolean =>
  engine.flights.at(k) === undefined &&
  engine.entries.isConfirmable(k, engine.now()) &&
  isBelieved(engine, k)

const confirmOne = (engine: Engine, headers: HeaderReads, k: string): Effect.Effect<void> =>
  Effect.map(headers.read(k, Infinity), (read) => {
    if (read !== undefined && isConfirmable(engine, k))
      engine.entries.confirm(k, read, engine.now())
  })
